"""Rasters to order, for the tests of this floor."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

UTM = "EPSG:32722"
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)  # Porto Alegre, 10 m


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """A function from a name, pixels (C, h, w) and rasterio's keywords to the path of a GeoTIFF."""

    def write(
        name: str,
        pixels: np.ndarray,
        *,
        mask: np.ndarray | None = None,
        colorinterp: Any = None,
        descriptions: tuple[str, ...] | None = None,
        **profile: Any,
    ) -> Path:
        count, height, width = pixels.shape
        profile = {"crs": UTM, "transform": PLACE, "photometric": "MINISBLACK", "dtype": pixels.dtype.name, **profile}
        path = tmp_path / name
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, **profile) as file,
        ):
            if colorinterp is not None:
                file.colorinterp = colorinterp
            file.write(pixels)
            if descriptions is not None:
                file.descriptions = descriptions
            if mask is not None:
                file.write_mask(mask)
        return path

    return write


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """A function from a shape and a dtype to seeded noise between 1 and 200."""

    def make(shape: tuple[int, ...], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(1, 200, shape).astype(dtype)

    return make


@pytest.fixture
def whole() -> Callable[[Any], Window]:
    """A function from a grid to the window that sees all of it."""
    return lambda grid: Window(0, 0, grid.width, grid.height)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A function from a size in kB to a folder on a disk of that size."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size_kb: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "none", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small disk may not be mounted here")
        return disk

    yield mount
    subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)
