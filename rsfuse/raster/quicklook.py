"""Quick looks: a raster made small enough for a screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from rsfuse.legend import Legend
from rsfuse.raster.opening import open_raster

Picture = NDArray[np.uint8]


def look_at_image(path: Path, longest: int, bands: tuple[int, ...] = (1, 2, 3)) -> Picture:
    """Bands of an image as a picture (h, w, 3), each stretched between its 2nd and 98th percentile.

    Colours are bent by a square root, so that dark land can be seen beside a bright cloud.

    Args:
        path: the raster; one band becomes grey.
        longest: of the picture's sides, in pixels.
        bands: three of them, or one.
    """
    with open_raster(path) as raster:
        pixels = raster.read(bands, out_shape=(len(bands), *_fit(raster.shape, longest)), resampling=Resampling.average)
    stretched = [_stretch(band.astype(np.float32), 0.5 if len(bands) == 3 else 1.0) for band in pixels]
    return np.stack(stretched if len(bands) == 3 else stretched * 3, axis=-1)


def look_at_map(path: Path, longest: int, legend: Legend) -> Picture:
    """A class map as a picture (h, w, 3) in the colours of its legend; white where there is no class."""
    with open_raster(path) as raster:
        codes = raster.read(1, out_shape=_fit(raster.shape, longest), resampling=Resampling.mode)
    colors = np.full((256, 3), 255, np.uint8)
    for each in legend:
        colors[each.code] = each.color
    picture: Picture = colors[codes]
    return picture


def _fit(shape: tuple[int, int], longest: int) -> tuple[int, int]:
    ratio = min(longest / max(shape), 1)
    return max(round(shape[0] * ratio), 1), max(round(shape[1] * ratio), 1)


def _stretch(band: NDArray[np.float32], power: float) -> Picture:
    low, high = np.nanpercentile(band, (2, 98))
    unit = (np.nan_to_num(band) - low) / max(high - low, 1e-6)
    stretched: Picture = (np.clip(unit, 0, 1) ** power * 255).astype(np.uint8)
    return stretched
