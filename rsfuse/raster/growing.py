"""A raster that grows by rows of blocks: a run that was stopped is gone on with, and in the end it is one GeoTIFF."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import OutputError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.disk import check_space
from rsfuse.raster.draft import Content, Draft
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.map_parts import MapParts


class GrowingRaster:
    """A raster on its way to the disk, whose finished rows outlive the process.

    Args:
        path: of the finished file; what is there is replaced in one go.
        grid: where its pixels lie.
        content: of one type with a number for no data, in every band of a pixel or in none.
        asked: what the pixels depend on, as plain data: asking for the same goes on with a run that was stopped.
        overwrite: whether rows of a run that asked for something else may go.

    Raises:
        OutputError: if an earlier run asked for something else, or one is at work.
    """

    def __init__(
        self, path: Path, grid: Grid, content: Content, asked: Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        self._path, self._grid, self._content = path, grid, content
        dtype = cast(Any, np.dtype(content.dtype).name)
        layer = Layer(path, ("",) * content.count, dtype, nodata=content.nodata, packed=False)
        self._parts = MapParts([layer], grid, asked, overwrite=overwrite)
        self._check_space()
        self._sealed = False
        self.known = 0
        """Once sealed: how many pixels are data."""

    def _check_space(self) -> None:
        """Refuse to begin what the disk cannot hold: all rows, and at the end the finished file beside them."""
        content, (height, width) = self._content, self._grid.shape
        rest = np.dtype(content.dtype).itemsize * content.count * width * (height - self.rows)
        try:
            check_space(self._path, rest + content.most_bytes(self._grid))
        except OutputError as error:
            self._parts.close(keep=True)
            raise OutputError(f"{error}, {height:,} x {width:,} px", hint=error.hint) from error

    @property
    def folder(self) -> Path:
        """Where the rows lie until the raster is sealed; what else is put there goes with them."""
        return self._parts.folder

    @property
    def rows(self) -> int:
        """How many are there, from the top; those of an earlier run at first."""
        return self._parts.rows

    def missing(self) -> list[tuple[Span, Span]]:
        """Rows and columns of the blocks that are not there yet, row by row."""
        height, width = self._grid.shape
        return [
            ((top, min(top + BLOCK, height)), (left, min(left + BLOCK, width)))
            for top in range(self.rows, height, BLOCK)
            for left in range(0, width, BLOCK)
        ]

    def take(self, blocks: Iterable[NDArray[Any]], progress: Callable[[int, int], None]) -> None:
        """Put blocks on the disk for good, row by row, while the next are made.

        Args:
            blocks: (B, h, w) of each of `missing`, in that order, the number for no data where there is none.
            progress: told of blocks, those of an earlier run among them.

        Raises:
            OutputError: if the disk is full.
        """
        missing = self.missing()
        total = math.prod(-(-side // BLOCK) for side in self._grid.shape)
        done = total - len(missing)
        row: NDArray[Any] | None = None
        with ThreadPoolExecutor(1, "growing") as writer:
            pending: Future[None] | None = None
            for ((top, bottom), (left, right)), block in zip(missing, blocks, strict=True):
                if row is None:
                    row = np.empty((len(block), bottom - top, self._grid.width), block.dtype)
                row[:, :, left:right] = block
                if right == self._grid.width:
                    if pending is not None:
                        pending.result()
                    pending = writer.submit(self._parts.add, [row])
                    if row.nbytes > _MOST_AT_ONCE:
                        pending.result()
                    row = None
                done += 1
                progress(done, total)
            if pending is not None:
                pending.result()

    def seal(self) -> None:
        """Pack all rows, and give the file its name; done at the end of a `with` as well.

        Raises:
            OutputError: if the disk is full.
        """
        if self._sealed:
            return
        for left_over in self.folder.glob(f".{escape(self._path.name)}.*"):  # of a process killed while it sealed
            shutil.rmtree(left_over)
        with Draft(self._path, self._grid, self._content, self.folder) as draft:
            for top, (pixels,) in self._parts.blocks():
                for left in range(0, self._grid.width, _WIDE):
                    part = pixels[:, :, left : left + _WIDE]
                    window = Window(left, top, part.shape[2], part.shape[1])
                    valid = has_data(part, self._content.nodata)
                    self.known += int(valid.sum())
                    draft.write(window, part, valid)
        self._sealed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        except OutputError:
            kind = OutputError
            raise
        finally:
            # what was stopped, or found the disk full, may be gone on with; what is damaged will not be better
            keep = not self._sealed and kind is not None and not issubclass(kind, SceneError)
            more = any(each for pattern in ("*[!0-9-].tif", ".*.parts") for each in self.folder.glob(pattern))
            with suppress(OSError):
                self._parts.close(keep=keep, more=more)


def has_data(pixels: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Where pixels (B, h, w) are data: there, no band holds the number for no data."""
    if nodata is None:
        return np.ones(pixels.shape[1:], np.bool_)
    return np.asarray(~np.isnan(pixels).any(0) if np.isnan(nodata) else (pixels != nodata).all(0))


_WIDE = 4 * BLOCK  # columns that are written together
_MOST_AT_ONCE = 2**28  # bytes of a row of blocks of which two may be in memory
