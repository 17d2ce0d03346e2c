"""Noise as a pure function of place: the same pixel gets the same value, whichever window it is computed in.

Integer hashes stand on lattices, and a smooth field is a product of three matrices (row weights, lattice, column
weights). Values and weights are whole multiples of 2^-16, so that in double precision the sums are exact and do not
depend on the order in which a BLAS adds.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Hashes = NDArray[np.uint32]

TILE = 1024
"""Period of the grain tile in pixels."""

_STEPS = 65536.0
_SPLINE_STD = 0.2766  # uniform(-1, 1) / sqrt(3) times the mean square of cubic B-spline weights, 0.479 per axis, rooted


@dataclass(frozen=True)
class Frame:
    """A rectangle of the endless ground of one seed.

    Args:
        seed: which ground.
        top: row of the first line; may be negative.
        left: column of the first sample; may be negative.
        height: lines.
        width: samples per line.
        step: pixels from one sample to the next.
    """

    seed: int
    top: int
    left: int
    height: int
    width: int
    step: int = 1

    @property
    def y(self) -> Floats:
        """(h, 1): rows of the pixel centres."""
        return (self.top + self.step * np.arange(self.height)[:, None] + 0.5).astype(np.float32)

    @property
    def x(self) -> Floats:
        """(1, w): columns of the pixel centres."""
        return (self.left + self.step * np.arange(self.width)[None] + 0.5).astype(np.float32)

    def inside(self, margin: int) -> Frame:
        """This frame without a ring of `margin` samples; a negative margin adds one."""
        ring = margin * self.step
        return Frame(
            self.seed,
            self.top + ring,
            self.left + ring,
            self.height - 2 * margin,
            self.width - 2 * margin,
            self.step,
        )

    def noise(self, name: str, period: int) -> Floats:
        """Smooth noise (h, w), mean 0, deviation near 1, nearly normal.

        Args:
            name: tells fields of the same period apart.
            period: pixels between the points of the lattice; features are about twice as wide.
        """
        first_row, row_weights = _spline_weights(self.top, self.height, self.step, period)
        first_column, column_weights = _spline_weights(self.left, self.width, self.step, period)
        rows = first_row + np.arange(row_weights.shape[1])
        columns = first_column + np.arange(column_weights.shape[1])
        hashes = hash_cells(self.seed, f"{name}/{period}", rows, columns)
        lattice = (hashes >> 15).astype(np.float64) / _STEPS - 1  # (m, n), multiples of 2^-16 from -1 to 1
        return ((row_weights @ (lattice @ column_weights.T)) / _SPLINE_STD).astype(np.float32)

    def grain(self) -> Floats:
        """Texture (h, w) of a few pixels, mean 0, deviation 1, repeating every 1024 pixels."""
        return self._of_tile(_grain_tile(self.seed))

    def sparks(self) -> Floats:
        """Independent values (h, w), uniform from 0 to 1, repeating every 1024 pixels."""
        return self._of_tile(_spark_tile(self.seed))

    def _of_tile(self, tile: Floats) -> Floats:
        top, left = self.top % TILE, self.left % TILE
        assert max(self.height, self.width) <= TILE
        return tile[top : top + self.height, left : left + self.width]


def mix(values: Hashes) -> Hashes:
    """Scramble integers so that neighbours have nothing in common (finaliser of MurmurHash3). Shape stays."""
    mixed = values ^ (values >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def hash_cells(seed: int, name: str, rows: NDArray[Any], columns: NDArray[Any]) -> Hashes:
    """Hashes (m, n) of the cells of an endless lattice, given their row (m,) and column (n,) numbers."""
    start = np.uint32(key(seed, name) & 0xFFFFFFFF)
    by_row = mix(rows.astype(np.int64).astype(np.uint32) ^ start)
    return mix(by_row[:, None] + columns.astype(np.int64).astype(np.uint32)[None] * np.uint32(0x9E3779B1))


def hash_places(rows: Floats, columns: Floats, start: Hashes | int = 0) -> Hashes:
    """Hashes of cells of which whole row and column numbers are given pixel by pixel. Shape stays."""
    by_column = mix(columns.astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1) + np.asarray(start, np.uint32))
    return mix(by_column + rows.astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA6B))


def unit(hashes: Hashes, shift: int) -> Floats:
    """Ten bits of each hash, from bit `shift` (0 to 22) on, as a number from 0 to 1. Shape stays."""
    return ((hashes >> np.uint32(shift)) & np.uint32(1023)).astype(np.float32) / np.float32(1023)


def key(seed: int, name: str) -> int:
    """A number of 64 bits that stands for a seed and a name."""
    text = f"{seed}:{name}".encode()
    return zlib.crc32(text) << 32 | zlib.crc32(text[::-1])


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers that belong to a seed and a name."""
    return np.random.Generator(np.random.Philox(key=key(seed, name)))


@lru_cache(maxsize=256)
def _spline_weights(start: int, count: int, step: int, period: int) -> tuple[int, NDArray[np.float64]]:
    """First lattice point and the cubic B-spline weights (count, points) of samples along one axis."""
    places = (start + step * np.arange(count) + 0.5) / period
    cells = np.floor(places).astype(np.int64)
    t = places - cells
    four = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    first = int(cells[0]) - 1
    weights = np.zeros((count, int(cells[-1]) - first + 3))
    columns = cells[:, None] - 1 - first + np.arange(4)
    np.put_along_axis(weights, columns, np.rint(four * _STEPS) / _STEPS, axis=1)
    return first, weights


@lru_cache(maxsize=4)
def _grain_tile(seed: int) -> Floats:
    """(2 TILE, 2 TILE): the tile four times over, so that any frame is one slice of it."""
    tile = generator(seed, "grain").standard_normal((TILE, TILE), dtype=np.float32)
    grain = np.zeros_like(tile)
    for reach in (1, 2, 4):  # ever coarser, each octave as strong as the one before
        for axis in (0, 1):
            tile = tile + 0.5 * (np.roll(tile, reach, axis) + np.roll(tile, -reach, axis))
        tile /= tile.std()
        grain += tile
    return np.tile(grain / grain.std(), (2, 2)).astype(np.float32)


@lru_cache(maxsize=4)
def _spark_tile(seed: int) -> Floats:
    return np.tile(generator(seed, "sparks").random((TILE, TILE), dtype=np.float32), (2, 2))
