"""Stitching where the scores are: those of patches in, finished rows of the map out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.blend import Blend, blend_weights
from rsfuse.geometry.plan import Plan
from rsfuse.geometry.ring import Ring
from rsfuse.learn.inference.arrays import Array, Arrays


class Stitcher:
    """Adds up the weighted patches of one plan, row of patches by row of patches.

    It holds K x patch height x width floats, however tall the raster is, and touches no other memory.

    Args:
        plan: the covering whose patches come in.
        layers: K, of the scores: classes, or bands.
        blend: how overlaps are joined.
        arrays: what the scores of the patches are.
    """

    def __init__(self, plan: Plan, layers: int, blend: Blend, arrays: Arrays) -> None:
        self._plan, self._arrays = plan, arrays
        weights = blend_weights(plan, blend)
        self._row_weights, self._column_weights = (arrays.taken(each) for each in weights)
        self._supports = [[_support(each) for each in axis] for axis in weights]
        first, past = plan.columns
        self._ring = Ring(min(plan.size[0], plan.rows[1] - plan.rows[0]))
        self._sums = arrays.zeros((layers, self._ring.rows, past - first))
        self._done = plan.rows[0]

    def add(self, row: int, column: int, scores: Array) -> None:
        """Take a patch.

        Args:
            row: number of the plan's row of patches; those before it have been handed out.
            column: number of the plan's column of patches.
            scores: (K, h, w) at the patch's size.
        """
        (above, below), (before, after) = self._supports[0][row], self._supports[1][column]
        columns = self._column_weights[column, before:after]
        left = self._plan.lefts[column] - self._plan.columns[0]
        for here, there in self._ring.segments(self._plan.tops[row] + above, below - above):
            rows = self._row_weights[row, above + there.start : above + there.stop]
            seen = scores[:, above + there.start : above + there.stop, before:after]
            self._arrays.add_weighted(self._sums[:, here, left + before : left + after], seen, rows, columns)

    def finish(self, row: int) -> Iterator[tuple[int, Array]]:
        """Rows that are complete once a row of patches is in, from the top down.

        Yields:
            The first row, and scores (K, n, W): a view that holds until the next is asked for. Where nothing
            was added they are 0.
        """
        until = self._plan.tops[row + 1] if row + 1 < len(self._plan.tops) else self._plan.rows[1]
        count = until - self._done
        for here, there in self._ring.segments(self._done, count):
            finished = self._sums[:, here]
            yield self._done + there.start, finished
            finished[...] = 0
        self._done = max(until, self._done)


def _support(weights: NDArray[np.float32]) -> tuple[int, int]:
    """First and past-the-last place where a weight is not 0."""
    places = np.flatnonzero(weights)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
