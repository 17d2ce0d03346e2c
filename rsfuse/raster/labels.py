"""Labels: a raster of class codes, read on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import LegendMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.opening import Closing
from rsfuse.raster.painted import painted_legend


class Labels(Closing):
    """Class codes of one band, open for reading. One thread at a time.

    Args:
        path: a raster of whole numbers; where its grid is another, each pixel takes the nearest code.
        grid: where its pixels shall lie; None for where they lie in the file.

    Raises:
        SceneError: if the file is missing, not a raster, or has several bands or fractions.
        GridMismatchError: if it lies elsewhere than the grid.
    """

    def __init__(self, path: Path, grid: Grid | None = None) -> None:
        self.path = path
        self._raster = AlignedRaster(path, grid, categorical=True)
        self.grid: Grid = self._raster.grid
        self.legend: Legend | None = painted_legend(self._raster.tags)
        """The legend that rsfuse wrote into the file, if it did."""
        if len(self._raster.dtypes) != 1 or not np.issubdtype(self._raster.dtypes[0], np.integer):
            self.close()
            raise SceneError(
                f"{path} has {len(self._raster.dtypes)} band(s) of {self._raster.dtypes[0]}, labels are integers",
                hint="give a raster with one class code per pixel, not a coloured picture or scores",
            )

    def known_legend(self) -> Legend:
        """The legend in the file.

        Raises:
            LegendMismatchError: if there is none.
        """
        if self.legend is None:
            raise LegendMismatchError(
                f"{self.path} does not say what its codes mean", hint="name its legend: --legend whu-opt-sar"
            )
        return self.legend

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Codes (h, w) of a window in whole pixels; 255 outside the raster and where it has no data.

        Raises:
            SceneError: if the file is truncated or damaged.
            LegendMismatchError: if a code is not between 0 and 255.
        """
        pixels, valid = self._raster.read(window)
        codes: NDArray[np.float32] = pixels[0]
        codes[~valid] = NODATA
        if codes.min() < 0 or codes.max() > NODATA:
            strange = codes[(codes < 0) | (codes > NODATA)]
            raise LegendMismatchError(
                f"{self.path}: code {strange[0]:.0f} and {strange.size - 1} more pixels are not between 0 and {NODATA}",
                hint="map the codes to the range of a legend, 0 to 254, or declare a nodata value",
            )
        whole: NDArray[np.uint8] = codes.astype(np.uint8)
        return whole

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()
