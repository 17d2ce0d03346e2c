"""Samples: the patches that a graph and its network are compared on, scaled as in prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.plan import Plan, spread

T = TypeVar("T")
Number = TypeVar("Number", np.bool_, np.uint8, np.float32)
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SAMPLES = 8
"""Patches that are looked at, at most."""
NOISE = "noise"
"""What an agreement says of its samples where there was no image to look at."""

_LOOKS = 8  # along each axis of a scene: 64 patches at most are looked at to find those with most data


@dataclass(frozen=True)
class PatchSample:
    """One patch, as a network sees it.

    Args:
        images: both inputs, (C, h, w) each, as scaled as in prediction.
        valid: (h, w), true where there is data; what a network says elsewhere nobody reads.
        labels: (h, w) indices of classes, 255 for none; None where nobody knows.
    """

    images: tuple[Floats, Floats]
    valid: Mask
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class PatchSamples:
    """Patches of one origin.

    Args:
        told: where they come from, for people.
        patches: one at least, all of one size.
    """

    told: str
    patches: tuple[PatchSample, ...]


def places_in(plan: Plan) -> list[tuple[int, int]]:
    """Top and left of patches spread evenly over all of a plan, row by row."""
    return [(top, left) for top in spread(plan.tops, _LOOKS) for left in spread(plan.lefts, _LOOKS)]


def fullest(places: Sequence[T], data: Sequence[int], count: int = SAMPLES) -> list[T]:
    """The places with most data; evenly spread where more than so many have as much.

    Args:
        places: some at least.
        data: how many pixels of each have data.
        count: how many are taken at most; none without data.
    """
    least = max(sorted(data, reverse=True)[:count][-1], 1)
    return spread([place for place, pixels in zip(places, data, strict=True) if pixels >= least], count)


def filled_up(pixels: NDArray[Number], side: int, value: int = 0) -> NDArray[Number]:
    """Pixels (..., h, w) brought to a side by a number below and to the right; a larger image stays."""
    lacking = [(0, max(side - length, 0)) for length in pixels.shape[-2:]]
    return np.pad(pixels, [(0, 0)] * (pixels.ndim - 2) + lacking, constant_values=value)
