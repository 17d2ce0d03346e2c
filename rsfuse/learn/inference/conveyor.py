"""The conveyor: from the rows of a scene to the finished rows of its map."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.allocation import keep_freed_memory
from rsfuse.learn.inference.predictor import is_out_of_memory, mean_of
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.inference.stitcher import Stitcher

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

BATCH_CPU, BATCH_GPU = 4, 16
"""Patches that go through a network together, where the user names no number."""


class Scores(Protocol):
    """A network, awake on a device."""

    @property
    def device(self) -> torch.device:
        """Where it is."""

    @property
    def outputs(self) -> int:
        """K, how many numbers it gives for a pixel: the probability of each class, or the value of each band."""

    def score(self, first: Tensor, second: Tensor, /) -> Tensor:
        """Scores (B, K, h, w) of both inputs of B patches, on the device."""


@dataclass(frozen=True)
class Strip:
    """Finished rows of a map, which hold until the next are asked for.

    Args:
        top: first row.
        scores: (K, h, W), one probability per class, or one value per band, on the predictor's device.
        sensors: (h, W), which sensors have data; 0 for none, and for what is not wanted.
    """

    top: int
    scores: Tensor
    sensors: NDArray[np.uint8]

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
        predictors: the networks, whose scores are averaged; each sees the scene as its own scaler does.
        plan: the patches.
        batch_size: patches that go through a network together at most; those of one row of patches. Halved for good,
            with a warning, when memory does not suffice.
        blend: how overlaps are joined.
    """

    def __init__(self, predictors: Sequence[Scores], plan: Plan, *, batch_size: int = 4, blend: Blend = "hann") -> None:
        self._predictors, self._plan, self._blend = predictors, plan, blend
        self._batch_size = batch_size
        self._inputs = [_Inputs(each.device) for each in predictors]
        keep_freed_memory()

    def strips(self, rows: ScaledRows[Any], tally: Tally, progress: Progress | None = None) -> Iterator[Strip]:
        """Finished rows from top to bottom.

        Args:
            rows: of the scene, scaled by each predictor's scaler in turn.
            tally: counted up after every batch.
            progress: told (done, total) after every batch.
        """
        first = self._predictors[0]
        stitcher = Stitcher(self._plan, first.outputs, self._blend, first.device)
        for row in range(len(self._plan.tops)):
            rows.go_to(row)
            for columns, scores in self._score(row, rows, tally):
                for column, each in zip(columns, scores, strict=True):
                    stitcher.add(row, column, each)
                if progress is not None:
                    progress(tally.passed, len(self._plan))
            for top, finished in stitcher.finish(row):
                yield Strip(top, finished, rows.sensors(top, top + finished.shape[1], *self._plan.columns))

    def _score(self, row: int, rows: ScaledRows[Any], tally: Tally) -> Iterator[tuple[list[int], Tensor]]:
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
            except RuntimeError as error:
                self._halve(error)

    def _mean(self, row: int, columns: list[int], rows: ScaledRows[Any]) -> Tensor:
        """Mean of the predictors' scores (B, K, h, w)."""
        with torch.inference_mode():
            return mean_of(
                predictor.score(*inputs.of(rows, number, row, columns))
                for number, (predictor, inputs) in enumerate(zip(self._predictors, self._inputs, strict=True))
            )

    def _halve(self, error: RuntimeError) -> None:
        if self._batch_size == 1 or not is_out_of_memory(error):
            raise error
        self._batch_size //= 2
        _log.warning("not enough memory for a batch of %d: going on with %d", 2 * self._batch_size, self._batch_size)


class _Inputs:
    """Warm buffers for the batches of one predictor, channels last."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._buffers: list[Tensor] = []

    def of(self, rows: ScaledRows[Any], scaler: int, row: int, columns: list[int]) -> list[Tensor]:
        """Both inputs (B, channels, h, w) on the predictor's device."""
        inputs = self._make(len(columns), rows.shapes(scaler))
        for patch, column in enumerate(columns):
            rows.copy_patch(scaler, row, column, [each[patch] for each in inputs])
        return [each.to(self._device, non_blocking=True) for each in inputs]

    def _make(self, count: int, shapes: Sequence[tuple[int, int, int]]) -> list[Tensor]:
        if self._device.type == "cuda":  # pinned: copied while others are scored, and given back after that
            return [_channels_last(count, *each, pin_memory=True) for each in shapes]
        if not self._buffers or len(self._buffers[0]) < count:
            self._buffers = [_channels_last(count, *each) for each in shapes]
        return [each[:count] for each in self._buffers]


def _channels_last(count: int, channels: int, height: int, width: int, *, pin_memory: bool = False) -> Tensor:
    return torch.empty((count, height, width, channels), pin_memory=pin_memory).permute(0, 3, 1, 2)


def _shared_out(columns: list[int], most: int) -> list[list[int]]:
    """As few batches as can be, of sizes as alike as can be: a last one of one patch would waste the device."""
    count = -(-len(columns) // most)
    ends = [round(at * len(columns) / max(count, 1)) for at in range(count + 1)]
    return [columns[first:past] for first, past in pairwise(ends)]
