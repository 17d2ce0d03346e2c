"""The command line in this process, and a small scene to run it on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from typer.testing import CliRunner, Result

from rsfuse.cli import app

TRANSFORM = Affine(10, 0, 500_000, 0, -10, 4_000_000)


@pytest.fixture
def rsfuse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run `rsfuse` with these arguments in an empty folder; the result has exit_code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    # wide enough that no line of a message is broken where a test looks for words
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def raster(tmp_path: Path) -> Callable[..., Path]:
    """Write a raster of random bytes: raster("name.tif", bands=3, side=300, crs="EPSG:32650", transform=...)."""

    def write(
        name: str,
        *,
        bands: int = 3,
        side: int = 300,
        crs: str | None = "EPSG:32650",
        transform: Affine = TRANSFORM,
        values: np.ndarray | None = None,
    ) -> Path:
        path = tmp_path / name
        chance = np.random.default_rng(bands)
        pixels = chance.integers(1, 255, (bands, side, side), np.uint8) if values is None else values
        profile = {"driver": "GTiff", "count": len(pixels), "height": side, "width": side, "dtype": pixels.dtype}
        with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as target:
            target.write(pixels)
        return path

    return write


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB, mounted as a tmpfs; the test is skipped where that is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
