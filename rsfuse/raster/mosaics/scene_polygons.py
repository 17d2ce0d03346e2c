"""Which scene each pixel of a mosaic is from, as polygons, written while the mosaic comes window by window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import OutputError
from rsfuse.geometry.overlaps import NOBODY
from rsfuse.raster.drawn.corners import Corners
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.drawn.polygon_file import PolygonFile
from rsfuse.raster.drawn.regions import Regions, RegionStream
from rsfuse.raster.mosaics.numbering import scene_numbers
from rsfuse.raster.mosaics.region import Region

FIELDS: dict[str, Any] = {"scene": np.object_, "number": np.int32, "area_m2": np.float64}
"""Attributes of the polygons: path of the scene, its place among the inputs from 1 on, and area in square metres."""

_PIXELS = 2**20  # taken at once; each costs some 30 bytes meanwhile


class ScenePolygons:
    """Polygons on their way to a GeoPackage: windows row by row, then sealed.

    A polygon is all pixels of one scene that are joined by their sides.

    Args:
        path: of the finished file, .gpkg.
        scenes: in the order in which they were given.
        region: where they lie.
        overwrite: replace a file that is there.

    Raises:
        OutputError: if the path is taken, is not one of a GeoPackage, or its folder is missing; or so many scenes lie
            on one another that a byte cannot tell them apart.
    """

    def __init__(self, path: Path, scenes: Sequence[Path], region: Region, *, overwrite: bool = False) -> None:
        self._names, self._region = np.array([str(scene) for scene in scenes], object), region
        self._numbers = np.array(scene_numbers(region.boxes))
        if self._numbers.max() >= NOBODY:
            raise OutputError(
                f"{self._numbers.max() + 1} scenes touch one another: polygons can tell {NOBODY} apart",
                hint="leave out --sources, or mosaic them in parts",
            )
        grid = region.grid
        areas = row_areas_m2(grid)
        # in pixels of the middle row: where all are alike, areas are multiples of one to the last digit
        self._pixel_m2 = areas[len(areas) // 2]
        self._covered = np.append(0.0, np.cumsum(areas / self._pixel_m2))
        self._corners = Corners(grid.shape)
        self._stream = RegionStream(self._corners)
        self._rows = np.zeros((0, grid.width), np.uint8)
        self._file = PolygonFile(path, grid.crs, FIELDS, overwrite=overwrite)

    def add(self, window: Window, scenes: NDArray[np.uint8]) -> None:
        """Take the next window (h, w) of scene numbers; windows come row by row, each row from the left.

        Raises:
            OutputError: if the disk is full.
        """
        width = self._region.grid.width
        if window.col_off == 0:
            self._rows = np.empty((len(scenes), width), np.uint8)
        left = int(window.col_off)
        self._rows[:, left : left + scenes.shape[1]] = scenes
        if left + scenes.shape[1] == width:
            step = max(_PIXELS // width, 1)
            for start in range(0, len(self._rows), step):
                self._write(self._stream.add(self._rows[start : start + step]))

    def _write(self, regions: Regions) -> None:
        if len(regions.codes) == 0:
            return
        outlines = self._corners.outlines(regions.corners, regions.owners)
        polygons = outlines.polygons(np.ones(len(regions.codes), np.bool_), self._region.grid.transform)
        owners = self._owners(regions.codes, polygons)
        areas = outlines.areas(self._covered) * self._pixel_m2
        self._file.add(polygons, self._names[owners], owners + 1, areas)

    def _owners(self, numbers: NDArray[np.uint8], polygons: NDArray[np.object_]) -> NDArray[np.intp]:
        """Place of the scene of each polygon: scenes of one number do not touch, so one corner tells."""
        starts = shapely.get_coordinates(shapely.get_point(shapely.get_exterior_ring(polygons), 0))
        a, b, c, d, e, f = (~self._region.grid.transform)[:6]
        x, y = starts.T
        column, row = np.rint(a * x + b * y + c), np.rint(d * x + e * y + f)
        top, left, bottom, right = self._region.boxes.T
        owners = np.zeros(len(numbers), np.intp)
        for number in np.unique(numbers).tolist():
            these, scenes = np.flatnonzero(numbers == number), np.flatnonzero(self._numbers == number)
            for scene in scenes.tolist():
                inside = (row[these] >= top[scene]) & (row[these] <= bottom[scene])
                inside &= (column[these] >= left[scene]) & (column[these] <= right[scene])
                owners[these[inside]] = scene
        return owners

    def seal(self) -> None:
        """Write the polygons that touch the last row and give the file its name.

        Raises:
            OutputError: if the disk is full.
        """
        self._write(self._stream.end())
        self._file.seal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self._file.abort()
