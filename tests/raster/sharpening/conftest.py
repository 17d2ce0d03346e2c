"""Pairs of rasters that show one smooth ground, whatever grids they lie on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform as project

UTM = "EPSG:32650"
PLACE = Affine.translation(500_000, 4_000_000)
GSD_M = 1.0  # of the panchromatic raster


def ground(x: np.ndarray, y: np.ndarray, bands: int) -> np.ndarray:
    """Waves of 60 to 130 m at places in metres, right and down of a corner: (B, *x.shape), from 300 to 1700."""
    waves = [
        1000 + 350 * np.sin(x / (10 + band) + band) * np.cos(y / (13 + band)) + 300 * np.sin((x + y) / 20)
        for band in range(bands)
    ]
    return np.stack(waves)


@pytest.fixture
def lay(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes pixels (B, h, w), their first corner (right, down) metres off the usual place.

    lay(name, pixels, gsd_m, corner=(0, 0), nodata=None, mask=None, names=None, crs=..., transform=...)
    """

    def write(name: str, pixels: np.ndarray, gsd_m: float = GSD_M, **options: Any) -> Path:
        right, down = options.pop("corner", (0.0, 0.0))
        mask, names = options.pop("mask", None), options.pop("names", None)
        place = {"crs": UTM, "transform": PLACE * Affine(gsd_m, 0, right, 0, -gsd_m, -down), **options}
        count, height, width = pixels.shape
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(tmp_path / name, "w", photometric="MINISBLACK", **profile, **place) as file,
        ):
            file.write(pixels)
            if names is not None:
                file.descriptions = names
            if mask is not None:
                file.write_mask(mask)
        return tmp_path / name

    return write


@pytest.fixture
def survey(lay: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes what the ground is at the centres of a grid's pixels.

    survey(name, bands, shape, gsd_m, corner=..., dtype="float32", ...)
    """

    def write(name: str, bands: int, shape: tuple[int, int], gsd_m: float = GSD_M, **options: Any) -> Path:
        right, down = options.get("corner", (0.0, 0.0))
        own = PLACE * Affine(gsd_m, 0, right, 0, -gsd_m, -down)
        dtype, there = options.pop("dtype", "float32"), options.get("transform", own)
        columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        x, y = there * (columns, rows)
        if options.get("crs") not in (None, UTM):
            flat = project(options["crs"], UTM, x.ravel(), y.ravel())
            x, y = (np.reshape(each, shape) for each in flat)
        pixels = ground(x - PLACE.c, PLACE.f - y, bands)
        return lay(name, (np.rint(pixels) if np.dtype(dtype).kind in "iu" else pixels).astype(dtype), gsd_m, **options)

    return write


@pytest.fixture
def truth() -> Callable[..., np.ndarray]:
    """A function from bands and a shape to the ground at the centres of the usual panchromatic pixels."""

    def look(bands: int, shape: tuple[int, int]) -> np.ndarray:
        columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
        return ground(columns * GSD_M, rows * GSD_M, bands)

    return look
