"""Numbers of data, kept clear of the one that means no data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def keep_clear(pixels: NDArray[Any], nodata: float | None) -> None:
    """Make every pixel that equals the number for no data the next number, in place."""
    kind = pixels.dtype.kind
    if nodata is None or np.isnan(nodata):
        return
    if kind == "f":
        beside: Any = np.nextafter(pixels.dtype.type(nodata), pixels.dtype.type(0 if nodata else 1))
    else:
        limits = np.iinfo(pixels.dtype)
        if nodata % 1 or not limits.min <= nodata <= limits.max:
            return  # no pixel can equal it
        beside = int(nodata) + (1 if nodata < limits.max else -1)
    clash = pixels == pixels.dtype.type(nodata)
    if clash.any():
        pixels[clash] = beside
