"""One raster, read on a grid: its own or another's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.footprint import check_overlap, overlap
from rsfuse.raster.native import NativeBands, alpha_bands
from rsfuse.raster.opening import Closing, open_plain, open_raster, reading
from rsfuse.raster.shifted import ShiftedBands, shifted
from rsfuse.raster.tiling.stored_blocks import StoredBlocks
from rsfuse.raster.warped import WarpedBands


class AlignedRaster(Closing):
    """The bands of one file, read window by window on a grid. One thread at a time.

    Args:
        path: any raster that GDAL reads.
        grid: where its pixels shall lie; None for where they lie in the file.
        bands: which to read, in this order, counted from 1; None for all but transparency.
        categorical: codes, which must not be mixed when they are brought to another grid.
        by_size: a file without a CRS lies on the grid if it has its size: for data sets that say so.

    Raises:
        SceneError: if the file is missing, not a raster, or lacks a band.
        GridMismatchError: if it lies elsewhere than the grid, or nobody can say where it lies.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid | None = None,
        *,
        bands: tuple[int, ...] | None = None,
        categorical: bool = False,
        by_size: bool = False,
    ) -> None:
        self.path = path
        with ExitStack() as opened:
            file = opened.enter_context(open_raster(path))
            own = Grid(file.crs, file.transform, file.shape)
            self.grid = grid or own
            if by_size and own.crs is None and own.shape == self.grid.shape:
                own = self.grid
            check_overlap(path, own, self.grid, has_gcps=bool(file.gcps[0]))
            self.bands: tuple[int, ...] = _choose_bands(path, file, bands)
            """Numbers of the bands that are read."""
            self.nodata: float | None = file.nodatavals[self.bands[0] - 1]
            """Number of the first of them for no data; None if it has none."""
            self.dtypes: tuple[str, ...] = tuple(file.dtypes[band - 1] for band in self.bands)
            self.names: tuple[str, ...] = tuple(file.descriptions[band - 1] or f"band {band}" for band in self.bands)
            self.units: tuple[str, ...] = tuple(file.units[band - 1] or "" for band in self.bands)
            self.block: tuple[int, int] = file.block_shapes[self.bands[0] - 1]
            """Rows and columns of the blocks in which the file is stored."""
            self.tags: dict[str, str] = {**file.tags(), **file.tags(self.bands[0])}
            alpha = tuple(band for band in alpha_bands(file) if band not in self.bands)
            self.transparent: tuple[int, ...] = alpha
            """Numbers of the bands that say where there is data, and are not read as data themselves."""
            if alpha != alpha_bands(file) or any(dtype.startswith("complex") for dtype in file.dtypes):
                file = opened.enter_context(open_plain(path, file))
            # two rasters without coordinates and of one shape are taken to coincide: nothing says otherwise
            self._in_place = self.grid.crs is None or own.matches(self.grid)
            self.overlap: float = 1.0 if self._in_place else overlap(own, self.grid)
            unsigned = all(np.issubdtype(dtype, np.unsignedinteger) for dtype in self.dtypes)
            native = NativeBands(file, self.bands, alpha=alpha, is_unsigned=unsigned)
            self._source = self._on_grid(native, own, opened, categorical=categorical)
            self._opened = opened.pop_all()

    def _on_grid(
        self, native: NativeBands, own: Grid, opened: ExitStack, *, categorical: bool
    ) -> NativeBands | ShiftedBands | WarpedBands:
        """The cheapest way to the same pixels."""
        if self._in_place:
            return native
        moved = shifted(native, own, self.grid, categorical=categorical)
        if moved is not None:
            return moved
        return opened.enter_context(WarpedBands(self.path, native, own, grid=self.grid, categorical=categorical))

    @property
    def is_gapless(self) -> bool:
        """Whether the file says of every pixel that it is data, and its numbers can be nothing else."""
        source = self._source
        whole = not any(np.issubdtype(dtype, np.floating) for dtype in self.dtypes)
        return whole and isinstance(source, NativeBands) and source.knows_no_gaps

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """A window that may hang over any edge of the grid, in whole pixels.

        Returns:
            pixels: (C, h, w), 0 where there is no data; beyond the edge the mirror image of what is inside.
            valid: (h, w), true where every band has data; false beyond the edge.

        Raises:
            SceneError: if the file is truncated or damaged.
        """
        return self._read(window, np.float32)

    def read_stored(self, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Like `read`, but the numbers as they stand in the file: in its type, float32 where they had to be mixed."""
        return self._read(window, self._source.dtype)

    def stored_blocks(self) -> StoredBlocks | None:
        """The file's blocks as they are packed; None where the grid is not its own."""
        return StoredBlocks(self.path, self.bands) if self._in_place else None

    def _read(self, window: Window, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        left, top = max(int(window.col_off), 0), max(int(window.row_off), 0)
        right = min(int(window.col_off + window.width), self.grid.width)
        bottom = min(int(window.row_off + window.height), self.grid.height)
        if right <= left or bottom <= top:
            raise ValueError(f"{window} lies outside a raster of {self.grid.height} x {self.grid.width} px")
        inside = Window(left, top, right - left, bottom - top)
        with reading(self.path, inside):
            pixels, valid = self._source.read(inside, dtype)
        if not valid.all():
            pixels[:, ~valid] = 0
        beyond = (
            (top - int(window.row_off), int(window.row_off + window.height) - bottom),
            (left - int(window.col_off), int(window.col_off + window.width) - right),
        )
        if not any(map(any, beyond)):
            return pixels, valid
        return np.pad(pixels, ((0, 0), *beyond), mode="reflect"), np.pad(valid, beyond)

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()


def _choose_bands(path: Path, file: DatasetReader, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """The bands to read. Who names a band gets it: many a file calls its near infrared transparency."""
    alpha = alpha_bands(file)
    bands = wanted or tuple(band for band in range(1, file.count + 1) if band not in alpha)
    missing = [band for band in bands if not 1 <= band <= file.count]
    if missing or not bands:
        told = f"no band {', '.join(map(str, missing))}" if missing else "none but transparency"
        raise SceneError(
            f"{path} has {file.count} band(s), there is {told} to read",
            hint=f"choose among: {', '.join(map(str, range(1, file.count + 1)))}",
        )
    return bands
