"""A map and what it is judged by, read together on one grid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.geometry.grid import Grid
from rsfuse.legend import Legend
from rsfuse.raster.drawn.polygon_labels import PolygonLabels
from rsfuse.raster.drawn.polygons import holds_polygons
from rsfuse.raster.labels import Labels
from rsfuse.raster.opening import Closing

Codes = NDArray[np.uint8]

_AHEAD = 2  # strips that are read while one is looked at


@dataclass(frozen=True)
class Strip:
    """Rows of both.

    Args:
        top: the first of them.
        labels: (h, W) codes, 255 where nobody said.
        mapped: (h, W) codes, 255 where the map has none.
    """

    top: int
    labels: Codes
    mapped: Codes


class Compared(Closing):
    """A map and its labels, open for reading.

    Args:
        mapped: raster of class codes.
        labels: raster of class codes on any grid, or a file of polygons or points.
        legend: of both; None for the one that rsfuse wrote into the map.
        coding: what labels say the classes by; None for their codes, colours or names.
        field: attribute of polygons that says the class; None for the one that is obvious.
        on: whose grid counts; the other takes the nearest code. Polygons are burned on that of the map.

    Raises:
        SceneError: if a file is missing or cannot serve.
        GridMismatchError: if they lie elsewhere than each other.
        LegendMismatchError: if the map does not say what its codes mean, and no legend was given.
    """

    def __init__(
        self,
        mapped: Path,
        labels: Path,
        *,
        legend: Legend | None = None,
        coding: LabelCoding | None = None,
        field: str | None = None,
        on: Literal["map", "labels"] = "map",
    ) -> None:
        self.paths = mapped, labels
        with ExitStack() as opened:
            drawn = holds_polygons(labels)
            reference: Labels | PolygonLabels | None = None
            if on == "labels" and not drawn:
                reference = opened.enter_context(Labels(labels, coding=coding))
            self._mapped = opened.enter_context(Labels(mapped, reference.grid if reference else None))
            self.grid: Grid = self._mapped.grid
            self.legend: Legend = legend or self._mapped.known_legend()
            if drawn:
                reference = PolygonLabels(labels, self.grid, coding=coding or LabelCoding.of(self.legend), field=field)
                reference.check()
            elif reference is None:
                reference = opened.enter_context(Labels(labels, self.grid, coding=coding))
            self._labels = reference
            self._readers = tuple(opened.enter_context(ThreadPoolExecutor(1, "reader")) for _ in self.paths)
            self._opened = opened.pop_all()

    def read(self, window: Window) -> tuple[Codes, Codes]:
        """Codes (h, w) of labels and map in a window in whole pixels, 255 outside; not while `strips` are read."""
        return self._labels.read(window), self._mapped.read(window)

    def strips(self, rows: int) -> Iterator[Strip]:
        """So many rows at a time from the top down; each file is read ahead by a thread of its own."""
        height, width = self.grid.shape
        windows = [Window(0, top, width, min(rows, height - top)) for top in range(0, height, rows)]
        coming: deque[list[Future[Codes]]] = deque()
        for at, window in enumerate(windows):
            while len(coming) <= _AHEAD and at + len(coming) < len(windows):
                each = windows[at + len(coming)]
                pair = zip(self._readers, (self._labels, self._mapped), strict=True)
                coming.append([reader.submit(file.read, each) for reader, file in pair])
            labels, mapped = (part.result() for part in coming.popleft())
            yield Strip(int(window.row_off), labels, mapped)

    def close(self) -> None:
        """Let go of both files."""
        self._opened.close()
