"""Sums over windows around pixels, bit for bit the same however an image is cut.

A sum that runs along the image carries the rounding of everything before it. Here a sum depends on its own pixels and
nothing else: shifted images are added, runs of two first, then of four, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Counts = NDArray[np.uint16]

_TINY = np.finfo(np.float32).tiny


def run_sums(pixels: NDArray[Any], length: int, axis: int) -> NDArray[Any]:
    """Sums of so many neighbours along an axis, which becomes shorter by one less."""
    count = pixels.shape[axis] - length + 1
    runs, reach, start = pixels, 1, 0
    total: NDArray[Any] | None = None
    while True:
        if length & reach:
            part = _along(runs, axis, start, count)
            total = part if total is None else total + part
            start += reach
        if start == length:
            assert total is not None
            return total
        rest = runs.shape[axis] - reach
        runs = _along(runs, axis, 0, rest) + _along(runs, axis, reach, rest)
        reach *= 2


def box_sums(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Sums over squares: (h, w) becomes (h - side + 1, w - side + 1)."""
    return run_sums(run_sums(pixels, side, 0), side, 1)


@dataclass(frozen=True)
class Surroundings:
    """Pixels with those around them.

    Args:
        pixels: (h + 2 halo, w + 2 halo), 0 where there is no data.
        squares: of the pixels.
        counts: 1 where there is data, else 0; whole numbers wide enough for sums over a window.
        halo: of neighbours on each side.
    """

    pixels: Floats
    squares: Floats
    counts: Counts
    halo: int

    @classmethod
    def of(cls, power: Floats, halo: int) -> Surroundings:
        """Of power with a halo, NaN where there is no data."""
        valid = ~np.isnan(power)
        pixels = power if valid.all() else np.where(valid, power, np.float32(0))
        return cls(pixels, pixels * pixels, valid.astype(np.uint16), halo)

    @property
    def centres(self) -> Floats:
        """The pixels themselves, (h, w)."""
        inside = slice(self.halo, -self.halo or None)
        return self.pixels[inside, inside]

    def moments(self) -> Moments:
        """Of the whole window around each pixel, (h, w)."""
        side = 2 * self.halo + 1
        return Moments.of(*(box_sums(each, side) for each in (self.pixels, self.squares, self.counts)))


@dataclass(frozen=True)
class Moments:
    """Mean and variance of the valid pixels of windows; both are 0 where there are none."""

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, sums: Floats, squares: Floats, counts: Counts) -> Moments:
        """From sums over windows; the variance of a single pixel is 0."""
        number = counts.astype(np.float32)
        mean = quotient(sums, number)
        squares = np.maximum(squares - sums * mean, 0)  # what is even may come out below
        return cls(mean, quotient(squares, np.maximum(number - 1, 1)))

    @property
    def contrast(self) -> Floats:
        """The variance in squared means, Ci^2 of the filters; 0 where the mean is."""
        return quotient(self.variance, self.mean * self.mean)


def quotient(over: Floats, under: Floats) -> Floats:
    """One divided by the other, which is 0 or above; 0 where both are 0."""
    return np.asarray(over / np.maximum(under, _TINY))


def _along(pixels: NDArray[Any], axis: int, start: int, count: int) -> NDArray[Any]:
    return pixels[start : start + count] if axis == 0 else pixels[:, start : start + count]
