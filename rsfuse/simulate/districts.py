"""Districts: the skewed blocks of a few hundred metres between minor roads, and the plots inside them.

A district is a cell of a warped brick lattice, so that its borders bend and meet in T junctions. Everything that
people lay out (fields, streets, houses) follows the direction of its district.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate.noise import Floats, Frame, Hashes, generator, hash_cells, mix, unit

Scalar = TypeVar("Scalar", bound=np.generic)

SIDE = 230.0
"""Side of a district in pixels."""


@dataclass(frozen=True)
class Districts:
    """The districts under one frame.

    Args:
        frame: where.
        right: (h, w) pixels from the left border of the pixel's district.
        down: (h, w) pixels from its upper border.
        index: (h, w) which row of the tables below belongs to the pixel.
        hashes: (n,) one per district.
    """

    frame: Frame
    right: Floats
    down: Floats
    index: NDArray[np.intp]
    hashes: Hashes

    @classmethod
    def under(cls, frame: Frame) -> Districts:
        """Lay out the districts under a frame."""
        across, along = turned(frame, "districts")
        across = across + 34 * frame.noise("across", 330)
        along = along + 34 * frame.noise("along", 330)
        row = np.floor(along * np.float32(1 / SIDE))
        down = along - row * np.float32(SIDE)
        rows = np.arange(row.min(), row.max() + 1)
        slide = hash_cells(frame.seed, "bricks", rows, np.zeros(1))[:, 0] / 2**32 * SIDE
        row_index = (row - rows[0]).astype(np.intp)
        across += slide.astype(np.float32).take(row_index)
        column = np.floor(across * np.float32(1 / SIDE))
        right = across - column * np.float32(SIDE)
        columns = np.arange(column.min(), column.max() + 1)
        row_index *= len(columns)
        row_index += (column - columns[0]).astype(np.intp)
        return cls(frame, right, down, row_index, hash_cells(frame.seed, "district", rows, columns).ravel())

    @cached_property
    def plots(self) -> tuple[Floats, Floats]:
        """(h, w) each: pixels along and across the direction in which the district is laid out."""
        angle = (unit(self.hashes, 3) - np.float32(0.5)) * np.float32(1.2)
        # the sine from the cosine: together they must turn, not stretch
        cosine, sine = np.cos(angle).take(self.index), np.sin(angle).take(self.index)
        return self.right * cosine + self.down * sine, self.down * cosine - self.right * sine

    def of(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Spread a table (n,) over the pixels (h, w)."""
        return values.take(self.index)

    def parcels(self) -> Hashes:
        """Hashes (h, w) of the fields: strips of uneven length, side by side."""
        along, across = self.plots
        height = np.float32(6) + np.float32(15) * unit(self.hashes, 12)
        width = np.float32(16) + np.float32(60) * unit(self.hashes, 22) ** 2
        strip = np.floor(across * self.of(1 / height)).astype(np.int32).view(np.uint32)
        strips = mix(strip * np.uint32(0x9E3779B1) + self.of(self.hashes))
        slide = (strips >> np.uint32(20)).astype(np.float32) * np.float32(1 / 4096)
        place = np.floor(along * self.of(1 / width) + slide).astype(np.int32).view(np.uint32)
        return mix(place * np.uint32(0x9E3779B1) + strips)

    def roads(self, width: float) -> NDArray[np.bool_]:
        """Where (h, w) a minor road runs: along the upper and the left border of most districts."""
        above = np.where(unit(self.hashes, 5) < 0.75, np.float32(width), np.float32(0))
        beside = np.where(unit(self.hashes, 14) < 0.75, np.float32(width), np.float32(0))
        return (self.down < self.of(above)) | (self.right < self.of(beside))


def turned(frame: Frame, name: str) -> tuple[Floats, Floats]:
    """Coordinates (h, w) each, turned by an angle that belongs to the seed and the name."""
    rng = generator(frame.seed, name)
    angle, shifts = rng.uniform(0, math.pi), rng.uniform(0, 4096, 2)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    x, y = frame.x, frame.y
    return x * cosine + y * sine + np.float32(shifts[0]), y * cosine - x * sine + np.float32(shifts[1])
