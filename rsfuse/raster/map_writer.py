"""A map, written strip by strip into hidden parts and sealed at the end: a half-written map has no name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.asked import plain
from rsfuse.raster.cog import write_cog
from rsfuse.raster.disk import check_free, check_space, writing
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.map_parts import MapParts, checksum
from rsfuse.raster.opening import GDAL_ERRORS, quiet
from rsfuse.raster.painted import category_names, names_beside


class MapWriter:
    """The layers of a map on their way to the disk: strips from the top down, then sealed as cloud optimised GeoTIFFs.

    Class codes get a colour table and class names, and overviews in which the most frequent class of four pixels
    stands for them. Memory is one row of blocks, whatever the height.

    The parts go last, when a `with` has ended well: until then the same run can be gone on with, and what has its name
    by then is written again. A map that is finished knows what it was asked for, by a tag of its first layer.

    Args:
        layers: what is written; the first is the one that the map is known by.
        grid: where the pixels lie.
        asked: what the pixels depend on, as plain data: a run that was stopped is gone on with by asking for the same,
            and `rows` tells from where. None if that is not wanted; then nothing is left of one that was stopped.
        overwrite: replace files that are there, and parts of a run that asked for something else.
        drafts: layers that are kept beside the others until the map is sealed, for `blocks`, and become no files.
        beside: files that others write of this map once all rows are there; they may be taken when the layers may.

    Attributes:
        finished: whether the map was there already, asked for the same: there is nothing to write.

    Raises:
        OutputError: if a path is taken, its folder is missing, or an earlier run asked for something else.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        grid: Grid,
        *,
        asked: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        drafts: Sequence[Layer] = (),
        beside: Sequence[Path] = (),
    ) -> None:
        asked_for = {} if asked is None else {_ASKED_TAG: _digest(asked)}
        self._layers = [replace(layers[0], tags={**layers[0].tags, **asked_for}), *layers[1:]]
        self._all, self._grid = [*self._layers, *drafts], grid
        self._files = [*(layer.path for layer in layers), *beside]
        self._sealed = self._failed = self.finished = False
        self._check_free(overwrite=True)
        self._parts = MapParts(self._all, grid, asked, overwrite=overwrite)
        if self._parts.rows < grid.height:  # or some files have their names: a run was stopped while it sealed
            self.finished = not overwrite and asked is not None and self._is_finished()
            try:
                self._check_free(overwrite=overwrite or self.finished)
            except OutputError:
                self.close()
                raise
        self.rows = grid.height if self.finished else self._parts.rows
        """How many rows are there, from the top; those of an earlier run at first."""
        self.counts = np.zeros(256, np.int64)
        """Once sealed: how many pixels of each code the first layer has."""
        self.areas_m2 = np.zeros(256)
        """Once sealed: how much ground they cover; NaN where nobody can tell."""
        self._row_m2 = row_areas_m2(grid)
        height = min(BLOCK, grid.height)
        self._block = [np.zeros((len(each.bands), height, grid.width), each.dtype) for each in self._all]

    @property
    def folder(self) -> Path:
        """Where the parts lie until the map is sealed."""
        return self._parts.folder

    @property
    def kept(self) -> int:
        """How many rows are on the disk for good."""
        return self._parts.rows

    def _check_free(self, *, overwrite: bool) -> None:
        for path in self._files:
            check_free(path, overwrite=overwrite)

    def _is_finished(self) -> bool:
        """Whether all files are there, and the first layer says that it was asked for the same."""
        first = self._layers[0]
        try:
            with quiet(), rasterio.open(first.path) as file:
                same = file.tags().get(_ASKED_TAG) == first.tags[_ASKED_TAG] and file.shape == self._grid.shape
        except GDAL_ERRORS:
            return False
        return same and all(path.is_file() for path in self._files)

    def write(self, top: int, *rows: NDArray[Any]) -> None:
        """Take the next rows.

        Args:
            top: first row; strips come in order and leave no gap.
            rows: of each layer and then of each draft, (bands, h, W) or for one band (h, W), any h.

        Raises:
            OutputError: if the disk is full.
        """
        strips = [each if each.ndim == 3 else each[None] for each in rows]
        self._check(top, strips)
        for first in range(0, strips[0].shape[1], BLOCK):
            self._take([each[:, first : first + BLOCK] for each in strips])

    def _check(self, top: int, strips: Sequence[NDArray[Any]]) -> None:
        height = strips[0].shape[1] if strips else 0
        for layer, strip in zip(self._all, strips, strict=True):
            shape = (len(layer.bands), height, self._grid.width)
            if top != self.rows or strip.shape != shape or strip.dtype != layer.dtype:
                raise ValueError(f"a strip {strip.dtype} {strip.shape} at row {top}, after {self.rows} rows")
        if top + height > self._grid.height:
            raise ValueError(f"{top + height} rows for a map of {self._grid.height}")

    def _take(self, strips: Sequence[NDArray[Any]]) -> None:
        """At most a row of blocks: what completes one goes to the disk, the rest waits."""
        height, filled = strips[0].shape[1], self.rows % BLOCK
        taken = min(height, BLOCK - filled)
        for block, strip in zip(self._block, strips, strict=True):
            block[:, filled : filled + taken] = strip[:, :taken]
        self.rows += taken
        if self.rows % BLOCK == 0 or self.rows == self._grid.height:
            count = (self.rows - 1) % BLOCK + 1
            self._parts.add([block[:, :count] for block in self._block])
        if taken < height:
            self._take([strip[:, taken:] for strip in strips])

    def blocks(self) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """What is there by now, from the top down: the first row, and (bands, h, W) of each layer and draft.

        Of a map that was finished before, of the first layer alone.
        """
        return self._finished_blocks() if self.finished else self._parts.blocks()

    def _finished_blocks(self) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        path = self._layers[0].path
        try:
            with quiet(), rasterio.open(path) as file:
                for top in range(0, file.height, BLOCK):
                    yield top, [file.read(window=Window(0, top, file.width, min(BLOCK, file.height - top)))]
        except GDAL_ERRORS as error:
            raise OutputError(
                f"{path} is there, but cannot be read: {error}", hint="add --overwrite to map the scene again"
            ) from error

    def seal(self) -> None:
        """Finish all layers and give them their names, the first at last; done at the end of a `with` as well.

        Of a map that was finished before, its pixels are counted.

        Raises:
            OutputError: if the disk is full, or a map that was finished before cannot be read.
        """
        if self._sealed:
            return
        if self.finished:
            for top, (codes,) in self.blocks():
                self._count(top, codes[0])
            self._sealed = True
            return
        if self.rows != self._grid.height:
            raise ValueError(f"{self.rows} rows of {self._grid.height} are there")
        finished = [self._join(at, layer) for at, layer in enumerate(self._layers)]
        for layer, path in reversed(list(zip(self._layers, finished, strict=True))):
            with writing(layer.path):
                if layer.legend is not None:
                    names = path.with_suffix(".aux.xml")
                    names.write_text(category_names(layer.legend), encoding="utf-8")
                    names.replace(names_beside(layer.path))
                path.replace(layer.path)
        self._sealed = True

    def _join(self, at: int, layer: Layer) -> Path:
        source, target = self._parts.joined(at), self._parts.folder / f"{at}.cog.tif"
        with writing(layer.path):
            # a third for overviews, and another while they are in a file of their own
            check_space(layer.path, self._parts.size(at) * 5 // 3)
            # differences between class codes compress worse than the codes
            write_cog(source, target, resampling=layer.resampling, predictor=layer.dtype != "uint8")
            self._verify(at, target)
        return target

    def _verify(self, at: int, path: Path) -> None:
        """Read everything back: when GDAL closes a file on a full disk, nobody may hear of it."""
        with quiet(), rasterio.open(path) as file:
            for number, checksums in enumerate(self._parts.checksums):
                rows = Window(0, number * BLOCK, file.width, min(BLOCK, file.height - number * BLOCK))
                pixels = file.read(window=rows)
                if checksum(pixels) != checksums[at]:
                    raise OSError("what can be read is not what was written")
                if at == 0:
                    self._count(number * BLOCK, pixels[0])
            levels = len(file.overviews(1))
        for level in range(levels):
            with quiet(), rasterio.open(path, OVERVIEW_LEVEL=level) as overview:
                for top in range(0, overview.height, BLOCK):
                    overview.read(window=Window(0, top, overview.width, min(BLOCK, overview.height - top)))

    def _count(self, top: int, codes: NDArray[np.uint8]) -> None:
        """Count the pixels (h, W) of each code in some rows; in degrees, no row is as large as the next."""
        counts = np.stack([np.bincount(row, minlength=256) for row in codes])
        self.counts += counts.sum(0)
        self.areas_m2 += self._row_m2[top : top + len(codes)] @ counts

    def close(self) -> None:
        """Let go of the parts: they stay if somebody may go on with them, and not all is done."""
        with suppress(OSError):
            self._parts.close(keep=not self.finished and (self._failed or not self._sealed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._failed = kind is not None
        try:
            if kind is None:
                self.seal()
        finally:
            self.close()


def _digest(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain(asked), sort_keys=True).encode()).hexdigest()


_ASKED_TAG = "RSFUSE_ASKED"
