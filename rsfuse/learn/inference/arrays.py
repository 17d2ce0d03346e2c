"""What the conveyor does with arrays, whoever holds them: NumPy, or torch on one of its devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = Any
"""NumPy's, or a tensor; both are sliced, and written through slices, alike."""

Floats = NDArray[np.float32]


class Batch(Protocol):
    """Room for one input of a batch of patches, filled again and again."""

    @property
    def pixels(self) -> Floats:
        """(B, C, h, w), to be written."""

    @property
    def is_free(self) -> bool:
        """Whether it may be written again once `sent` has returned."""

    def sent(self, count: int) -> Array:
        """The first patches of it, where the network is."""


class Arrays(Protocol):
    """Arrays of one library on one device."""

    def batch(self, count: int, shape: tuple[int, int, int]) -> Batch:
        """Room for so many patches of (C, h, w), laid out as the network reads them fastest."""

    def zeros(self, shape: Sequence[int]) -> Array:
        """Float32."""

    def taken(self, values: Array) -> Array:
        """Values of any library, there."""

    def to_numpy(self, values: Array) -> NDArray[Any]:
        """Values from there; what is written into the array may be written into the values."""

    def mean(self, values: Iterable[Array]) -> Array:
        """Mean of arrays of one shape and any library; the first is written over."""

    def add_weighted(self, sums: Array, scores: Array, rows: Array, columns: Array) -> None:
        """Add scores (K, n, m), times the weights of their rows (n,) and columns (m,), to sums (K, n, m)."""

    def best(self, scores: Array) -> tuple[NDArray[np.uint8], Array]:
        """Index (h, W) of the best of scores (K, h, W), the first of equals, and that score (h, W), there."""

    def bytes(self, shares: Array, full: int) -> NDArray[np.uint8]:
        """Shares of 1 as numbers up to `full`, rounded."""

    def flipped(self, values: Array) -> Array:
        """Left and right have changed sides."""

    def turned(self, values: Array, turns: int) -> Array:
        """(..., h, w) after quarter turns to the left."""

    def resized(self, values: Array, size: tuple[int, int], *, antialias: bool) -> Array:
        """(B, C, h, w) at another size, bilinear by pixel areas."""
