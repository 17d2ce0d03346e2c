"""Rows of a scene, scaled, ahead of need: reader threads fill a ring that the network takes its patches from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor

from rsfuse.geometry.plan import Plan
from rsfuse.geometry.ring import Ring
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.opening import Closing
from rsfuse.raster.scene import Sample

Read = Callable[[Window], Sample]

_PIECE_PX = 2**20  # a reader takes about so many pixels at a time
_LEAST_ROWS, _MOST_ROWS = 256, 1024  # a file whose blocks are taller is unpacked again and again, but memory stays


class ScaledRows(Closing):
    """The rows that a plan needs, read from the top down, every stored block once.

    It holds the rows of one row of patches, and those that readers fetch meanwhile: no more than its ring has room for.

    Args:
        reads: each gives the sample of a window, and is called by one thread at a time: one reader for each.
        scalers: of the scene; patches are to be had as each of them sees it.
        plan: the patches.
        block: rows and columns of the blocks in which the scene is stored; pieces end where blocks do.
        wanted: gives (h, w) which pixels of a window are wanted, or None for all; the network sees the others too.
    """

    def __init__(
        self,
        reads: Sequence[Read],
        scalers: Sequence[Scaler],
        plan: Plan,
        *,
        block: tuple[int, int] = (1, 1),
        wanted: Callable[[Window], NDArray[np.bool_] | None] = lambda window: None,
    ) -> None:
        self._scalers, self._plan, self._wanted = scalers, plan, wanted
        self._left = plan.lefts[0]
        self._pieces = deque(_pieces(plan, block))
        self._ring = Ring(ring_rows(plan, block))
        width = plan.lefts[-1] + plan.size[1] - self._left
        self._scaled = [
            tuple(
                np.zeros((len(bands), self._ring.rows, width), np.float32)
                for bands in (each.inputs.optical, each.inputs.sar)
            )
            for each in scalers
        ]
        self._patches = [tuple(map(torch.from_numpy, each)) for each in self._scaled]
        self._sensors = np.zeros((self._ring.rows, width), np.uint8)
        self._free: SimpleQueue[Read] = SimpleQueue()
        for read in reads:
            self._free.put(read)
        self._readers = ThreadPoolExecutor(len(reads), "reader")
        self._coming: deque[tuple[int, Future[None]]] = deque()
        self.go_to(0)

    def go_to(self, row: int) -> None:
        """Wait until all of a row of patches is there; the rows above it are given up, and others read in their place.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        top = self._plan.tops[row]
        while self._pieces and self._pieces[0][1] <= top + self._ring.rows:
            piece = self._pieces.popleft()
            self._coming.append((piece[0], self._readers.submit(self._fetch, *piece)))
        while self._coming and self._coming[0][0] < top + self._plan.size[0]:
            self._coming.popleft()[1].result()

    def sensors(self, first: int, past: int, left: int, right: int) -> NDArray[np.uint8]:
        """Which sensors count in rows that are there, between two columns of the raster; 0 for what is not wanted."""
        columns = slice(left - self._left, right - self._left)
        return np.concatenate([self._sensors[here, columns] for here, _ in self._ring.segments(first, past - first)])

    def copy_patch(self, scaler: int, row: int, column: int, optical: Tensor, sar: Tensor) -> None:
        """Write a patch of the row of patches that is there into tensors (C, h, w) and (S, h, w).

        Args:
            scaler: number of the one whose view of it is wanted.
            row: number of the plan's row of patches.
            column: number of the plan's column of patches.
            optical: where to.
            sar: where to.
        """
        left = self._plan.lefts[column] - self._left
        columns = slice(left, left + self._plan.size[1])
        for here, there in self._ring.segments(self._plan.tops[row], self._plan.size[0]):
            for target, scaled in zip((optical, sar), self._patches[scaler], strict=True):
                target[:, there] = scaled[:, here, columns]

    def close(self) -> None:
        """Stop reading."""
        self._readers.shutdown(cancel_futures=True)

    def _fetch(self, top: int, bottom: int, left: int, right: int) -> None:
        # numpy alone: torch would give each reader a team of OpenMP threads, and with more of them than cores those of
        # the network sleep between operations instead of waiting, which costs a network of small ones half its speed
        window, read = Window(left, top, right - left, bottom - top), self._free.get()
        try:
            sample = read(window)
        finally:
            self._free.put(read)
        columns = slice(left - self._left, right - self._left)
        for scaler, targets in zip(self._scalers, self._scaled, strict=True):
            for target, scaled in zip(targets, scaler(sample), strict=True):
                for here, there in self._ring.segments(top, bottom - top):
                    target[:, here, columns] = scaled[:, there]
        wanted = self._wanted(window)
        sensors = sample.sensors if wanted is None else sample.sensors * wanted
        for here, there in self._ring.segments(top, bottom - top):
            self._sensors[here, columns] = sensors[there]


def ring_rows(plan: Plan, block: tuple[int, int]) -> int:
    """How many rows are held: those of a row of patches, of the next step, and of the piece that both end in."""
    tallest = max(bottom - top for top, bottom, _, _ in _pieces(plan, block))
    return plan.size[0] + max((below - above for above, below in pairwise(plan.tops)), default=0) + tallest


def _pieces(plan: Plan, block: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Top, bottom, left and right of the windows that readers take, row by row; they end where blocks do.

    What hangs over an edge of the raster is in one piece with all that it mirrors.
    """
    rows = (plan.tops[0], plan.tops[-1] + plan.size[0])
    columns = (plan.lefts[0], plan.lefts[-1] + plan.size[1])
    height = block[0] * max(1, _LEAST_ROWS // block[0]) if block[0] <= _MOST_ROWS else _LEAST_ROWS
    width = block[1] * max(1, _PIECE_PX // (height * block[1]))
    for top, bottom in _cuts(rows, height, plan.shape[0]):
        for left, right in _cuts(columns, width, plan.shape[1]):
            yield top, bottom, left, right


def _cuts(ends: tuple[int, int], step: int, length: int) -> list[tuple[int, int]]:
    first, past = ends
    if past > length:  # hangs over, so the raster is no longer than a patch
        return [ends]
    places = [first, *range((first // step + 1) * step, past, step), past]
    return list(pairwise(places))
