"""Overlay: an optical and a SAR raster on the coarser of their grids, where both lie."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.footprint import gsd_m
from rsfuse.raster.opening import GDAL_ERRORS, Closing
from rsfuse.raster.scene import Bands

_ALL = Bands()

Image = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Pixels (h, w), the mean of the bands, and where they are data."""


class Overlay(Closing):
    """Two rasters of one place, open for reading on one grid: never finer than the coarser of the two.

    Args:
        optical: any raster that GDAL reads.
        sar: likewise; in any CRS.
        bands: which bands to read; the mean of them is what is matched.

    Raises:
        SceneError: if a file is missing, not a raster, or lacks a band.
        GridMismatchError: if the two do not overlap, or nobody can say whether they do.
    """

    def __init__(self, optical: Path, sar: Path, *, bands: Bands = _ALL) -> None:
        self.paths = optical, sar
        self.bands = bands
        chosen = bands.optical, bands.sar
        with AlignedRaster(optical, bands=bands.optical) as first, AlignedRaster(sar, bands=bands.sar) as second:
            coarser = self._coarser(first, second)
            other = second if coarser is first else first
            self.grid: Grid = _shared(coarser, other)
        with ExitStack() as opened:
            self._rasters = [
                opened.enter_context(AlignedRaster(path, self.grid, bands=each, by_size=path == other.path))
                for path, each in zip(self.paths, chosen, strict=True)
            ]
            self._opened = opened.pop_all()
        self.gsd_m: float = gsd_m(self.grid)
        """Metres on the ground from one pixel of the grid to the next; NaN where there is no CRS."""

    @staticmethod
    def _coarser(optical: AlignedRaster, sar: AlignedRaster) -> AlignedRaster:
        finer = gsd_m(optical.grid) < gsd_m(sar.grid) * 0.999  # of two alike, the optical's: nothing is resampled there
        return sar if finer else optical

    def optical(self, window: Window, factor: int = 1) -> Image:
        """A window of the optical raster, see `_read`."""
        return self._read(self._rasters[0], window, factor)

    def sar(self, window: Window, factor: int = 1) -> Image:
        """A window of the SAR raster, see `_read`."""
        return self._read(self._rasters[1], window, factor)

    def _read(self, raster: AlignedRaster, window: Window, factor: int) -> Image:
        """Means of squares of `factor` pixels in a window that may hang over the edge, or lie beyond it."""
        height, width = int(window.height), int(window.width)
        columns, rows = (window.col_off, window.col_off + width), (window.row_off, window.row_off + height)
        small = height // factor, width // factor
        if columns[1] <= 0 or rows[1] <= 0 or columns[0] >= self.grid.width or rows[0] >= self.grid.height:
            return np.zeros(small, np.float32), np.zeros(small, np.bool_)
        pixels, valid = raster.read(window)
        return in_squares(pixels.mean(0), valid, factor)

    def close(self) -> None:
        """Let go of both files."""
        self._opened.close()


def in_squares(image: NDArray[np.float32], valid: NDArray[np.bool_], factor: int) -> Image:
    """Means of squares of `factor` pixels; data where all of them are."""
    if factor == 1:
        return image, valid
    squares = image.shape[0] // factor, factor, image.shape[1] // factor, factor
    return image.reshape(squares).mean((1, 3)), np.logical_and.reduce(valid.reshape(squares), (1, 3))


def _shared(raster: AlignedRaster, other: AlignedRaster) -> Grid:
    """The part of a raster's grid under the bounds of another."""
    grid = raster.grid
    if grid.crs is None or other.grid.crs is None:
        if grid.shape != other.grid.shape:
            raise GridMismatchError(
                f"{raster.path} is {grid.height} x {grid.width} px and {other.path} {other.grid.height} x "
                f"{other.grid.width} px, and one of them has no CRS",
                hint="give both a CRS: gdal_edit.py -a_srs EPSG:... FILE",
            )
        return grid
    try:
        left, bottom, right, top = transform_bounds(other.grid.crs, grid.crs, *other.grid.bounds)
    except GDAL_ERRORS:
        return grid
    corners = [~grid.transform * each for each in ((left, top), (right, top), (left, bottom), (right, bottom))]
    xs, ys = zip(*corners, strict=True)
    if not all(map(math.isfinite, (*xs, *ys))):
        return grid
    columns = max(math.floor(min(xs)), 0), min(math.ceil(max(xs)), grid.width)
    rows = max(math.floor(min(ys)), 0), min(math.ceil(max(ys)), grid.height)
    if columns[0] >= columns[1] or rows[0] >= rows[1]:
        return grid  # they do not overlap, which is told where it is opened on the grid
    return grid.window(window_of(rows, columns))
