"""Grid: where the pixels of a raster lie on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from affine import Affine
from rasterio.coords import BoundingBox
from rasterio.crs import CRS
from rasterio.windows import Window

EARTH_RADIUS_M = 6_371_008.8  # mean radius of GRS 80; half a percent is all that a GSD needs


@dataclass(frozen=True)
class Grid:
    """CRS, transform and shape of a raster: all there is to know about where it lies.

    Args:
        crs: coordinate reference system, or None where nobody said.
        transform: (column, row) of a pixel corner to (x, y) in the CRS.
        shape: (height, width) in pixels.
    """

    crs: CRS | None
    transform: Affine
    shape: tuple[int, int]

    @property
    def height(self) -> int:
        """Rows."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.shape[1]

    @property
    def bounds(self) -> BoundingBox:
        """Left, bottom, right, top of the upright box around the raster, in units of the CRS."""
        corners = [
            self.transform * corner for corner in ((0, 0), (self.width, 0), (0, self.height), (self.width, self.height))
        ]
        xs, ys = zip(*corners, strict=True)
        return BoundingBox(min(xs), min(ys), max(xs), max(ys))

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle of the raster in units of the CRS."""
        x, y = self.transform * (self.width / 2, self.height / 2)
        return x, y

    def window(self, window: Window) -> Grid:
        """The part of this grid that a window sees (it may hang over the edge)."""
        moved = self.transform * Affine.translation(window.col_off, window.row_off)
        return replace(self, transform=moved, shape=(int(window.height), int(window.width)))

    def offset_to(self, other: Grid) -> float:
        """Largest distance of two grids' corners, in pixels of this one; infinite if CRS or shape differ."""
        if self.crs != other.crs or self.shape != other.shape:
            return math.inf
        back = ~self.transform * other.transform
        corners = ((0, 0), (self.width, 0), (0, self.height), (self.width, self.height))
        return max(math.dist(back * corner, corner) for corner in corners)

    def matches(self, other: Grid, tolerance_px: float = 0.01) -> bool:
        """Whether a pixel of one grid is the same pixel of the other."""
        return self.offset_to(other) <= tolerance_px


def window_of(rows: tuple[int, int], columns: tuple[int, int]) -> Window:
    """The window of some rows and columns, each from the first to past the last."""
    return Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])


def ground_distance_m(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Great-circle distance in metres between two (longitude, latitude) points in degrees (haversine formula)."""
    lon1, lat1, lon2, lat2 = (math.radians(value) for value in (*start, *end))
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(chord))
