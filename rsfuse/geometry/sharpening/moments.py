"""What is measured of a pair of images, before a method can be fitted to it: sums, and sums of products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


_ROUNDING = 1e-12  # of a square: numbers of single precision are exact to 6e-8


@dataclass(frozen=True)
class Moments:
    """Means and covariances of some quantities, from sums that add up.

    Args:
        count: pixels.
        sums: (F,) of each quantity.
        products: (F, F) of each pair.
    """

    count: int
    sums: Floats
    products: Floats

    @classmethod
    def of(cls, quantities: NDArray[np.floating]) -> Moments:
        """Of F quantities at N pixels, (F, N)."""
        values = quantities.astype(np.float64)
        return cls(values.shape[1], values.sum(1), values @ values.T)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.sums + other.sums, self.products + other.products)

    @property
    def mean(self) -> Floats:
        """(F,)."""
        return self.sums / self.count

    @property
    def covariance(self) -> Floats:
        """(F, F), of the pixels at hand; 0 for what varies by no more than its rounding."""
        squares = self.products / self.count
        covariance = squares - np.outer(self.mean, self.mean)
        flat = np.diag(covariance) <= _ROUNDING * np.diag(squares)
        covariance[flat] = covariance[:, flat] = 0
        return covariance


@dataclass(frozen=True)
class PairMoments:
    """All that the methods want to know of a pair of B multispectral bands and a panchromatic one.

    Args:
        bands: B.
        fine: on the panchromatic grid: B interpolated bands (EXP), the panchromatic band, and B times that band as the
            sensor of each multispectral one would see it (low-passed, reduced and enlarged again).
        coarse: on the multispectral grid: B bands, the panchromatic band as the mean multispectral sensor sees it, the
            panchromatic band as its own sensor would see it from so far, and the B bands low-passed once more.
        limits: the lowest and the highest number in either.
    """

    bands: int
    fine: Moments
    coarse: Moments
    limits: tuple[float, float]

    def __add__(self, other: PairMoments) -> PairMoments:
        limits = min(self.limits[0], other.limits[0]), max(self.limits[1], other.limits[1])
        return PairMoments(self.bands, self.fine + other.fine, self.coarse + other.coarse, limits)
