"""NumPy's arrays as the conveyor handles them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.inference.arrays import Array, Floats


class NdBatch:
    """Room for patches, channel by channel.

    Args:
        count: of patches.
        shape: (C, h, w).
    """

    is_free = True

    def __init__(self, count: int, shape: tuple[int, int, int]) -> None:
        self.pixels: Floats = np.empty((count, *shape), np.float32)

    def sent(self, count: int) -> Floats:
        """See `Batch`."""
        return self.pixels[:count]


class NdArrays:
    """`Arrays` of NumPy."""

    def batch(self, count: int, shape: tuple[int, int, int]) -> NdBatch:
        """See `Arrays`."""
        return NdBatch(count, shape)

    def zeros(self, shape: Sequence[int]) -> Floats:
        """See `Arrays`."""
        return np.zeros(tuple(shape), np.float32)

    def taken(self, values: Array) -> NDArray[Any]:
        """See `Arrays`."""
        return np.asarray(values.cpu() if hasattr(values, "cpu") else values)

    def to_numpy(self, values: Array) -> NDArray[Any]:
        """See `Arrays`."""
        return np.asarray(values)

    def mean(self, values: Iterable[Array]) -> NDArray[Any]:
        """See `Arrays`."""
        each = iter(values)
        total, count = self.taken(next(each)), 1
        for count, other in enumerate(each, 2):  # noqa: B007
            total += self.taken(other)
        if count > 1:
            total /= np.float32(count)
        return total

    def add_weighted(self, sums: Array, scores: Array, rows: Array, columns: Array) -> None:
        """See `Arrays`."""
        weights = rows[:, None] * columns
        for total, each in zip(sums, scores, strict=True):  # one at a time stays in the cache
            total += each * weights

    def best(self, scores: Array) -> tuple[NDArray[np.uint8], Floats]:
        """See `Arrays`."""
        best: Floats = scores.max(0)
        # counted from the end, the first of equals is the largest: operations on bytes alone
        count, place = len(scores), np.ones(best.shape, np.uint8)
        for number, each in enumerate(scores):
            np.maximum(place, (each == best).view(np.uint8) * np.uint8(count - number), out=place)
        return np.uint8(count) - place, best

    def bytes(self, shares: Array, full: int) -> NDArray[np.uint8]:
        """See `Arrays`."""
        scaled = shares * np.float32(full)
        rounded: NDArray[np.uint8] = np.clip(np.rint(scaled, out=scaled), 0, full, out=scaled).astype(np.uint8)
        return rounded

    def flipped(self, values: Array) -> NDArray[Any]:
        """See `Arrays`."""
        return np.flip(values, -1)

    def turned(self, values: Array, turns: int) -> NDArray[Any]:
        """See `Arrays`."""
        return np.rot90(values, turns, (-2, -1))

    def resized(self, values: Array, size: tuple[int, int], *, antialias: bool) -> NDArray[Any]:
        """Nobody asks: what runs on NumPy's arrays takes patches of one size.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{values.shape} to {size}: exported networks take patches of one size")
