"""Corners of regions of pixels: where an outline turns. They are all there is to know of a region.

A region is a set of pixels of one code, each joined to the next by a side. Its outline runs along lines of the grid,
the region to its left. On every horizontal line the corners of a region pair up, first with second, third with fourth,
and what lies between a pair is a side of it; likewise on every vertical line. So corners that were found strip by
strip, in any order, give whole polygons once the last of them is known: nothing is cut at a strip, nothing is mended.
"""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

EAST, SOUTH, TURNS_OFF = 4, 2, 1
"""Bits of a corner: a side of the outline lies to its east, not west; one lies to its south, not north; and the outline
arrives along its horizontal side and turns off along its vertical one, not the other way round."""

_BITS = 3


class Corners:
    """Numbers that stand for the corners on a grid; in order, they run along its rows.

    Args:
        shape: (height, width) of the grid in pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.lines, self.columns = shape[0] + 1, shape[1] + 1

    def pack(self, row: NDArray[np.int64], column: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
        """One number of each, from the lines of the grid that cross there and the bits of the corner."""
        return ((row * self.columns + column) << _BITS) + bits

    def outlines(self, corners: NDArray[np.int64], regions: NDArray[np.int64]) -> Outlines:
        """The outlines of whole regions.

        Args:
            corners: (n,) all corners of the regions, in any order.
            regions: (n,) number of the region of each, from 0 on without a gap.
        """
        order = np.argsort((regions * (self.lines * self.columns) << _BITS) + corners)
        corners, regions = corners[order], regions[order]
        place, bits = corners >> _BITS, corners & (1 << _BITS) - 1
        row, column = np.divmod(place, self.columns)
        # where a region touches itself at a corner, it is not joined there: its outlines pass it on the other sides
        twice = np.flatnonzero((place[1:] == place[:-1]) & (regions[1:] == regions[:-1]))
        bits[np.concatenate([twice, twice + 1])] ^= SOUTH
        down = np.argsort((((regions * self.columns + column) * self.lines + row) << 1) + (bits & SOUTH > 0))
        partner = np.empty_like(down)
        partner[down[::2]], partner[down[1::2]] = down[1::2], down[::2]
        heads = np.arange(0, len(corners), 2) + (bits[1::2] & TURNS_OFF)
        return Outlines(np.stack([column, row], 1), heads, partner[heads] >> 1, regions[::2])


class Outlines:
    """Outlines of m regions, as chains of their horizontal sides; vertical ones join the end of one to the next.

    Args:
        places: (2 k, 2) column and row of every corner, those of one horizontal side together.
        heads: (k,) which corner each side leads to; the other one of the two is where it begins.
        following: (k,) which side comes next.
        regions: (k,) the region of each side, rising.
    """

    def __init__(
        self,
        places: NDArray[np.int64],
        heads: NDArray[np.int64],
        following: NDArray[np.int64],
        regions: NDArray[np.int64],
    ) -> None:
        self._places, self._heads, self._following, self._regions = places, heads, following, regions

    def areas(self, lines: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each region covers, (m,).

        Args:
            lines: (height + 1,) what all pixels of one column cover that lie above a line of the grid.
        """
        begins, ends = self._places[self._heads ^ 1], self._places[self._heads]
        signed = (ends[:, 0] - begins[:, 0]) * lines[ends[:, 1]]
        return np.bincount(self._regions, signed).astype(np.float64, copy=False)

    def polygons(self, wanted: NDArray[np.bool_], transform: Affine) -> NDArray[np.object_]:
        """Valid polygons of shapely, one of each wanted region, in order.

        The first ring is the outer one, counter-clockwise where north is up; holes follow. No corner lies on a
        straight line between its neighbours.

        Args:
            wanted: (m,) whether to draw a region.
            transform: from columns and rows to x and y.
        """
        kept = np.flatnonzero(wanted[self._regions])
        renumbered = np.empty(len(self._regions), np.int64)
        renumbered[kept] = np.arange(len(kept))
        order, begins = _walk(renumbered[self._following[kept]])
        heads = self._heads[kept[order]]
        corners = np.stack([heads ^ 1, heads], 1).ravel()
        ends = np.append(begins[1:], len(order))
        corners = np.insert(corners, 2 * ends, corners[2 * begins])  # rings close
        column, row = self._places[corners].T
        a, b, c, d, e, f = transform[:6]
        places = np.stack([a * column + b * row + c, d * column + e * row + f], 1)
        rings = np.append(0, 2 * ends + np.arange(1, len(ends) + 1))
        _, first = np.unique(self._regions[kept[order[begins]]], return_index=True)
        polygons: NDArray[np.object_] = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, places, (rings, np.append(first, len(begins)))
        )
        return polygons


def _walk(following: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sides ring by ring, and where in them each ring begins. A ring begins with the uppermost of its sides."""
    ahead = following.tolist()  # an array is slow to ask for one number
    seen = bytearray(len(ahead))
    order: list[int] = []
    begins: list[int] = []
    for start in range(len(ahead)):
        if seen[start]:
            continue
        begins.append(len(order))
        side = start
        while not seen[side]:
            seen[side] = 1
            order.append(side)
            side = ahead[side]
    return np.array(order, np.int64), np.array(begins, np.int64)
