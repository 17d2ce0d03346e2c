"""A map, written strip by strip into hidden parts and sealed at the end: a half-written map has no name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.disk import check_free, check_space, writing
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.map_parts import MapParts, checksum
from rsfuse.raster.opening import quiet
from rsfuse.raster.painted import category_names


class MapWriter:
    """The layers of a map on their way to the disk: strips from the top down, then sealed as cloud optimised GeoTIFFs.

    Class codes get a colour table and class names, and overviews in which the most frequent class of four pixels
    stands for them. Memory is one row of blocks, whatever the height.

    Args:
        layers: what is written; the first is the one that the map is known by.
        grid: where the pixels lie.
        asked: what the pixels depend on, as plain data: a run that was stopped is gone on with by asking for the same,
            and `rows` tells from where. None if that is not wanted; then nothing is left of one that was stopped.
        overwrite: replace files that are there, and parts of a run that asked for something else.

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
    ) -> None:
        self._layers, self._grid, self._sealed = layers, grid, False
        self._check_free(overwrite=True)
        self._parts = MapParts(layers, grid, asked, overwrite=overwrite)
        if self._parts.rows < grid.height:  # or some layers have their names: a run was stopped while it sealed
            try:
                self._check_free(overwrite=overwrite)
            except OutputError:
                self.close()
                raise
        self.rows = self._parts.rows
        """How many rows are there, from the top; those of an earlier run at first."""
        self.counts = np.zeros(256, np.int64)
        """Once sealed: how many pixels of each code the first layer has."""
        self.areas_m2 = np.zeros(256)
        """Once sealed: how much ground they cover; NaN where nobody can tell."""
        self._row_m2 = row_areas_m2(grid)
        height = min(BLOCK, grid.height)
        self._block = [np.zeros((len(each.bands), height, grid.width), each.dtype) for each in layers]

    @property
    def folder(self) -> Path:
        """Where the parts lie until the map is sealed."""
        return self._parts.folder

    @property
    def kept(self) -> int:
        """How many rows are on the disk for good."""
        return self._parts.rows

    def _check_free(self, *, overwrite: bool) -> None:
        for layer in self._layers:
            check_free(layer.path, overwrite=overwrite)

    def write(self, top: int, *rows: NDArray[Any]) -> None:
        """Take the next rows.

        Args:
            top: first row; strips come in order and leave no gap.
            rows: of each layer, (bands, h, W) or for one band (h, W), any h.

        Raises:
            OutputError: if the disk is full.
        """
        strips = [each if each.ndim == 3 else each[None] for each in rows]
        self._check(top, strips)
        for first in range(0, strips[0].shape[1], BLOCK):
            self._take([each[:, first : first + BLOCK] for each in strips])

    def _check(self, top: int, strips: Sequence[NDArray[Any]]) -> None:
        height = strips[0].shape[1] if strips else 0
        for layer, strip in zip(self._layers, strips, strict=True):
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
        """What is there by now, from the top down: the first row, and (bands, h, W) of each layer."""
        return self._parts.blocks()

    def seal(self) -> None:
        """Finish all layers and give them their names, the first at last; done at the end of a `with` as well.

        Raises:
            OutputError: if the disk is full.
        """
        if self._sealed:
            return
        if self.rows != self._grid.height:
            raise ValueError(f"{self.rows} rows of {self._grid.height} are there")
        finished = [self._join(at, layer) for at, layer in enumerate(self._layers)]
        for layer, path in reversed(list(zip(self._layers, finished, strict=True))):
            with writing(layer.path):
                if layer.legend is not None:
                    names = path.with_suffix(".aux.xml")
                    names.write_text(category_names(layer.legend), encoding="utf-8")
                    names.replace(layer.path.with_name(f"{layer.path.name}.aux.xml"))
                path.replace(layer.path)
        self._sealed = True

    def _join(self, at: int, layer: Layer) -> Path:
        source, target = self._parts.joined(at), self._parts.folder / f"{at}.cog.tif"
        with writing(layer.path):
            # a third for overviews, and another while they are in a file of their own
            check_space(layer.path, self._parts.size(at) * 5 // 3)
            # differences between class codes compress worse than the codes
            predictor = "NO" if layer.dtype == "uint8" else "YES"
            with quiet():
                rasterio.shutil.copy(source, target, **_COG, predictor=predictor, overview_resampling=layer.resampling)
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
                    counts = np.bincount(pixels.ravel(), minlength=256)
                    self.counts += counts
                    self.areas_m2 += counts * self._row_m2[rows.row_off : rows.row_off + rows.height].mean()
            levels = len(file.overviews(1))
        for level in range(levels):
            with quiet(), rasterio.open(path, OVERVIEW_LEVEL=level) as overview:
                for top in range(0, overview.height, BLOCK):
                    overview.read(window=Window(0, top, overview.width, min(BLOCK, overview.height - top)))

    def close(self) -> None:
        """Let go of the parts: they stay if somebody may go on with them, and the map is not sealed."""
        with suppress(OSError):
            self._parts.close(keep=not self._sealed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self.close()


_COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "blocksize": BLOCK,
    "overviews": "IGNORE_EXISTING",
    "bigtiff": "IF_SAFER",
    "num_threads": "ALL_CPUS",
}
