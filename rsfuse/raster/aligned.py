"""One raster, read on a grid: its own or another's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.footprint import check_overlap, coarseness, overlap
from rsfuse.raster.opening import GDAL_ERRORS, Closing, open_plain, open_raster, reading
from rsfuse.raster.tiling.stored_blocks import StoredBlocks

_TOLERANCE_PX = 0.01  # of the warp; GDAL's own 0.125 px would show where two windows meet
_AVERAGE_BEYOND = 2.0  # bilinear looks at two pixels a side: coarser than that, it would skip some (aliasing)


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
            self._bands = _choose_bands(path, file, bands)
            self.dtypes: tuple[str, ...] = tuple(file.dtypes[band - 1] for band in self._bands)
            self._unsigned = all(np.issubdtype(dtype, np.unsignedinteger) for dtype in self.dtypes)
            self.names: tuple[str, ...] = tuple(file.descriptions[band - 1] or f"band {band}" for band in self._bands)
            self.units: tuple[str, ...] = tuple(file.units[band - 1] or "" for band in self._bands)
            self.block: tuple[int, int] = file.block_shapes[self._bands[0] - 1]
            """Rows and columns of the blocks in which the file is stored."""
            self.tags: dict[str, str] = {**file.tags(), **file.tags(self._bands[0])}
            self._alpha = tuple(band for band in _alpha_bands(file) if band not in self._bands)
            if self._alpha != _alpha_bands(file) or any(dtype.startswith("complex") for dtype in file.dtypes):
                file = opened.enter_context(open_plain(path, file))
            # two rasters without coordinates and of one shape are taken to coincide: nothing says otherwise
            self._in_place = self.grid.crs is None or own.matches(self.grid)
            self.overlap: float = 1.0 if self._in_place else overlap(own, self.grid)
            self._source = file if self._in_place else opened.enter_context(self._warp(file, own, categorical))
            self._opened = opened.pop_all()

    def _warp(self, file: DatasetReader, own: Grid, categorical: bool) -> WarpedVRT:
        columns, rows = coarseness(self.grid, own)
        # dB or power, nobody says; between neighbours the mean of dB is near enough to the dB of the mean
        smooth = Resampling.average if max(columns, rows) > _AVERAGE_BEYOND else Resampling.bilinear
        try:
            return WarpedVRT(
                file,
                crs=self.grid.crs,
                transform=self.grid.transform,
                height=self.grid.height,
                width=self.grid.width,
                resampling=Resampling.nearest if categorical else smooth,
                tolerance=_TOLERANCE_PX,
                dtype="float32",
                nodata=np.nan,  # unlike any number of the file, NaN cannot be meant for a value
                src_nodata=file.nodata,
                UNIFIED_SRC_NODATA="YES" if self._unsigned else "NO",  # see _validity
                # else GDAL derives the width of its kernel from each window anew, and windows do not meet
                XSCALE=1 / max(columns, 1),
                YSCALE=1 / max(rows, 1),
            )
        except GDAL_ERRORS as error:
            raise GridMismatchError(
                f"{self.path} cannot be brought to the grid of the optical: {error}",
                hint="reproject it first, for example with gdalwarp",
            ) from error

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
        """Like `read`, but the numbers as they stand in the file: in its type, float32 where a warp has mixed them."""
        return self._read(window, self._source.dtypes[self._bands[0] - 1])

    def stored_blocks(self) -> StoredBlocks | None:
        """The file's blocks as they are packed; None where the grid is not its own."""
        return StoredBlocks(self.path, self._bands) if self._in_place else None

    def _read(self, window: Window, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        left, top = max(int(window.col_off), 0), max(int(window.row_off), 0)
        right = min(int(window.col_off + window.width), self.grid.width)
        bottom = min(int(window.row_off + window.height), self.grid.height)
        if right <= left or bottom <= top:
            raise ValueError(f"{window} lies outside a raster of {self.grid.height} x {self.grid.width} px")
        inside = Window(left, top, right - left, bottom - top)
        with reading(self.path, inside):
            pixels = self._source.read(self._bands, window=inside, out_dtype=dtype)
            valid = self._validity(pixels, inside)
        if not valid.all():
            pixels[:, ~valid] = 0
        beyond = (
            (top - int(window.row_off), int(window.row_off + window.height) - bottom),
            (left - int(window.col_off), int(window.col_off + window.width) - right),
        )
        if not any(map(any, beyond)):
            return pixels, valid
        return np.pad(pixels, ((0, 0), *beyond), mode="reflect"), np.pad(valid, beyond)

    def _validity(self, pixels: NDArray[Any], inside: Window) -> NDArray[np.bool_]:
        valid = np.ones(pixels.shape[1:], np.bool_)
        if np.issubdtype(pixels.dtype, np.floating):
            valid = np.isfinite(pixels).all(0)
        if not self._in_place:  # the warp has left NaN wherever it found no data
            return valid
        masks = self._masks(pixels, inside)
        if masks:
            # Unsigned numbers have none to spare for "no data": a dark lake may be 0 in one band. Only all bands tell.
            valid &= np.any(masks, axis=0) if self._unsigned else np.all(masks, axis=0)
        for band in self._alpha:
            valid &= np.asarray(self._source.read(band, window=inside) > 0)
        return valid

    def _masks(self, pixels: NDArray[Any], inside: Window) -> list[NDArray[np.bool_]]:
        """Where each band has data; nothing if the file knows no pixel without."""
        flags = [self._source.mask_flag_enums[band - 1] for band in self._bands]
        if all(flag == [MaskFlags.all_valid] for flag in flags):
            return []
        if all(flag in ([MaskFlags.nodata], [MaskFlags.all_valid]) for flag in flags):
            # the numbers are here already: GDAL would decode their blocks a second time to compare them
            nodata = [self._source.nodatavals[band - 1] for band in self._bands]
            return [_differs(band, value) for band, value in zip(pixels, nodata, strict=True)]
        return [mask > 0 for mask in self._source.read_masks(self._bands, window=inside)]

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()


def _differs(band: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    if nodata is None or (band.dtype.kind in "iu" and not nodata.is_integer()):
        return np.ones(band.shape, np.bool_)
    if band.dtype.kind in "iu":
        limits = np.iinfo(band.dtype)
        if not limits.min <= nodata <= limits.max:
            return np.ones(band.shape, np.bool_)
        return np.asarray(band != int(nodata))
    return np.asarray(band != band.dtype.type(nodata))  # NaN is found by whoever looks for finite numbers


def _alpha_bands(file: DatasetReader) -> tuple[int, ...]:
    return tuple(band for band, means in enumerate(file.colorinterp, 1) if means == ColorInterp.alpha)


def _choose_bands(path: Path, file: DatasetReader, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """The bands to read. Who names a band gets it: many a file calls its near infrared transparency."""
    alpha = _alpha_bands(file)
    bands = wanted or tuple(band for band in range(1, file.count + 1) if band not in alpha)
    missing = [band for band in bands if not 1 <= band <= file.count]
    if missing or not bands:
        told = f"no band {', '.join(map(str, missing))}" if missing else "none but transparency"
        raise SceneError(
            f"{path} has {file.count} band(s), there is {told} to read",
            hint=f"choose among: {', '.join(map(str, range(1, file.count + 1)))}",
        )
    return bands
