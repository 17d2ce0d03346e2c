"""A table of values at some rows and columns of an image, as annotations have it, and what lies between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_STRIP_PIXELS = 1 << 17  # in one go: they stay in the cache of a processor


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Values at some rows and columns of an image: bilinear between these, and beyond them as at the last one.

    Rows and columns are those of pixel centres, the first of which is 0.

    Args:
        rows: (n,), two or more, ascending.
        columns: (m,), likewise.
        values: (n, m).
    """

    rows: Numbers
    columns: Numbers
    values: Numbers

    @classmethod
    def of(cls, lines: Mapping[float, tuple[Numbers, Numbers]]) -> SparseTable:
        """A table by its lines: row to columns, ascending, and the value at each. Columns may differ between lines.

        Raises:
            ValueError: if there are less than two lines or columns, or these do not fit their values or do not ascend.
        """
        for row, (columns, values) in lines.items():
            if columns.size < 2 or columns.shape != values.shape:
                raise ValueError(f"line {row:g} has {columns.size} columns and {values.size} values")
            if not (np.diff(columns) > 0).all():
                raise ValueError(f"the columns of line {row:g} do not ascend")
        if len(lines) < 2:
            raise ValueError(f"{len(lines)} lines are too few")
        rows = sorted(lines)
        everywhere = np.unique(np.concatenate([lines[row][0] for row in rows]))
        values = np.stack([np.interp(everywhere, *lines[row]) for row in rows])
        return cls(np.array(rows, np.float64), everywhere, values)

    def at(self, columns: Numbers, rows: Numbers) -> Numbers:
        """Values at some points, arrays of one shape."""
        row, down = _between(self.rows, rows)
        column, across = _between(self.columns, columns)
        upper, lower = (
            self.values[each, column] * (1 - across) + self.values[each, column + 1] * across for each in (row, row + 1)
        )
        return upper * (1 - down) + lower * down

    def strips(self, row: int, column: int, shape: tuple[int, int]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Values at all pixels of a window, some rows at a time: which rows of the window, and their values.

        A value is the same bit for bit whichever window asks.

        Args:
            row: of the window's first pixel.
            column: likewise.
            shape: of the window.
        """
        height, width = shape
        upper, down = _between(self.rows, np.arange(row, row + height, dtype=np.float64))
        known = self.values[upper[0] : upper[-1] + 2]
        across = np.arange(column, column + width, dtype=np.float64)
        lines = np.stack([np.interp(across, self.columns, line) for line in known]).astype(np.float32)
        steps = np.diff(lines, axis=0)
        upper, shares = upper - upper[0], down.astype(np.float32)[:, None]
        count = math.ceil(_STRIP_PIXELS / width)
        for start in range(0, height, count):
            strip = slice(start, min(start + count, height))
            values = steps[upper[strip]]
            values *= shares[strip]
            values += lines[upper[strip]]
            yield strip, values


def _between(known: Numbers, asked: Numbers) -> tuple[NDArray[np.intp], Numbers]:
    """Index of the position before each that is asked for, and the way from it to the next one, 0 to 1."""
    before = np.clip(np.searchsorted(known, asked, "right") - 1, 0, known.size - 2)
    way = (asked - known[before]) / (known[before + 1] - known[before])
    return before, np.clip(way, 0, 1)
