"""A field of shifts, fitted to many that were measured, some of them wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TUKEY = 4.685  # 95 % of the efficiency of least squares where errors are normal
# of the length of a residual, in standard deviations of one component; no further factor, such as the 1.4826 that goes
# with the median of absolute values along one axis
_RAYLEIGH_MEDIAN = 1.1774
_LEAST_SIGMA = 0.15  # px: less is not believed
_INLIER = 0.1  # weight above which a shift counts
_ROUNDS = 50


@dataclass(frozen=True)
class AffineField:
    """Shifts that change in proportion to the place: d(x, y) = linear @ (x, y) + offset.

    Args:
        linear: (2, 2), shift in pixels a pixel; rows are dx and dy.
        offset: (2,), dx and dy at the origin.
    """

    linear: Floats
    offset: Floats

    def at(self, places: Floats) -> Floats:
        """Shifts (n, 2) at places (n, 2), both x before y."""
        shifts: Floats = places @ self.linear.T + self.offset
        return shifts


@dataclass(frozen=True)
class FittedField:
    """An affine field and how well the measured shifts agree with it.

    Args:
        field: see there.
        residuals: (n,) lengths in pixels of what it does not explain.
        inliers: (n,) which shifts have a say in it.
        sigma: px, spread of one component of the residuals of the inliers: noise of matching, if the field is right.
    """

    field: AffineField
    residuals: Floats
    inliers: NDArray[np.bool_]
    sigma: float


def fit_affine(places: Floats, shifts: Floats) -> FittedField:
    """The affine field of most shifts: least squares, again and again with Tukey's weights of their residuals.

    Args:
        places: (n, 2) x and y.
        shifts: (n, 2) dx and dy there; n is 3 at least, and not all on one line.
    """
    centre = places.mean(0)
    scale = max(float(np.abs(places - centre).max()), 1.0)
    design = np.column_stack([(places - centre) / scale, np.ones(len(places))])
    weights = np.ones(len(places))
    solution = np.zeros((3, 2))
    solution[2] = np.median(shifts, 0)  # a start that the wrong ones have no say in
    for _ in range(_ROUNDS):
        residuals = np.hypot(*(shifts - design @ solution).T)
        sigma = max(float(np.median(residuals[weights > 0])) / _RAYLEIGH_MEDIAN, _LEAST_SIGMA)
        weights = np.clip(1 - (residuals / (_TUKEY * sigma)) ** 2, 0, None) ** 2
        root = np.sqrt(weights)[:, None]
        before, solution = solution, np.linalg.lstsq(design * root, shifts * root, rcond=None)[0]
        if np.abs(solution - before).max() < 1e-6:
            break
    linear = solution[:2].T / scale
    field = AffineField(linear, solution[2] - linear @ centre)
    return FittedField(field, residuals, weights > _INLIER, sigma)
