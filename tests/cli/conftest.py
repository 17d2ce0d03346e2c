"""The command line in this process, and a small scene to run it on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
def bundle(save_untrained: Callable[..., Any], tmp_path: Path) -> Path:
    """Folder of a small bundle of random weights."""
    folder: Path = save_untrained(tmp_path / "bundle")[0].folder
    return folder


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


@pytest.fixture
def place() -> Callable[[int], Affine]:
    """Where the scenes of `scenes` lie, by their number: 20 km from each other."""
    return lambda number: Affine.translation(20_000 * number, 0) * TRANSFORM


@pytest.fixture
def scenes(raster: Callable[..., Path], place: Callable[[int], Affine], tmp_path: Path) -> Path:
    """Five scenes of 160 px in three folders, files of one name belonging together."""
    chance = np.random.default_rng(0)
    for folder in ("optical", "sar", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(5):
        raster(f"optical/s{number}.tif", side=160, transform=place(number))
        raster(f"sar/s{number}.tif", bands=1, side=160, transform=place(number))
        codes = chance.choice([0, 1, 2, 3, 4, 255], (1, 160, 160)).astype(np.uint8)
        raster(f"labels/s{number}.tif", side=160, values=codes, transform=place(number))
    return tmp_path


@pytest.fixture
def draw(place: Callable[[int], Affine], tmp_path: Path) -> Callable[..., str]:
    """Write rectangles of the first scene, in its pixels, as GeoJSON: draw(name, (properties, box), ...)."""

    def write(name: str, *shapes: tuple[dict[str, object], tuple[int, int, int, int]]) -> str:
        features = []
        for properties, (left, top, right, bottom) in shapes:
            corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
            ring = [list(place(0) * corner) for corner in corners]
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
        (tmp_path / name).write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
        return name

    return write
