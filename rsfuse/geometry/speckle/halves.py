"""The eight halves of a window of 7 x 7 pixels, each with the line through the middle, and which of them to look at.

An edge cuts a window in two. Its direction is that of the largest of four gradients, between means of 3 x 3 pixels,
and the half to look at is the one that is more like the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.speckle.window_sums import Floats, run_sums

HALVES = ("right", "left", "down", "up", "up right", "down left", "down right", "up left")
"""Where they lie from the middle; a half and its opposite follow each other."""

REACH = 3
"""Pixels from the middle of the window to its side."""

_SIDE = 2 * REACH + 1

# of the nine means, row by row: those that the gradient across an edge adds, those that it takes off
_GRADIENTS = (
    ((2, 5, 8), (0, 3, 6)),
    ((6, 7, 8), (0, 1, 2)),
    ((1, 2, 5), (3, 6, 7)),
    ((5, 7, 8), (0, 1, 3)),
)
# of the nine means: those that stand for the halves
_ENDS = ((5, 3), (7, 1), (2, 6), (8, 0))
_MIDDLE = 4


def chosen_half(means: Floats) -> NDArray[np.intp]:
    """Which of `HALVES` lies on the pixel's own side of an edge.

    Args:
        means: (9, N) of 3 x 3 pixels each, around N pixels, row by row from the upper left; neighbours are two pixels
            apart.

    Returns:
        (N,).
    """
    gradients = [np.abs(_total(means, plus) - _total(means, minus)) for plus, minus in _GRADIENTS]
    offsets = np.abs(means - means[_MIDDLE])
    farther = [offsets[toward] > offsets[away] for toward, away in _ENDS]
    direction = np.argmax(gradients, 0)
    return np.asarray(2 * direction + np.take_along_axis(np.array(farther), direction[None], 0)[0])


def half_sums(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Sums over each of `HALVES`: (h + 6, w + 6) becomes (h, w)."""
    upright = run_sums(run_sums(pixels, _SIDE, 0), REACH + 1, 1)
    yield upright[:, REACH:]
    yield upright[:, :-REACH]
    level = run_sums(run_sums(pixels, _SIDE, 1), REACH + 1, 0)
    yield level[REACH:]
    yield level[:-REACH]
    yield _triangle_sums(pixels, range(_SIDE - 1, -1, -1))
    yield _triangle_sums(pixels[::-1], range(_SIDE))[::-1]
    yield _triangle_sums(pixels[::-1], range(_SIDE - 1, -1, -1))[::-1]
    yield _triangle_sums(pixels, range(_SIDE))


def _triangle_sums(pixels: NDArray[Any], columns: range) -> NDArray[Any]:
    """Over half of the window: of its last row the first of some columns, of every row above it one more."""
    height, width = (length - _SIDE + 1 for length in pixels.shape)
    run = np.zeros((len(pixels), width), pixels.dtype)
    total = np.zeros((height, width), pixels.dtype)
    for row, column in zip(range(_SIDE - 1, -1, -1), columns, strict=True):
        run += pixels[:, column : column + width]
        total += run[row : row + height]
    return total


def _total(means: Floats, numbers: tuple[int, int, int]) -> Floats:
    first, second, third = numbers
    return np.asarray(means[first] + means[second] + means[third])
