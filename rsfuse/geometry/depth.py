"""How deep inside the data of a scene its pixels lie: what is near an edge has less to say."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_CELLS = 256
"""Cells along the longer side at most. Depth changes slowly: more of them would cost memory and tell nothing."""

Floats = NDArray[np.float32]


class Depth:
    """Distance in pixels to the nearest pixel without data or to the edge of the scene, whichever is nearer.

    It is measured between square cells and is linear between their centres; of a scene of up to 256 pixels a side, a
    cell is a pixel. A cell with one pixel that has no data has none.

    Args:
        shape: (height, width) of the scene.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._side = -(-max(shape) // _CELLS)
        self._shape = shape
        self._known = np.ones((-(-shape[0] // self._side), -(-shape[1] // self._side)), np.bool_)

    def add(self, top: int, valid: NDArray[np.bool_]) -> None:
        """Take where some rows (h, W) have data, from any row on, in any order."""
        rows = np.arange(top // self._side, -(-(top + len(valid)) // self._side))
        starts = np.maximum(rows * self._side - top, 0)
        columns = np.arange(0, self._shape[1], self._side)
        self._known[rows] &= np.logical_and.reduceat(np.logical_and.reduceat(valid, columns, axis=1), starts, axis=0)

    @cached_property
    def _cells(self) -> Floats:
        """Depth at the middle of each cell and of a ring of cells beyond the edge, which lies half a cell from both."""
        from scipy import ndimage  # here, because it loads for as long as a small mosaic takes, and most need no depth

        known = np.pad(self._known, 1)
        away = ndimage.distance_transform_edt(known)
        cells: Floats = ((away - 0.5) * self._side).astype(np.float32)
        return cells

    def at(self, rows: tuple[int, int], columns: tuple[int, int]) -> Floats:
        """Depth (h, w) of the pixels from one row and column to before another; half a pixel at least.

        All rows must have been added.
        """
        along = _between(self._cells, *self._places(*rows))
        depth = _between(np.ascontiguousarray(along.T), *self._places(*columns)).T
        return np.maximum(depth, np.float32(0.5))

    def _places(self, start: int, stop: int) -> tuple[NDArray[np.intp], Floats]:
        """The cell before the middle of each pixel, the ring counted, and how far towards the next one it lies."""
        places = (np.arange(start, stop) + 0.5) / self._side + 0.5
        before = np.floor(places)
        return before.astype(np.intp), (places - before).astype(np.float32)


def _between(cells: Floats, before: NDArray[np.intp], share: Floats) -> Floats:
    """Rows (n, w) between those of cells (m, w)."""
    near = cells[before]
    return near + (cells[before + 1] - near) * share[:, None]
