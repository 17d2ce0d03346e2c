"""Stitching: scores of patches in, finished rows of the map out.

Cropping and blending are the same sum with other weights. Each patch adds `weight * score`, and a pixel is finished
when no later patch can reach it; then its sum is divided by the sum of its weights. Cropping weighs 1 where a patch
answers and 0 elsewhere; blending tapers each patch towards the edges it shares with a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.plan import Patch, Plan

Blend = Literal["crop", "hann"]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Strip:
    """Finished rows of a map.

    Args:
        top: first row.
        scores: (K, h, W), one score per class.
        valid: (h, W), true where a patch had data.
    """

    top: int
    scores: Floats
    valid: NDArray[np.bool_]


def patch_weights(plan: Plan, patch: Patch, blend: Blend) -> tuple[Floats, Floats]:
    """Weights of a patch's rows (h,) and columns (w,); their outer product weighs its pixels."""
    if blend == "crop":
        return (
            _crop_weights(patch.read.row_off, plan.size[0], patch.keep.row_off, patch.keep.height),
            _crop_weights(patch.read.col_off, plan.size[1], patch.keep.col_off, patch.keep.width),
        )
    return (
        _hann_weights(patch.read.row_off, plan.size[0], plan.tops),
        _hann_weights(patch.read.col_off, plan.size[1], plan.lefts),
    )


def _crop_weights(start: int, size: int, first: int, count: int) -> Floats:
    weights = np.zeros(size, np.float32)
    weights[first - start : first - start + count] = 1
    return weights


def _hann_weights(start: int, size: int, starts: tuple[int, ...]) -> Floats:
    """1 in the middle; a quarter wave down over each overlap. Sampled between the pixels, so that no weight is 0."""
    weights = np.ones(size, np.float32)
    at = starts.index(start)
    if at > 0:
        overlap = starts[at - 1] + size - start
        weights[:overlap] *= _quarter_wave(overlap)
    if at + 1 < len(starts):
        overlap = start + size - starts[at + 1]
        weights[size - overlap :] *= _quarter_wave(overlap)[::-1]
    return weights


def _quarter_wave(count: int) -> Floats:
    return np.sin(np.pi / 2 * (np.arange(count) + 0.5) / max(count, 1)).astype(np.float32) ** 2


class Stitcher:
    """Adds up the patches of one plan, in the plan's order, and hands out strips as they are finished.

    It holds (K + 1) x patch height x raster width floats, however tall the raster is.

    Args:
        plan: the covering whose patches come in.
        classes: K.
        blend: "crop" takes each pixel from the patch that answers for it; "hann" blends the overlaps.
    """

    def __init__(self, plan: Plan, classes: int, blend: Blend = "hann") -> None:
        self._plan, self._blend = plan, blend
        self._top = 0  # row of the map that row 0 of the sums stands for
        rows = min(plan.size[0], plan.shape[0])
        self._sums = np.zeros((classes, rows, plan.shape[1]), np.float32)
        self._weights = np.zeros((rows, plan.shape[1]), np.float32)
        self._valid = np.zeros((rows, plan.shape[1]), bool)

    def add(self, patch: Patch, scores: Floats | None, valid: NDArray[np.bool_] | None = None) -> Strip | None:
        """Take the scores of the next patch.

        Args:
            patch: the next one of the plan.
            scores: (K, h, w) at the patch's size, or None for a patch that nobody scored: its pixels get 0 from it.
            valid: (h, w), where the patch has data; None for everywhere.

        Returns:
            The rows that this patch finished, or None if its row of patches is not complete yet.
        """
        if scores is not None:
            self._accumulate(patch, scores, np.ones(self._plan.size, bool) if valid is None else valid)
        if patch.read.col_off != self._plan.lefts[-1]:
            return None
        later = [top for top in self._plan.tops if top > patch.read.row_off]
        return self._release(later[0] if later else self._plan.shape[0])

    def _accumulate(self, patch: Patch, scores: Floats, valid: NDArray[np.bool_]) -> None:
        rows, columns = patch_weights(self._plan, patch, self._blend)
        first_row, past_row = _support(rows, self._plan.shape[0] - patch.read.row_off)
        first_column, past_column = _support(columns, self._plan.shape[1] - patch.read.col_off)
        seen = np.s_[first_row:past_row, first_column:past_column]
        weight = np.outer(rows, columns)[seen]
        top, left = patch.read.row_off - self._top, patch.read.col_off
        here = np.s_[top + first_row : top + past_row, left + first_column : left + past_column]
        for total, score in zip(self._sums, scores, strict=True):  # class by class: the product stays in cache
            total[here] += score[seen] * weight
        self._weights[here] += weight
        self._valid[here] |= valid[seen]

    def _release(self, until: int) -> Strip:
        """Divide the rows before `until` by their weights, and move what is left to the top of the sums."""
        count = until - self._top
        weight = self._weights[:count]
        np.copyto(weight, 1, where=weight == 0)  # patches that nobody scored: 0 / 1
        strip = Strip(self._top, self._sums[:, :count] / weight, self._valid[:count].copy())
        for sums in (*self._sums, self._weights, self._valid):
            rest = sums.shape[0] - count
            sums[:rest] = sums[count:].copy()
            sums[rest:] = 0
        self._top = until
        return strip


def _support(weights: Floats, limit: int) -> tuple[int, int]:
    """First and past-the-last place where a weight is not 0 and lies inside the raster."""
    places = np.flatnonzero(weights)
    return int(places[0]), min(int(places[-1]) + 1, limit)
