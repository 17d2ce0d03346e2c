"""The conveyor: from the rows of a scene to the finished rows of its map."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.allocation import keep_freed_memory
from rsfuse.learn.inference.arrays import Array, Arrays, Batch
from rsfuse.learn.inference.predictor import BATCH_CPU, Scores
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.inference.stitcher import Stitcher

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True)
class Strip:
    """Finished rows of a map, which hold until the next are asked for.

    Args:
        top: first row.
        scores: (K, h, W), one probability per class, or one value per band, on the predictor's device.
        sensors: (h, W), which sensors have data; 0 for none, and for what is not wanted.
        arrays: what the scores are.
    """

    top: int
    scores: Array
    sensors: NDArray[np.uint8]
    arrays: Arrays

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(h, W), true where the scene has data, and is wanted."""
        return self.sensors > 0


@dataclass
class Tally:
    """How many patches have passed, and how many of them had no data and were not scored."""

    passed: int = 0
    skipped: int = 0


class Conveyor:
    """Scores a covering of patches and stitches them.

    Args:
        predictors: the networks, whose scores are averaged on the device of the first; each sees the scene as its own
            scaler does.
        plan: the patches.
        batch_size: patches that go through a network together at most; those of one row of patches. Halved for good,
            with a warning, when memory does not suffice.
        blend: how overlaps are joined.
    """

    def __init__(
        self, predictors: Sequence[Scores], plan: Plan, *, batch_size: int = BATCH_CPU, blend: Blend = "hann"
    ) -> None:
        self._predictors, self._plan, self._blend = predictors, plan, blend
        self._batch_size = batch_size
        self._inputs = [_Inputs(each.arrays) for each in predictors]
        keep_freed_memory()

    def strips(self, rows: ScaledRows[Any], tally: Tally, progress: Progress | None = None) -> Iterator[Strip]:
        """Finished rows from top to bottom.

        Args:
            rows: of the scene, scaled by each predictor's scaler in turn.
            tally: counted up after every batch.
            progress: told (done, total) after every batch.
        """
        first, arrays = self._predictors[0], self._predictors[0].arrays
        stitcher = Stitcher(self._plan, first.outputs, self._blend, arrays)
        for row in range(len(self._plan.tops)):
            rows.go_to(row)
            for columns, scores in self._score(row, rows, tally):
                for column, each in zip(columns, scores, strict=True):
                    stitcher.add(row, column, each)
                if progress is not None:
                    progress(tally.passed, len(self._plan))
            for top, finished in stitcher.finish(row):
                yield Strip(top, finished, rows.sensors(top, top + finished.shape[1], *self._plan.columns), arrays)

    def _score(self, row: int, rows: ScaledRows[Any], tally: Tally) -> Iterator[tuple[list[int], Array]]:
        """Batches of a row of patches: which columns, and their scores (B, K, h, w)."""
        top, (height, width) = self._plan.tops[row], self._plan.size
        seen = [
            column
            for column, left in enumerate(self._plan.lefts)
            if rows.sensors(top, top + height, left, left + width).any()
        ]
        tally.skipped += len(self._plan.lefts) - len(seen)
        tally.passed += len(self._plan.lefts) - len(seen)
        while seen:
            batches = _shared_out(seen, self._batch_size)
            try:
                for columns in batches:
                    scores = self._mean(row, columns, rows)
                    tally.passed += len(columns)
                    yield columns, scores
                    seen = seen[len(columns) :]
            except MemoryError as error:
                self._halve(error)

    def _mean(self, row: int, columns: list[int], rows: ScaledRows[Any]) -> Array:
        """Mean of the predictors' scores (B, K, h, w)."""
        return self._predictors[0].arrays.mean(
            predictor.score(*inputs.of(rows, number, row, columns))
            for number, (predictor, inputs) in enumerate(zip(self._predictors, self._inputs, strict=True))
        )

    def _halve(self, error: MemoryError) -> None:
        if self._batch_size == 1:
            raise error
        self._batch_size //= 2
        _log.warning("not enough memory for a batch of %d: going on with %d", 2 * self._batch_size, self._batch_size)


class _Inputs:
    """Both inputs of the batches of one predictor."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._batches: list[Batch] = []

    def of(self, rows: ScaledRows[Any], scaler: int, row: int, columns: list[int]) -> list[Array]:
        """(B, channels, h, w) of each, where the predictor is."""
        batches = self._room(len(columns), rows.shapes(scaler))
        for patch, column in enumerate(columns):
            rows.copy_patch(scaler, row, column, [each.pixels[patch] for each in batches])
        return [each.sent(len(columns)) for each in batches]

    def _room(self, count: int, shapes: Sequence[tuple[int, int, int]]) -> list[Batch]:
        if not self._batches or len(self._batches[0].pixels) < count or not self._batches[0].is_free:
            self._batches = [self._arrays.batch(count, shape) for shape in shapes]
        return self._batches


def _shared_out(columns: list[int], most: int) -> list[list[int]]:
    """As few batches as can be, of sizes as alike as can be: a last one of one patch would waste the device."""
    count = -(-len(columns) // most)
    ends = [round(at * len(columns) / max(count, 1)) for at in range(count + 1)]
    return [columns[first:past] for first, past in pairwise(ends)]
