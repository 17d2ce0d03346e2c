"""Bilinear values between the pixels of an image, all the same fraction of a pixel aside."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_STRIP_PIXELS = 1 << 17  # of a band in one go: its strips of float32 stay in the cache of a processor

Flat = NDArray[np.float32]


def between(pixels: NDArray[Any], down: float, across: float) -> NDArray[np.float32]:
    """Values between neighbouring pixels, each to a few bits of its own last one, whatever its neighbours hold.

    Args:
        pixels: (C, h, w).
        down: 0 to 1, how far from each pixel to the one below; 0 for not at all.
        across: likewise to the one on the right.

    Returns:
        (C, h - 1, w - 1), no less along an axis without a shift; rows need not follow one another without a gap.
    """
    count, height, width = pixels.shape
    rows, columns = height - bool(down), width - bool(across)
    # Flat arrays are twice as fast as rows cut short: the end of each row is mixed with the next one's start, in vain
    mixed = np.empty((count, rows, width), np.float32)
    strip = math.ceil(rows / math.ceil(rows * width / _STRIP_PIXELS))
    scratch = np.empty((2, (strip + 1) * width), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # whatever stands where there is no data
        for start in range(0, rows, strip):
            out = mixed[:, start : start + strip]
            source = pixels[:, start : start + out.shape[1] + bool(down)]
            _mix(source, (_Pair.of(down, width), _Pair.of(across, 1)), scratch, out=out)
    return mixed[:, :, :columns]


class _Pair(NamedTuple):
    """Two neighbours a stride apart: the nearer, and the other's share of its weight."""

    near: slice
    far: slice
    share: np.float32
    weight: float

    @classmethod
    def of(cls, fraction: float, stride: int) -> _Pair | None:
        if not fraction:
            return None
        first, second = slice(None, -stride), slice(stride, None)
        near, far = (first, second) if fraction <= 0.5 else (second, first)
        weight = max(fraction, 1 - fraction)
        return cls(near, far, np.float32((1 - weight) / weight), weight)


def _mix(
    pixels: NDArray[Any], pairs: tuple[_Pair | None, _Pair | None], scratch: Flat, *, out: NDArray[np.float32]
) -> None:
    """Like `between`, for some rows; scratch has room for two of them, in one band."""
    down, across = pairs
    count, height, width = pixels.shape
    flat, upright = scratch[0, : height * width], scratch[1, : out.shape[1] * width]
    source = flat.reshape(height, width)
    # the weights of the nearer are left to the end, once for rows and columns: a pass over the pixels less
    weight = np.float32((down.weight if down else 1) * (across.weight if across else 1))
    for band, mixed in zip(pixels, out.reshape(count, -1), strict=True):
        source[:] = band
        if down:
            np.multiply(flat[down.far], down.share, out=upright)
            upright += flat[down.near]
        values = upright if down else flat
        if across:
            level = mixed[:-1]
            np.multiply(values[across.far], across.share, out=level)
            level += values[across.near]
            mixed *= weight
        else:
            np.multiply(values, weight, out=mixed)
