"""Labels: class codes of a raster or of polygons, read on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.drawn.polygon_labels import PolygonLabels
from rsfuse.raster.drawn.polygons import holds_polygons
from rsfuse.raster.opening import Closing, open_raster
from rsfuse.raster.painted import painted_legend
from rsfuse.raster.unknown_values import refuse_unknown

_ANY_CODE = LabelCoding({code: code for code in range(NODATA + 1)})


class Labels(Closing):
    """Class codes of a raster, open for reading. One thread at a time.

    Args:
        path: a raster of whole numbers; where its grid is another, each pixel takes the nearest code.
        grid: where its pixels shall lie; None for where they lie in the file.
        coding: what its numbers or colours mean: then it may have three bands, red, green and blue, or a colour table.
            None for one band of codes from 0 to 255 that mean themselves.
        by_size: a file without a CRS lies on the grid if it has its size.

    Raises:
        SceneError: if the file is missing, not a raster, or has another count of bands or fractions.
        GridMismatchError: if it lies elsewhere than the grid.
        LegendMismatchError: if its colour table contradicts the coding.
    """

    def __init__(
        self, path: Path, grid: Grid | None = None, *, coding: LabelCoding | None = None, by_size: bool = False
    ) -> None:
        self.path = path
        self._coding = coding or _ANY_CODE
        self._is_coded = coding is not None
        self._raster = AlignedRaster(path, grid, categorical=True, by_size=by_size)
        self.grid: Grid = self._raster.grid
        self.legend: Legend | None = painted_legend(self._raster.tags)
        """The legend that rsfuse wrote into the file, if it did."""
        try:
            self._dtype = self._integers()
            self._palette = _palette(path, coding) if coding and len(self._raster.dtypes) == 1 else None
        except BaseException:
            self.close()
            raise

    def _integers(self) -> np.dtype[Any]:
        dtypes = self._raster.dtypes
        counts = {1, 3} if self._is_coded else {1}
        if len(dtypes) not in counts or not all(np.issubdtype(dtype, np.integer) for dtype in dtypes):
            raise SceneError(
                f"{self.path} has {len(dtypes)} band(s) of {dtypes[0]}, labels are integers",
                hint="give a raster with one class code per pixel, or a picture with three bands of known colours"
                if self._is_coded
                else "give a raster with one class code per pixel, not a coloured picture or scores",
            )
        return np.result_type(*dtypes)

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

    def look(self, window: Window) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """Codes of a window in whole pixels, whatever the file holds.

        Returns:
            codes: (h, w), 255 where nobody said, where the value is not known, and outside the raster.
            unknown: each value without a code, colours like "#00ff7f", and how many pixels have it.

        Raises:
            SceneError: if the file is truncated or damaged.
        """
        pixels, valid = self._raster.read_stored(window)
        values = pixels.astype(self._dtype, copy=False)
        if self._palette is not None:
            values = self._palette[:, values[0]]
            valid &= values[3] > 0
            values = values[:3]
        if not self._is_coded and self._dtype == np.uint8:  # tiles in training: they mean themselves
            return np.where(valid, values[0], np.uint8(NODATA)), {}
        if valid.all():
            return self._coding.translate(values)
        # what stands in pixels without data is no label, known or not
        codes = np.full(valid.shape, NODATA, np.uint8)
        told, unknown = self._coding.translate(values[:, valid][:, None])
        codes[valid] = told[0]
        return codes, unknown

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Codes (h, w) of a window in whole pixels; 255 outside the raster and where it has no data.

        Raises:
            SceneError: if the file is truncated or damaged.
            LegendMismatchError: if a value has no code, or without a coding is not between 0 and 255.
        """
        codes, unknown = self.look(window)
        refuse_unknown(
            f"{self.path}, {window.height:.0f} x {window.width:.0f} px at row {window.row_off:.0f}, "
            f"column {window.col_off:.0f}",
            unknown,
            hint=None
            if self._is_coded
            else "map the codes to the range of a legend, 0 to 254, or declare a nodata value",
        )
        return codes

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()


def open_labels(
    path: Path, grid: Grid, *, coding: LabelCoding, field: str | None = None, by_size: bool = False
) -> Labels | PolygonLabels:
    """Labels of a scene from whatever file they are in; its ending says whether it holds polygons.

    Args:
        path: a raster, or a file of polygons.
        grid: of the scene.
        coding: what the file's numbers, colours or attributes mean.
        field: attribute of polygons that says the class, None for the one that is obvious; a raster has none.
        by_size: a raster without a CRS lies on the grid if it has its size.

    Raises:
        SceneError: if the file is missing or cannot serve as labels.
        GridMismatchError: if it lies elsewhere than the scene.
        LegendMismatchError: if its colour table contradicts the coding.
    """
    if holds_polygons(path):
        return PolygonLabels(path, grid, coding=coding, field=field)
    return Labels(path, grid, coding=coding, by_size=by_size)


def _palette(path: Path, coding: LabelCoding) -> NDArray[np.uint8] | None:
    """Red, green, blue and alpha (4, n) of each number of a file, if it means the colours of its colour table."""
    with open_raster(path) as file:
        if file.colorinterp[0] != ColorInterp.palette:
            return None
        colors = file.colormap(1)
        numbers = np.iinfo(file.dtypes[0]).max + 1
    while colors and colors[max(colors)][:3] == (0, 0, 0):  # GDAL fills tables up with black
        del colors[max(colors)]
    try:
        if not coding.reads_colors(colors):
            return None
    except LegendMismatchError as error:
        raise LegendMismatchError(f"{path}: {error}", hint=error.hint) from error
    table = np.full((4, numbers), [[0], [0], [0], [255]], np.uint8)
    table[:, list(colors)] = np.array(list(colors.values()), np.uint8).T
    return table
