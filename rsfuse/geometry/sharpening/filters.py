"""Filters along rows and columns, each a pair of banded matrices.

Enlarging, low-passing and reducing are one operation: every pixel of the output takes what a kernel says from the
pixels of the input around its centre. As matrices they run at the speed of matrix products, for any ratio and offset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.kernels import Kernel

Image = NDArray[np.float32]
"""(B, h, w)."""

Span = tuple[int, int]
"""First, and past the last."""

_BLOCK = 64  # outputs along an axis whose matrix is filled at once: a wider one is mostly zeros


@dataclass(frozen=True)
class Axis:
    """What pixels along an axis of the output take from those of the input.

    Args:
        length: of the input.
        step: input pixels from one output pixel to the next: above 1 it reduces, below 1 it enlarges.
        first: where the centre of output pixel 0 lies, in input pixels from the centre of the first.
        kernel: weights by distance in input pixels.
    """

    length: int
    step: float
    first: float
    kernel: Kernel

    def needed(self, span: Span) -> Span:
        """The pixels of the input that some of the output depend on."""
        low = math.ceil(self.first + span[0] * self.step - self.kernel.reach)
        high = math.floor(self.first + (span[1] - 1) * self.step + self.kernel.reach)
        last = self.length - 1
        return min(max(low, 0), last), max(min(high, last), 0) + 1

    def matrix(self, span: Span) -> NDArray[np.float32]:
        """Weights (n, m) of the n pixels of a span from the m that it needs; each row sums to 1.

        Beyond the ends, the pixel at the end goes on.
        """
        return _matrix(self, span)


@lru_cache(maxsize=1024)
def _matrix(axis: Axis, span: Span) -> NDArray[np.float32]:
    low, high = axis.needed(span)
    reach = math.ceil(axis.kernel.reach)
    centres = axis.first + np.arange(*span) * axis.step
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 2)
    distance = taps - centres[:, None]
    weights = np.where(np.abs(distance) <= axis.kernel.reach, axis.kernel.at(distance), 0.0)
    weights /= weights.sum(1, keepdims=True)
    matrix = np.zeros((len(centres), high - low))
    np.add.at(matrix, (np.arange(len(centres))[:, None], np.clip(taps, low, high - 1) - low), weights)
    return matrix.astype(np.float32)


@dataclass(frozen=True)
class Filter:
    """A filter of images: the same kernel along rows and columns.

    Args:
        rows: from one row to the next.
        columns: from one column to the next.
    """

    rows: Axis
    columns: Axis

    def needed(self, rows: Span, columns: Span) -> tuple[Span, Span]:
        """Rows and columns of the input that some of the output depend on."""
        return self.rows.needed(rows), self.columns.needed(columns)

    def whole(self, image: Image, shape: tuple[int, int]) -> Image:
        """All of the output, (B, *shape), of all of the input (B, h, w)."""
        (top, bottom), (left, right) = self.needed((0, shape[0]), (0, shape[1]))
        return self(image[:, top:bottom, left:right], (0, shape[0]), (0, shape[1]))

    def __call__(self, image: Image, rows: Span, columns: Span) -> Image:
        """Some of the output.

        Args:
            image: (B, h, w), the input at the rows and columns that are needed for it, and no others.
            rows: of the output.
            columns: of the output.

        Returns:
            (B, rows, columns).
        """
        across = np.empty((*image.shape[:2], columns[1] - columns[0]), np.float32)
        start = self.columns.needed(columns)[0]
        for part in _parts(columns):
            low, high = (each - start for each in self.columns.needed(part))
            across[..., part[0] - columns[0] : part[1] - columns[0]] = (
                image[..., low:high] @ self.columns.matrix(part).T
            )
        filtered = np.empty((len(image), rows[1] - rows[0], across.shape[-1]), np.float32)
        start = self.rows.needed(rows)[0]
        for part in _parts(rows):
            low, high = (each - start for each in self.rows.needed(part))
            np.matmul(
                self.rows.matrix(part), across[:, low:high], out=filtered[:, part[0] - rows[0] : part[1] - rows[0]]
            )
        return filtered


def _parts(span: Span) -> list[Span]:
    """Short spans with ends that do not depend on where the whole one begins, so that few matrices are made."""
    return [
        (max(start, span[0]), min(start + _BLOCK, span[1]))
        for start in range(span[0] - span[0] % _BLOCK, span[1], _BLOCK)
    ]


def within(part: tuple[Span, Span], wide: tuple[Span, Span]) -> tuple[slice, slice]:
    """Where rows and columns lie in an array of wider ones."""
    rows, columns = (slice(low - first, high - first) for (low, high), (first, _) in zip(part, wide, strict=True))
    return rows, columns
