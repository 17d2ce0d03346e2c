"""A class map as polygons, one of every connected region, written while the map comes strip by strip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import Legend
from rsfuse.raster.drawn.corners import Corners
from rsfuse.raster.drawn.pixel_area import row_areas_m2
from rsfuse.raster.drawn.polygon_file import PolygonFile
from rsfuse.raster.drawn.regions import Regions, RegionStream
from rsfuse.raster.map_layer import FULL

FIELDS = {"code": np.int32, "class": np.object_, "area_m2": np.float64, "confidence": np.float64}
"""Attributes of the polygons: code and name of the class, area on the ground in square metres (null without a CRS),
and the mean winning probability of its pixels, 0 to 1 (null where none was given)."""

_PIXELS = 2**20  # taken at once; each costs some 30 bytes meanwhile


@dataclass(frozen=True)
class PolygonReport:
    """What became of the regions of a map.

    Args:
        written: polygons in the file.
        area_m2: what they cover together; NaN without a CRS.
        left_out: regions that are smaller than was asked for.
        left_out_m2: what they cover together.
    """

    written: int = 0
    area_m2: float = 0.0
    left_out: int = 0
    left_out_m2: float = 0.0


class MapPolygons:
    """Polygons of a map on their way to a GeoPackage: rows from the top down, then sealed.

    A polygon is all pixels of one class that are joined by their sides, the same whatever the heights of the strips.
    Memory is that of the polygons that touch the last row.

    Args:
        path: of the finished file, .gpkg.
        grid: where the pixels of the map lie.
        legend: what the codes mean.
        min_area_m2: leave out polygons that cover less ground.
        overwrite: replace a file that is there.

    Attributes:
        report: how many polygons are written and left out; complete once sealed.

    Raises:
        OutputError: if the path is taken, is not one of a GeoPackage, or its folder is missing; or a least area is
            given, and nobody knows how large a pixel is.
    """

    def __init__(
        self, path: Path, grid: Grid, legend: Legend, *, min_area_m2: float = 0.0, overwrite: bool = False
    ) -> None:
        self._path, self._grid, self._legend, self._min_area_m2 = path, grid, legend, min_area_m2
        areas = row_areas_m2(grid)
        if min_area_m2 > 0 and np.isnan(areas).any():
            raise OutputError(
                f"polygons of less than {min_area_m2:g} m2 cannot be told: nobody knows the size of a pixel "
                f"({grid.crs.to_string() if grid.crs else 'the scene has no CRS'})",
                hint="leave out --min-area, or give the scene its CRS: gdal_edit.py -a_srs ...",
            )
        # in pixels of the middle row: where all are alike, areas are multiples of one to the last digit
        self._pixel_m2 = areas[len(areas) // 2]
        self._covered = np.append(0.0, np.cumsum(areas / self._pixel_m2))
        self._names = np.full(256, "", object)
        self._names[list(legend.codes)] = legend.names
        self._corners = Corners(grid.shape)
        self._stream = RegionStream(self._corners)
        self._row = 0
        self._has_confidence = False
        self.report = PolygonReport()
        self._file = PolygonFile(path, grid.crs, FIELDS, overwrite=overwrite)

    def add(self, top: int, codes: NDArray[np.uint8], confidence: NDArray[np.uint8] | None = None) -> None:
        """Take the next rows.

        Args:
            top: first row; strips come in order and leave no gap.
            codes: (h, W), any h; pixels without data (255) and unlabelled ones are in no polygon.
            confidence: (h, W) winning probability, `FULL` for 1; for every strip or for none.

        Raises:
            LegendMismatchError: if a code is not in the legend.
            OutputError: if the disk is full.
        """
        self._check(top, codes, confidence)
        self._legend.check(codes, f"the map of {self._path}")
        codes = self._legend.to_code(self._legend.to_index(codes))
        rows = max(_PIXELS // self._grid.width, 1)
        for start in range(0, len(codes), rows):
            part = slice(start, start + rows)
            self._write(self._stream.add(codes[part], None if confidence is None else confidence[part]))
        self._row += len(codes)

    def _check(self, top: int, codes: NDArray[np.uint8], confidence: NDArray[np.uint8] | None) -> None:
        if top != self._row or codes.shape[1:] != (self._grid.width,) or codes.dtype != np.uint8:
            raise ValueError(f"a strip {codes.dtype} {codes.shape} at row {top}, after {self._row} rows")
        if top + len(codes) > self._grid.height:
            raise ValueError(f"{top + len(codes)} rows for a map of {self._grid.height}")
        if confidence is not None and (confidence.shape != codes.shape or confidence.dtype != np.uint8):
            raise ValueError(f"confidence {confidence.dtype} {confidence.shape} of a strip {codes.shape}")
        if self._row == 0:
            self._has_confidence = confidence is not None
        elif self._has_confidence != (confidence is not None):
            raise ValueError(f"confidence of some strips only: row {top} differs")

    def _write(self, regions: Regions) -> None:
        if len(regions.codes) == 0:
            return
        outlines = self._corners.outlines(regions.corners, regions.owners)
        areas = outlines.areas(self._covered) * self._pixel_m2
        wanted = ~(areas < self._min_area_m2)
        self._count(areas, wanted)
        if wanted.any():
            codes = regions.codes[wanted]
            sums = regions.sums[wanted] if self._has_confidence else np.full(len(codes), np.nan)
            means = sums / FULL / outlines.areas(np.arange(self._corners.lines, dtype=float))[wanted]
            polygons = outlines.polygons(wanted, self._grid.transform)
            self._file.add(polygons, codes, self._names[codes], areas[wanted], means)

    def _count(self, areas: NDArray[np.float64], wanted: NDArray[np.bool_]) -> None:
        so_far = self.report
        self.report = PolygonReport(
            so_far.written + int(wanted.sum()),
            so_far.area_m2 + float(areas[wanted].sum()),
            so_far.left_out + int((~wanted).sum()),
            so_far.left_out_m2 + float(areas[~wanted].sum()),
        )

    def seal(self) -> None:
        """Write the polygons that touch the last row and give the file its name.

        Raises:
            OutputError: if the disk is full.
        """
        self._end()
        self._file.seal()

    def drop(self) -> None:
        """Complete the report and leave no file of these polygons; what was there before stays."""
        self._end()
        self.abort()

    def _end(self) -> None:
        if self._row != self._grid.height:
            raise ValueError(f"{self._row} rows of {self._grid.height} are there")
        self._write(self._stream.end())

    def abort(self) -> None:
        """Leave nothing of these polygons; what was there before stays."""
        self._file.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.seal()
        finally:
            self.abort()
