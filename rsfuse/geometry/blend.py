"""Blend weights: how much each patch of a plan has to say about each of its pixels.

A plan is a grid, so the weight of a pixel is the product of its row's and its column's. Along each axis the weights of
all patches sum to 1 at every place of the raster: what is added up needs no division, and a constant stays one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.plan import Plan, keeps

Blend = Literal["hann", "gaussian", "crop"]
Floats = NDArray[np.float32]

_SIGMA = 1 / 8  # of the gaussian, in sides of a patch


def blend_weights(plan: Plan, blend: Blend) -> tuple[Floats, Floats]:
    """Weights of the rows (R, h) of each row of patches, and of the columns (C, w) of each column of patches.

    Args:
        plan: the covering.
        blend: "crop" takes each pixel from the patch that answers for it; "hann" tapers patches towards the edges that
            they share with a neighbour, and "gaussian" away from their middle.
    """
    return (
        _axis_weights(plan.tops, plan.size[0], plan.rows, blend),
        _axis_weights(plan.lefts, plan.size[1], plan.columns, blend),
    )


def _axis_weights(starts: tuple[int, ...], size: int, wanted: tuple[int, int], blend: Blend) -> Floats:
    weights = _crop(starts, size, wanted) if blend == "crop" else _TAPERS[blend](starts, size)
    total = np.zeros(starts[-1] + size)
    for start, each in zip(starts, weights, strict=True):
        total[start : start + size] += each
    for start, each in zip(starts, weights, strict=True):
        each /= np.maximum(total[start : start + size], np.finfo(np.float64).tiny)
        each[: max(wanted[0] - start, 0)] = 0
        each[max(wanted[1] - start, 0) :] = 0
    return weights.astype(np.float32)


def _crop(starts: tuple[int, ...], size: int, wanted: tuple[int, int]) -> NDArray[np.float64]:
    weights = np.zeros((len(starts), size))
    for each, start, (first, past) in zip(weights, starts, keeps(starts, size, wanted), strict=True):
        each[first - start : past - start] = 1
    return weights


def _hann(starts: tuple[int, ...], size: int) -> NDArray[np.float64]:
    """1 in the middle; a quarter wave down over each overlap. Sampled between the pixels, so that no weight is 0."""
    weights = np.ones((len(starts), size))
    for at, (start, following) in enumerate(pairwise(starts)):
        overlap = start + size - following
        wave = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2
        weights[at, size - overlap :] *= wave[::-1]
        weights[at + 1, :overlap] *= wave
    return weights


def _gaussian(starts: tuple[int, ...], size: int) -> NDArray[np.float64]:
    away = (np.arange(size) - (size - 1) / 2) / (_SIGMA * size)
    return np.tile(np.exp(-(away**2) / 2), (len(starts), 1))


_TAPERS = {"hann": _hann, "gaussian": _gaussian}
