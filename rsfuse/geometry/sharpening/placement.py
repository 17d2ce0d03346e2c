"""Where multispectral pixels lie among panchromatic ones, and the filters that lead from one grid to the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.filters import Axis, Filter, Span
from rsfuse.geometry.sharpening.kernels import LANCZOS, Kernel, cubic, gaussian


@dataclass(frozen=True)
class Along:
    """One axis of both grids: the centre of panchromatic pixel i is at multispectral pixel first + i / ratio.

    Args:
        ratio: panchromatic pixels in a multispectral one.
        first: where the centre of panchromatic pixel 0 lies, in multispectral pixels from the centre of the first.
        fine: how many panchromatic pixels there are.
        coarse: how many multispectral ones.
    """

    ratio: float
    first: float
    fine: int
    coarse: int

    @classmethod
    def by_area(cls, ratio: float, fine: int, coarse: int) -> Along:
        """Both begin with the same edge."""
        return cls(ratio, 0.5 / ratio - 0.5, fine, coarse)

    def inside(self, span: Span) -> Span:
        """Multispectral pixels whose centres lie in a span of panchromatic ones."""
        low, high = (math.ceil(self.first + (end - 0.5) / self.ratio - 1e-9) for end in span)
        return min(max(low, 0), self.coarse), min(max(high, 0), self.coarse)

    def covered(self, span: Span) -> Span:
        """Panchromatic pixels whose centres lie in a span of multispectral ones."""
        low, high = (math.ceil((end - 0.5 - self.first) * self.ratio - 1e-6) for end in span)
        return min(max(low, 0), self.fine), min(max(high, 0), self.fine)

    def nearest(self, span: Span) -> NDArray[np.intp]:
        """The multispectral pixel that each of a span lies in; -1 beyond the ends."""
        places = np.floor(self.first + np.arange(*span) / self.ratio + 0.5 + 1e-9).astype(np.intp)
        places[(places < 0) | (places >= self.coarse)] = -1
        return places


@dataclass(frozen=True)
class Placement:
    """Both axes.

    Args:
        rows: see `Along`.
        columns: see `Along`.
    """

    rows: Along
    columns: Along

    @classmethod
    def by_area(cls, ratio: float, coarse: tuple[int, int]) -> Placement:
        """A multispectral image (rows, columns), and a panchromatic one of exactly `ratio` times its size."""
        rows, columns = (Along.by_area(ratio, round(each * ratio), each) for each in coarse)
        return cls(rows, columns)

    @property
    def ratio(self) -> float:
        """Panchromatic pixels along the side of a multispectral one, the geometric mean of both axes."""
        return math.sqrt(self.rows.ratio * self.columns.ratio)

    def moved(self, right: float, down: float) -> Placement:
        """The same, with the multispectral image so many of its pixels aside."""
        rows = replace(self.rows, first=self.rows.first + down)
        return Placement(rows, replace(self.columns, first=self.columns.first + right))

    def enlarging(self) -> Filter:
        """From the multispectral grid to the panchromatic one, by interpolation: EXP."""
        rows, columns = (Axis(each.coarse, 1 / each.ratio, each.first, LANCZOS) for each in (self.rows, self.columns))
        return Filter(rows, columns)

    def reducing(self, gain: float) -> Filter:
        """From the panchromatic grid to the multispectral one, as a sensor of that gain at Nyquist sees it."""
        return self._to_coarse(lambda ratio: gaussian(gain, ratio))

    def resizing(self) -> Filter:
        """From the panchromatic grid to the multispectral one, by cubic convolution."""
        return self._to_coarse(cubic)

    def _to_coarse(self, kernel: Callable[[float], Kernel]) -> Filter:
        """A filter with a kernel for the ratio of each axis."""
        rows, columns = (
            Axis(each.fine, each.ratio, -each.first * each.ratio, kernel(each.ratio))
            for each in (self.rows, self.columns)
        )
        return Filter(rows, columns)

    def smoothing(self, gain: float) -> Filter:
        """On the panchromatic grid: what a sensor of that gain leaves of an image, without fewer pixels."""
        return _low_pass(gain, self.ratio, (self.rows.fine, self.columns.fine))

    def degrading(self, gain: float) -> Filter:
        """On the multispectral grid: the same one scale down."""
        return _low_pass(gain, self.ratio, (self.rows.coarse, self.columns.coarse))


def _low_pass(gain: float, ratio: float, shape: tuple[int, int]) -> Filter:
    kernel = gaussian(gain, ratio)
    rows, columns = (Axis(length, 1.0, 0.0, kernel) for length in shape)
    return Filter(rows, columns)
