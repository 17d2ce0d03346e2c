"""Blobs: roundish things that stand one per cell of a lattice (lakes, towns, villages, quarries)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate.noise import Floats, Frame, hash_cells

FAR = np.float32(-9)
"""Depth where no blob is near: no noise lifts it to 0."""


@dataclass(frozen=True)
class Blobs:
    """How one kind of blob is strewn over the ground.

    Args:
        name: tells two kinds apart.
        cell: side of the lattice in pixels; a cell holds one blob at most.
        presence: share of the cells that hold one.
        radius: smallest and largest mean radius in pixels.
        jitter: how far from the middle of its cell a blob may stand, as a share of the cell's side.
        ragged: how far a noise of deviation 1 moves the outline, as a share of the radius.
    """

    name: str
    cell: int
    presence: float
    radius: tuple[float, float]
    jitter: float = 0.8
    ragged: float = 0.3

    @property
    def reach(self) -> float:
        """How far from its centre a blob can be seen, in pixels: noise stays within three deviations or so."""
        return 1.3 * self.radius[1] * (1 + 3 * self.ragged)

    def depth(self, frame: Frame, rough: Floats) -> Floats:
        """How deep inside a blob each pixel lies: 1 at a centre, 0 on the outline, about -9 far away.

        Args:
            frame: where.
            rough: (h, w) noise of deviation 1 that frays the outlines.
        """
        depth = np.full((frame.height, frame.width), FAR, np.float32)
        rows = self._cells(frame.top, frame.height)
        columns = self._cells(frame.left, frame.width)
        draws = [hash_cells(frame.seed, f"{self.name}/{draw}", rows, columns) / 2**32 for draw in range(6)]
        there = draws[0] < self.presence
        for at, draw in zip(np.argwhere(there), np.stack(draws, axis=-1)[there].tolist(), strict=True):
            self._stamp(depth, frame, (int(rows[at[0]]), int(columns[at[1]])), draw)
        depth += np.float32(self.ragged) * rough
        return depth

    def _cells(self, start: int, count: int) -> NDArray[np.int64]:
        first = math.floor((start - self.reach) / self.cell)
        return np.arange(first, math.floor((start + count + self.reach) / self.cell) + 1)

    def _stamp(self, depth: Floats, frame: Frame, cell: tuple[int, int], draw: list[float]) -> None:
        """Raise the depth around the blob of one cell to that of an ellipse."""
        _, down, right, size, stretch, turn = draw
        y = (cell[0] + 0.5 + self.jitter * (down - 0.5)) * self.cell
        x = (cell[1] + 0.5 + self.jitter * (right - 0.5)) * self.cell
        rows = slice(*(max(int(y + side - frame.top), 0) for side in (-self.reach, self.reach)))
        columns = slice(*(max(int(x + side - frame.left), 0) for side in (-self.reach, self.reach)))
        seen = depth[rows, columns]
        if not seen.size:
            return
        radius = self.radius[0] + (self.radius[1] - self.radius[0]) * size**2  # small ones are more common
        wide, angle = 1 + 0.3 * stretch, math.pi * turn
        # rounded from the absolute distance, so that it is the same in every frame
        dy = (np.arange(seen.shape[0]) + (frame.top + rows.start) + 0.5 - y).astype(np.float32)[:, None]
        dx = (np.arange(seen.shape[1]) + (frame.left + columns.start) + 0.5 - x).astype(np.float32)[None]
        along = (dx * np.float32(math.cos(angle)) + dy * np.float32(math.sin(angle))) * np.float32(1 / wide)
        across = (dy * np.float32(math.cos(angle)) - dx * np.float32(math.sin(angle))) * np.float32(wide)
        np.maximum(seen, 1 - np.sqrt(along**2 + across**2) * np.float32(1 / radius), out=seen)
