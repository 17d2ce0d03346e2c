"""Rows of a scene, scaled, ahead of need: reader threads fill rings that the network takes its patches from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from math import lcm
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.plan import Plan
from rsfuse.geometry.ring import Ring
from rsfuse.raster.opening import Closing

Floats = NDArray[np.float32]


class Seen(Protocol):
    """What is read of a window."""

    @property
    def sensors(self) -> NDArray[np.uint8]:
        """(h, w), which sensors count in each pixel; 0 for none."""


SeenT = TypeVar("SeenT", bound=Seen)
SeenT_contra = TypeVar("SeenT_contra", bound=Seen, contravariant=True)
Read = Callable[[Window], SeenT]


class Scales(Protocol[SeenT_contra]):
    """Makes of what is read the two inputs of a network."""

    @property
    def channels(self) -> tuple[int, int]:
        """C and S, of the first and the second."""

    @property
    def ratio(self) -> int:
        """Pixels of the raster along the side of one of the second input; the first has those of the raster."""

    def __call__(self, sample: SeenT_contra, /) -> tuple[Floats, Floats]:
        """Inputs (C, h, w) and (S, h / ratio, w / ratio)."""


_PIECE_PX = 2**20  # a reader takes about so many pixels at a time
_LEAST_ROWS, _MOST_ROWS = 256, 1024  # a file whose blocks are taller is unpacked again and again, but memory stays


class ScaledRows(Closing, Generic[SeenT]):
    """The rows that a plan needs, read from the top down, every stored block once.

    It holds the rows of one row of patches, and those that readers fetch meanwhile: no more than its ring has room for.

    Args:
        reads: each gives what is seen of a window, and is called by one thread at a time: one reader for each.
        scalers: of the scene; patches are to be had as each of them sees it. The plan's patches begin at multiples of
            their ratio, and are one wide.
        plan: the patches.
        block: rows and columns of the blocks in which the scene is stored; pieces end where blocks do, as far as the
            ratio lets them.
        wanted: gives (h, w) which pixels of a window are wanted, or None for all; the network sees the others too.
    """

    def __init__(
        self,
        reads: Sequence[Read[SeenT]],
        scalers: Sequence[Scales[SeenT]],
        plan: Plan,
        *,
        block: tuple[int, int] = (1, 1),
        wanted: Callable[[Window], NDArray[np.bool_] | None] = lambda window: None,
    ) -> None:
        self._scalers, self._plan, self._wanted = scalers, plan, wanted
        ratio = lcm(*(each.ratio for each in scalers))
        block = lcm(block[0], ratio), lcm(block[1], ratio)
        self._left = plan.lefts[0]
        self._pieces = deque(_pieces(plan, block))
        self._ring = Ring(ring_rows(plan, block))
        width = plan.lefts[-1] + plan.size[1] - self._left
        self._inputs = [
            [
                _Input(channels, own, size=(self._ring.rows, width), left=self._left)
                for channels, own in zip(each.channels, (1, each.ratio), strict=True)
            ]
            for each in scalers
        ]
        self._sensors = np.zeros((self._ring.rows, width), np.uint8)
        self._free: SimpleQueue[Read[SeenT]] = SimpleQueue()
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

    def shapes(self, scaler: int) -> list[tuple[int, int, int]]:
        """(channels, rows, columns) of both inputs of a patch, as a scaler makes them."""
        return [each.shape(self._plan.size) for each in self._inputs[scaler]]

    def copy_patch(self, scaler: int, row: int, column: int, targets: Sequence[Floats]) -> None:
        """Write a patch of the row of patches that is there.

        Args:
            scaler: number of the one whose view of it is wanted.
            row: number of the plan's row of patches.
            column: number of the plan's column of patches.
            targets: two arrays of those `shapes`.
        """
        (height, width), top, left = self._plan.size, self._plan.tops[row], self._plan.lefts[column]
        for each, target in zip(self._inputs[scaler], targets, strict=True):
            each.copy(Window(left, top, width, height), target)

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
        for scaler, inputs in zip(self._scalers, self._inputs, strict=True):
            for each, pixels in zip(inputs, scaler(sample), strict=True):
                each.write(window, pixels)
        wanted = self._wanted(window)
        sensors = sample.sensors if wanted is None else sample.sensors * wanted
        columns = slice(left - self._left, right - self._left)
        for here, there in self._ring.segments(top, bottom - top):
            self._sensors[here, columns] = sensors[there]


class _Input:
    """Rows of one input of a network, in a ring.

    Args:
        channels: of the input.
        ratio: pixels of the raster along the side of one of the input; all windows begin and end at multiples of it.
        size: rows and columns of the raster that it has room for.
        left: first column of the raster.
    """

    def __init__(self, channels: int, ratio: int, *, size: tuple[int, int], left: int) -> None:
        self._channels, self._ratio, self._left = channels, ratio, left
        self._ring = Ring(size[0] // ratio)
        self._pixels = np.zeros(self.shape(size), np.float32)

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """(channels, rows, columns) of so many rows and columns of the raster."""
        return self._channels, size[0] // self._ratio, size[1] // self._ratio

    def write(self, window: Window, pixels: Floats) -> None:
        """Take what was made of a window."""
        rows, columns = self._places(window)
        for here, there in rows:
            self._pixels[:, here, columns] = pixels[:, there]

    def copy(self, window: Window, target: Floats) -> None:
        """Write what is held of a window into an array."""
        rows, columns = self._places(window)
        for here, there in rows:
            for channel, held in zip(target, self._pixels, strict=True):  # NumPy is slow to turn three axes at once
                channel[there] = held[here, columns]

    def _places(self, window: Window) -> tuple[Iterator[tuple[slice, slice]], slice]:
        """Where the rows of a window lie, here and there, and where its columns lie."""
        top, left, height, width = (
            each // self._ratio for each in (window.row_off, window.col_off - self._left, window.height, window.width)
        )
        return self._ring.segments(top, height), slice(left, left + width)


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
    within = min(past, 2 * length - past)  # what hangs over mirrors as much, and is in one piece with it
    places = [first, *range((first // step + 1) * step, within, step), past]
    return list(pairwise(places))
