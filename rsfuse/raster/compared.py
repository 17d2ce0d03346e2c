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
from rsfuse.raster.map_layer import beside
from rsfuse.raster.opening import Closing, bound_cache

Codes = NDArray[np.uint8]

_CACHE_MB = 128  # every block is read once, and those in a halo twice
_AHEAD = 1  # strip that is read while another is looked at


@dataclass(frozen=True)
class Strip:
    """Rows of all files, and some above and below where the raster has them.

    Args:
        top: the first row that counts.
        inner: these rows in the arrays.
        labels: (h, W) codes, 255 where nobody said.
        mapped: (h, W) codes, 255 where the map has none.
        confidence: (h, W) how sure the map is, 254 of 254 entirely and 255 where it has no class; None where nobody
            wrote it beside the map.
        rival: (h, W) codes of another map of the place; None where there is none.
    """

    top: int
    inner: slice
    labels: Codes
    mapped: Codes
    confidence: Codes | None
    rival: Codes | None


class Compared(Closing):
    """A map and its labels, open for reading.

    Args:
        mapped: raster of class codes.
        labels: raster of class codes on any grid, or a file of polygons or points.
        legend: of both; None for the one that rsfuse wrote into the map.
        coding: what labels say the classes by; None for their codes, colours or names.
        field: attribute of polygons that says the class; None for the one that is obvious.
        on: whose grid counts; the other takes the nearest code. Polygons are burned on that of the map.
        rival: another map of the place.

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
        rival: Path | None = None,
    ) -> None:
        bound_cache(_CACHE_MB)
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
                says = coding or LabelCoding.of(self.legend)
                reference = PolygonLabels(labels, self.grid, coding=says, field=field, points=True)
                reference.check()
            elif reference is None:
                reference = opened.enter_context(Labels(labels, self.grid, coding=coding))
            self._labels = reference
            self._beside = {
                "confidence": self._opened_beside(beside(mapped, "confidence"), opened),
                "rival": self._opened_beside(rival, opened),
            }
            files = {"labels": self._labels, "mapped": self._mapped, **self._beside}
            self._readers = {
                name: (opened.enter_context(ThreadPoolExecutor(1, "reader")), file.read)
                for name, file in files.items()
                if file is not None
            }
            self._opened = opened.pop_all()

    def _opened_beside(self, path: Path | None, opened: ExitStack) -> Labels | None:
        return None if path is None or not path.exists() else opened.enter_context(Labels(path, self.grid))

    def read(self, window: Window) -> tuple[Codes, Codes]:
        """Codes (h, w) of labels and map in a window in whole pixels, 255 outside; not while `strips` are read."""
        return self._labels.read(window), self._mapped.read(window)

    def strips(self, rows: int, halo: int = 0) -> Iterator[Strip]:
        """So many rows at a time from the top down; each file is read ahead by a thread of its own.

        Args:
            rows: that count, in every strip.
            halo: more of them above and below.
        """
        height, width = self.grid.shape
        tops = range(0, height, rows)
        coming: deque[dict[str, Future[Codes]]] = deque()
        for at, top in enumerate(tops):
            while len(coming) <= _AHEAD and at + len(coming) < len(tops):
                start = tops[at + len(coming)]
                first, last = max(start - halo, 0), min(start + rows + halo, height)
                window = Window(0, first, width, last - first)
                coming.append({name: reader.submit(read, window) for name, (reader, read) in self._readers.items()})
            found = {name: part.result() for name, part in coming.popleft().items()}
            first = max(top - halo, 0)
            yield Strip(
                top,
                slice(top - first, min(top + rows, height) - first),
                found["labels"],
                found["mapped"],
                found.get("confidence"),
                found.get("rival"),
            )

    def close(self) -> None:
        """Let go of all files."""
        self._opened.close()
