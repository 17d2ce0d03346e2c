"""A raster on its way to the disk: windows in a hidden folder, and at the end one cloud optimised GeoTIFF."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import rasterio
from numpy.typing import DTypeLike, NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window

import rsfuse
from rsfuse.geometry.decibels import to_db, to_power
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.halving import averaged, halved
from rsfuse.legend import Legend
from rsfuse.raster.cog import DRAFT, write_cog, write_pyramid
from rsfuse.raster.described import describe_like
from rsfuse.raster.disk import check_space, writing
from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.native import alpha_bands
from rsfuse.raster.opening import open_raster, quiet
from rsfuse.raster.painted import category_names, names_beside, paint

_MOST_HALVES = BLOCK.bit_length() - 1  # of a row of blocks; a map of 262,144 px is then one block wide


class Band(NamedTuple):
    """What a raster says of a band: its name, and the unit of its numbers."""

    name: str
    unit: str = ""


@dataclass(frozen=True)
class Content:
    """What the pixels of a raster are.

    Args:
        count: of its bands.
        dtype: of its numbers.
        nodata: number for no data; None if none can be spared: then a mask tells.
        legend: what the numbers mean, if they are codes.
        like: a raster whose bands are called, measured and coloured alike; None if there is none.
        like_bands: of that raster; None for all but transparency.
        bands: where there is no such raster; overviews of those in dB are means of power.
        gapless: every pixel is data: it takes neither a number nor a mask.
        packed: becomes a cloud optimised GeoTIFF; else a plain one in blocks, without overviews.
        tags: what the file says of itself.
    """

    count: int
    dtype: DTypeLike
    nodata: float | None
    legend: Legend | None = None
    like: Path | None = None
    like_bands: tuple[int, ...] | None = None
    bands: tuple[Band, ...] = ()
    gapless: bool = False
    packed: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def most_bytes(self, grid: Grid) -> int:
        """That a draft on a grid takes while it becomes a file: the raster with overviews, and both once more."""
        size = np.dtype(self.dtype).itemsize * self.count * grid.height * grid.width
        return size * 8 // 3 if self.packed else size


class Draft:
    """A raster that is written window by window, and then sealed.

    Packing and writing happen in a thread of their own, one window behind, and overviews are made on the way.

    Args:
        path: of the finished file; what is there is replaced in one go.
        grid: where its pixels lie.
        content: see there.
        folder: on the same disk, in which it is hidden until it is finished; None for that of the path.

    Raises:
        OutputError: if the disk cannot hold it.
    """

    def __init__(self, path: Path, grid: Grid, content: Content, folder: Path | None = None) -> None:
        self._path, self._grid, self._content = path, grid, content
        with writing(path), ExitStack() as opened:
            check_space(path, content.most_bytes(grid))
            hidden = TemporaryDirectory(prefix=f".{path.name}.", dir=folder or path.parent)
            self._folder = Path(opened.enter_context(hidden))
            self._files = [opened.enter_context(self._create(level)) for level in range(self._halves() + 1)]
            self._describe(self._files[0])
            self._opened = opened.pop_all()
        self._in_db = [number for number, band in enumerate(content.bands) if band.unit == "dB"]
        self._writer = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._sealed = False

    def _halves(self) -> int:
        """How often it is halved until it is a block; a mask is not: GDAL makes such overviews in the end."""
        if self._is_masked or not self._content.packed:
            return 0
        return min((-(-max(self._grid.shape) // BLOCK) - 1).bit_length(), _MOST_HALVES)

    @property
    def _is_masked(self) -> bool:
        return self._content.nodata is None and not self._content.gapless

    def _create(self, level: int) -> DatasetWriter:
        content, grid = self._content, self._grid
        height, width = (-(-side // 2**level) for side in grid.shape)
        size = {"count": content.count, "height": height, "width": width, "dtype": content.dtype}
        place = {"crs": grid.crs, "transform": grid.transform, "nodata": content.nodata} if level == 0 else {}
        with quiet():
            return rasterio.open(self._folder / f"{level}.tif", "w", **DRAFT, **size, **place)

    def _describe(self, file: DatasetWriter) -> None:
        file.update_tags(TIFFTAG_SOFTWARE=f"rsfuse {rsfuse.__version__}", **self._content.tags)
        if self._content.legend is not None:
            paint(file, self._content.legend)
        elif self._content.like is not None:
            with open_raster(self._content.like) as like:
                transparent = alpha_bands(like)
                plain = tuple(band for band in like.indexes if band not in transparent)
                describe_like(file, like, self._content.like_bands or plain)
        elif self._content.bands:
            file.descriptions = [band.name for band in self._content.bands]
            file.units = [band.unit for band in self._content.bands]

    def write(self, window: Window, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Take a window whose edges are those of blocks or of the raster.

        Args:
            window: where.
            pixels: (B, h, w), the number for no data where there is none.
            valid: (h, w), which goes into a mask where there is no such number.

        Raises:
            OutputError: if the disk is full.
        """
        self._wait()
        self._pending = self._writer.submit(self._store, window, pixels, valid)

    def _wait(self) -> None:
        if self._pending is not None:
            with writing(self._path):
                self._pending.result()

    def _store(self, window: Window, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        if self._is_masked:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                self._files[0].write(pixels, window=window)
                self._files[0].write_mask(valid, window=window)
            return
        self._files[0].write(pixels, window=window)
        if self._in_db:  # the mean of decibels is none of what was measured
            pixels = pixels.copy()
            pixels[self._in_db] = to_power(pixels[self._in_db])
        for level, file in enumerate(self._files[1:], 1):
            if self._content.legend is not None:
                pixels = halved(pixels[0])[None]
            else:
                pixels, valid = averaged(pixels, valid, self._content.nodata)
            top, left = int(window.row_off) >> level, int(window.col_off) >> level
            file.write(self._shown(pixels), window=Window(left, top, pixels.shape[2], pixels.shape[1]))

    def _shown(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels of an overview as they are written: power as decibels again."""
        if not self._in_db:
            return pixels
        shown = pixels.copy()
        shown[self._in_db] = to_db(pixels[self._in_db])
        return shown

    def seal(self) -> None:
        """Pack all that was written, and give it its name; done at the end of a `with` as well.

        Raises:
            OutputError: if the disk is full.
        """
        if self._sealed:
            return
        self._wait()
        finished = self._folder / "finished.tif"
        names = names_beside(self._path)
        with writing(self._path):
            for file in self._files:
                file.close()
            if not self._content.packed:
                finished = self._folder / "0.tif"
            elif self._is_masked:
                write_cog(self._folder / "0.tif", finished, resampling="AVERAGE", predictor=True)
            else:
                levels = [Path(file.name) for file in self._files]
                write_pyramid(levels, finished, predictor=self._content.legend is None)
            if self._content.legend is None:
                names.unlink(missing_ok=True)  # of what was there before
            else:
                part = self._folder / "names.xml"
                part.write_text(category_names(self._content.legend), encoding="utf-8")
                part.replace(names)
            finished.replace(self._path)
        self._sealed = True

    def close(self) -> None:
        """Leave nothing unfinished; what was there before stays."""
        self._writer.shutdown()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self.close()
