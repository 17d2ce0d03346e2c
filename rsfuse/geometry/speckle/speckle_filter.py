"""What every speckle filter does: it goes over an image in pieces that fit the cache, and leaves no data alone."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rsfuse.geometry.speckle.window_sums import Floats, Surroundings

_PIECE = 256  # rows and columns worked on at once


class SpeckleFilter(ABC):
    """A filter of SAR power. A pixel depends on those within `halo`, bit for bit, and on nothing else."""

    halo: int
    """How far the window reaches beyond its middle."""

    def __call__(self, power: Floats) -> Floats:
        """Power with less speckle.

        Args:
            power: (h, w), linear; NaN where there is no data, which has no say in its neighbourhood.

        Returns:
            (h, w), NaN where it was.
        """
        filtered = np.empty(power.shape, np.float32)
        for top in range(0, power.shape[0], _PIECE):
            for left in range(0, power.shape[1], _PIECE):
                piece = np.s_[top : top + _PIECE, left : left + _PIECE]
                surroundings = Surroundings.of(self._with_halo(power, top, left), self.halo)
                filtered[piece] = self._filtered(surroundings)
                np.copyto(filtered[piece], np.nan, where=np.isnan(power[piece]))
        return filtered

    @abstractmethod
    def _filtered(self, around: Surroundings) -> Floats:
        """Some pixels (h, w), from those around them; anything where there is no data."""

    def _with_halo(self, power: Floats, top: int, left: int) -> Floats:
        """A piece and what surrounds it; beyond the image there is no data."""
        height, width = (min(_PIECE, length - start) for length, start in zip(power.shape, (top, left), strict=True))
        piece = np.full((height + 2 * self.halo, width + 2 * self.halo), np.nan, np.float32)
        above, before = (min(self.halo, start) for start in (top, left))
        inside = power[
            top - above : top + height + self.halo,
            left - before : left + width + self.halo,
        ]
        down, across = self.halo - above, self.halo - before
        piece[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
        return piece
