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
        limits: the lowest and the highest number that went in; None for those of the type.
    """

    dtype: np.dtype[Any]
    nodata: float | None = None
    limits: tuple[float, float] | None = None

    def __call__(self, pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[Any]:
        """Pixels (B, h, w) in their type; no data where they are not valid (h, w), and nowhere else.

        They stay within the limits; whole numbers may be darker and brighter within their bits. A pixel that would come
        out as no data is the next number.
        """
        if self.dtype.kind in "iu":
            whole: NDArray[Any] = pixels if self.dtype.itemsize < pixels.itemsize else pixels.astype(np.float64)
            np.rint(whole, out=whole)
            stored = np.clip(whole, *self._range(), out=whole).astype(self.dtype)
        else:
            stored = pixels.astype(self.dtype)
            if self.limits is not None:
                np.clip(stored, *self.limits, out=stored)
        keep_clear(stored, self.nodata)
        if not valid.all():
            stored[:, ~valid] = 0 if self.nodata is None else self.nodata
        return stored

    def _range(self) -> tuple[float, float]:
        """Of whole numbers: from 0, or as far below as there are bits, to the last of as many bits as the highest."""
        of_type = np.iinfo(self.dtype)
        if self.limits is None:
            return of_type.min, of_type.max
        low, high = self.limits
        lowest = 0 if low >= 0 else max(of_type.min, -bits_maximum(-low) - 1)
        return lowest, min(of_type.max, bits_maximum(high))


def bits_maximum(value: float) -> int:
    """The largest number of as many bits, eight at least, as a value takes: 1023 for 700, 2047 for 1100."""
    return int(2 ** max(_LEAST_BITS, int(np.ceil(np.log2(max(value, 1) + 1)))) - 1)
