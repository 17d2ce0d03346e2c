"""A smooth field of shifts that differs from place to place: of relief, and of images that were joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import KDTree

from rsfuse.geometry.shift_field import Floats

LEAST_TILES = 10
_STIFFNESS = 1.0  # of the plate where the unit of length is the distance from tile to tile
_NEIGHBOURS = 8
_NOISE = 0.5  # px: what tiles differ by that show the same
_UNLIKE = 2.0  # times the usual difference of the neighbours from their median


class LocalField:
    """A thin plate through measured shifts (Duchon 1977), not bent to their noise, nor to those unlike all around.

    Args:
        places: (n, 2) x and y, n at least `LEAST_TILES`, and not all on one line.
        shifts: (n, 2) dx and dy there.
    """

    def __init__(self, places: Floats, shifts: Floats) -> None:
        like = ~unlike_neighbours(places, shifts)
        kept = places[like]
        self._origin, extent = kept.min(0), np.ptp(kept, axis=0)
        self._unit = max(float(np.sqrt(extent.prod() / len(kept))), 1.0)
        self._lowest, self._highest = shifts[like].min(0), shifts[like].max(0)
        self._plate = RBFInterpolator(self._scaled(kept), shifts[like], smoothing=_STIFFNESS)

    def at(self, places: Floats) -> Floats:
        """Shifts (n, 2) at places (n, 2); far from all that was measured no larger than what was."""
        shifts: Floats = np.clip(self._plate(self._scaled(places)), self._lowest, self._highest)
        return shifts

    def _scaled(self, places: Floats) -> Floats:
        scaled: Floats = (places - self._origin) / self._unit
        return scaled


def unlike_neighbours(places: Floats, shifts: Floats) -> NDArray[np.bool_]:
    """Which shifts differ from the median of those around by far more than these do.

    The normalised median test of particle image velocimetry (Westerweel and Scarano, Experiments in Fluids 39, 2005),
    of whole vectors.

    Args:
        places: (n, 2).
        shifts: (n, 2).

    Returns:
        (n,).
    """
    _, near = KDTree(places).query(places, k=min(_NEIGHBOURS + 1, len(places)))
    around = shifts[near[:, 1:]]
    middle = np.median(around, 1)
    usual = np.median(np.hypot(*np.moveaxis(around - middle[:, None], -1, 0)), 1)
    unlike: NDArray[np.bool_] = np.hypot(*(shifts - middle).T) > _UNLIKE * (usual + _NOISE)
    return unlike
