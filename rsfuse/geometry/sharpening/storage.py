"""Sharpened numbers as they are stored: in the type, and within the range, of the multispectral raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.clear import keep_clear

_LEAST_BITS = 8


@dataclass(frozen=True)
class Storage:
    """How numbers are stored.

    Args:
        dtype: of the multispectral raster.
        nodata: number for no data; None if there is none.
        maximum: largest digital number that the sensor is known to give; None for that of the type.
    """

    dtype: np.dtype[Any]
    nodata: float | None = None
    maximum: float | None = None

    def __call__(self, pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Pixels (B, h, w) in their type; no data where they are not valid (h, w), and nowhere else.

        Whole numbers are rounded and clipped. A pixel that would come out as no data is the next number.
        """
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            highest = limits.max if self.maximum is None else min(limits.max, self.maximum)
            whole: NDArray[Any] = pixels if self.dtype.itemsize < pixels.itemsize else pixels.astype(np.float64)
            np.rint(whole, out=whole)
            stored = np.clip(whole, limits.min, highest, out=whole).astype(self.dtype)
        else:
            stored = pixels.astype(self.dtype)
        keep_clear(stored, self.nodata)
        if not valid.all():
            stored[:, ~valid] = 0 if self.nodata is None else self.nodata
        return stored


def bits_maximum(value: float) -> int:
    """The largest number of as many bits, eight at least, as a value takes: 1023 for 700, 2047 for 1100."""
    return int(2 ** max(_LEAST_BITS, int(np.ceil(np.log2(max(value, 1) + 1)))) - 1)
