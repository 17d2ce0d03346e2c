"""Pixels at places between pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LEAST_WEIGHT = 0.5  # of data among the four neighbours


def sampled(
    pixels: NDArray[Any], valid: NDArray[np.bool_], places: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Bilinear between the neighbours that have data: no value is beyond theirs.

    Args:
        pixels: (C, h, w), finite.
        valid: (h, w), where they are data.
        places: (2, H, W) rows and columns; 0 is the middle of the first pixel.

    Returns:
        pixels: (C, H, W), float32, or float64 of such; 0 where there is no data.
        valid: (H, W), where the data among the neighbours weigh half at least.
    """
    dtype = np.result_type(pixels.dtype, np.float32) if pixels.dtype.kind == "f" else np.dtype(np.float32)
    inside = (places >= -0.5) & (places <= np.array(valid.shape)[:, None, None] - 0.5)
    has_all = bool(valid.all())
    mixed = np.stack(
        [
            ndimage.map_coordinates(band if has_all else band * valid, places, dtype, order=1, mode="nearest")
            for band in pixels.astype(dtype, copy=False)
        ]
    )
    found = np.asarray(inside.all(0))
    if not has_all:
        weight = ndimage.map_coordinates(valid.astype(np.float32), places, np.float32, order=1, mode="nearest")
        found &= weight >= _LEAST_WEIGHT
        mixed /= np.maximum(weight, _LEAST_WEIGHT)
    mixed *= found
    return mixed, found
