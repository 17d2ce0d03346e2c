"""Bands of a file on any other grid, through GDAL's warp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.footprint import coarseness
from rsfuse.raster.native import NativeBands
from rsfuse.raster.opening import GDAL_ERRORS, Closing

_TOLERANCE_PX = 0.01  # of the warp; GDAL's own 0.125 px would show where two windows meet
_AVERAGE_BEYOND = 2.0  # bilinear looks at two pixels a side: coarser than that, it would skip some (aliasing)


class WarpedBands(Closing):
    """Some bands of an open file, read in windows of a grid.

    Args:
        path: of the file, for messages.
        bands: of the file.
        own: where they lie.
        grid: where they shall lie. Both have a CRS.
        categorical: codes, which must not be mixed.

    Raises:
        GridMismatchError: if GDAL knows no way from one grid to the other.
    """

    dtype = "float32"
    """What `read` gives if it may choose."""

    def __init__(self, path: Path, bands: NativeBands, own: Grid, *, grid: Grid, categorical: bool = False) -> None:
        columns, rows = coarseness(grid, own)
        # dB or power, nobody says; between neighbours the mean of dB is near enough to the dB of the mean
        smooth = Resampling.average if max(columns, rows) > _AVERAGE_BEYOND else Resampling.bilinear
        self._bands = bands.bands
        try:
            self._file = WarpedVRT(
                bands.file,
                crs=grid.crs,
                transform=grid.transform,
                height=grid.height,
                width=grid.width,
                resampling=Resampling.nearest if categorical else smooth,
                tolerance=_TOLERANCE_PX,
                dtype="float32",
                nodata=np.nan,  # unlike any number of the file, NaN cannot be meant for a value
                src_nodata=bands.file.nodata,
                UNIFIED_SRC_NODATA="YES" if bands.is_unsigned else "NO",
                # else GDAL derives the width of its kernel from each window anew, and windows do not meet
                XSCALE=1 / max(columns, 1),
                YSCALE=1 / max(rows, 1),
            )
        except GDAL_ERRORS as error:
            raise GridMismatchError(
                f"{path} cannot be brought to the grid of the optical: {error}",
                hint="reproject it first, for example with gdalwarp",
            ) from error

    def read(self, window: Window, dtype: DTypeLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels (C, h, w) of a window inside the grid and where they are data (h, w); NaN elsewhere."""
        pixels = self._file.read(self._bands, window=window, out_dtype=dtype)
        return pixels, np.isfinite(pixels).all(0)

    def close(self) -> None:
        """Let go of the warp; the file stays open."""
        self._file.close()
