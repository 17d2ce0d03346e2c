"""Rows of a map below the last row before them: runs of one code, where they touch, and where outlines turn."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA
from rsfuse.raster.drawn.corners import EAST, SOUTH, TURNS_OFF, Corners

_TOP, _BOTTOM, _LEFT, _RIGHT = 8, 4, 2, 1  # sides that meet at a point; set where the two pixels there have one code
_ALL = _TOP | _BOTTOM | _LEFT | _RIGHT
_QUARTERS = tuple(
    (below, right, (_BOTTOM if below else _TOP) | (_RIGHT if right else _LEFT))
    for below, right in product((0, 1), repeat=2)
)
"""The four pixels around a point: whether each lies below it and to its right, and the two of its sides there."""


class Band:
    """h rows of a map and the one above them, each in runs: pixels of one code side by side.

    Runs are numbered from left to right and from the top down; a column of no data stands on either side of the map.

    Args:
        above: (W,) codes of the row before.
        codes: (h, W).
    """

    def __init__(self, above: NDArray[np.uint8], codes: NDArray[np.uint8]) -> None:
        padded = np.full((len(codes) + 1, len(above) + 2), NODATA, np.uint8)
        padded[0, 1:-1], padded[1:, 1:-1] = above, codes
        begins = np.ones(padded.shape, bool)
        np.not_equal(padded[:, 1:], padded[:, :-1], out=begins[:, 1:])
        self._codes, self._begins = padded, begins
        self._starts = np.flatnonzero(begins)
        self._runs = np.cumsum(begins, dtype=np.int32) - 1
        # points of the grid, by the pixel above and to the left, where a run begins in the row above or below
        self._points, self._sides = self._crossings()

    def _crossings(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        ends = self._begins[:, 1:]
        row, column = np.nonzero(ends[:-1] | ends[1:])
        points = row * self._codes.shape[1] + column
        joined = (self._codes[1:] == self._codes[:-1]).ravel()
        ends = ends.ravel()
        at = points - row  # one column fewer
        sides = _TOP * ~ends[at] + _BOTTOM * ~ends[at + self._codes.shape[1] - 1]
        return points, (sides + _LEFT * joined[points] + _RIGHT * joined[points + 1]).astype(np.uint8)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Code of each run, (runs,)."""
        return self._codes.ravel()[self._starts]

    @property
    def first(self) -> NDArray[np.int32]:
        """Run of each pixel of the row above, (W,)."""
        return self._runs[1 : self._codes.shape[1] - 1]

    @property
    def last(self) -> NDArray[np.int32]:
        """Run of each pixel of the last row, (W,)."""
        return self._runs[1 - self._codes.shape[1] : -1]

    def touching(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Runs of one code, one right above the other, (n,) and (n,). Each pair appears at least once."""
        upper = self._points[self._sides & _RIGHT > 0] + 1
        upper = upper[self._codes.ravel()[upper] != NODATA]
        return self._runs[upper], self._runs[upper + self._codes.shape[1]]

    def sums(self, values: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Sum of the values (h, W) of the band's own rows over each run, (runs,); 0 for runs of the row above."""
        padded = np.zeros(self._codes.shape, np.uint8)
        padded[1:, 1:-1] = values
        return np.add.reduceat(padded.ravel(), self._starts, dtype=np.int64).astype(np.float64)

    def corners(self, grid: Corners, top: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Corners on the line above each of the band's own rows, (n,), and the run that each is a corner of, (n,).

        Args:
            grid: gives them their numbers.
            top: row of the grid that is the band's first own one.
        """
        wide = self._codes.shape[1]
        corners, pixels = [], []
        for below, right, own in _QUARTERS:
            arms, turns = EAST * right + SOUTH * below, TURNS_OFF * (below == right)
            for found, pixel, bits in (
                # a pixel unlike its two neighbours: the outline of its region turns around it
                (self._sides & own == 0, below * wide + right, arms + turns),
                # three alike, and this pixel is the fourth: the outline of theirs turns, too, the other way round
                (self._sides == _ALL ^ own, (1 - below) * wide + 1 - right, arms + (TURNS_OFF - turns)),
            ):
                points = self._points[found]
                points = points[self._codes.ravel()[points + pixel] != NODATA]
                row, column = np.divmod(points, wide)
                corners.append(grid.pack(row + top, column, bits))
                pixels.append(points + pixel)
        return np.concatenate(corners), self._runs[np.concatenate(pixels)]
