"""The grid of a mosaic, and where on it each of its rasters lies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import calculate_default_transform
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.footprint import carried, outline
from rsfuse.raster.mosaics.source import Source
from rsfuse.raster.opening import GDAL_ERRORS

_TOLERANCE_PX = 0.01  # as in Grid.matches: closer than this, two pixels are one


@dataclass(frozen=True)
class Target:
    """Where the pixels of a mosaic shall lie, if not where those of its first raster lie.

    Args:
        like: a grid whose CRS and pixels it takes, whatever part of the ground that covers.
        crs: another coordinate reference system; its pixels are square, as large as those of the first raster.
        resolution: side of a pixel in units of the CRS.
    """

    like: Grid | None = None
    crs: CRS | None = None
    resolution: float | None = None

    def lattice(self, first: Grid) -> Grid:
        """A grid whose pixels, and those around it, are those of the mosaic.

        Raises:
            GridMismatchError: if the first raster cannot be brought to the CRS.
        """
        grid = self.like or first
        if self.crs is not None and self.crs != grid.crs:
            return _snapped(_reprojected(grid, self.crs), self.resolution)
        return grid if self.resolution is None else _resampled(grid, self.resolution)


@dataclass(frozen=True, eq=False)
class Region:
    """A grid that covers all rasters of a mosaic.

    Args:
        grid: of the mosaic.
        boxes: (n, 4) top, left, bottom, right of each raster on it, in whole pixels.
    """

    grid: Grid
    boxes: NDArray[np.int64]

    @classmethod
    def around(cls, sources: Sequence[Source], lattice: Grid) -> Region:
        """The union of some rasters.

        Raises:
            GridMismatchError: if one of them cannot be brought to the CRS.
        """
        boxes = np.array([_box(source, lattice) for source in sources])
        top, left = boxes[:, :2].min(0).tolist()
        bottom, right = boxes[:, 2:].max(0).tolist()
        window = Window(left, top, right - left, bottom - top)
        return cls(lattice.window(window), boxes - [top, left, top, left])

    def window(self, number: int) -> Window:
        """The box of one raster."""
        top, left, bottom, right = self.boxes[number].tolist()
        return Window(left, top, right - left, bottom - top)

    def touching(self, window: Window) -> list[int]:
        """Numbers of the rasters that have pixels in a window, in order."""
        above, before = window.row_off + window.height, window.col_off + window.width
        top, left, bottom, right = self.boxes.T
        meets = (top < above) & (bottom > window.row_off) & (left < before) & (right > window.col_off)
        found: list[int] = np.flatnonzero(meets).tolist()
        return found

    def pieces(self, window: Window) -> Iterator[Window]:
        """A window, cut along the edges of all rasters that have pixels in it."""
        boxes = self.boxes[self.touching(window)]
        rows = _cuts(boxes[:, [0, 2]], window.row_off, window.height)
        columns = _cuts(boxes[:, [1, 3]], window.col_off, window.width)
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                yield Window(left, top, right - left, bottom - top)


def _cuts(edges: NDArray[np.int64], start: float, length: float) -> list[int]:
    """Where a window begins and ends along one axis, and the edges between."""
    found: list[int] = np.unique(np.clip([*edges.ravel(), start, start + length], start, start + length)).tolist()
    return [int(each) for each in found]


def _box(source: Source, lattice: Grid) -> tuple[int, int, int, int]:
    points = carried(outline(source.grid), source.grid, lattice)
    if not np.isfinite(points).all():
        name = lattice.crs.to_string() if lattice.crs else "no CRS"
        raise GridMismatchError(
            f"{source.path} reaches beyond where {name} is valid", hint="choose another --crs for the mosaic"
        )
    left, top = (points.min(0) + _TOLERANCE_PX).tolist()
    right, bottom = (points.max(0) - _TOLERANCE_PX).tolist()
    return math.floor(top), math.floor(left), math.ceil(bottom), math.ceil(right)


def _reprojected(grid: Grid, crs: CRS) -> Grid:
    try:
        transform, width, height = calculate_default_transform(grid.crs, crs, grid.width, grid.height, *grid.bounds)
    except GDAL_ERRORS as error:
        raise GridMismatchError(
            f"the first raster cannot be brought to {crs.to_string()}: {error}", hint="choose another --crs"
        ) from error
    return Grid(crs, transform, (height, width))


def _snapped(grid: Grid, resolution: float | None) -> Grid:
    """The grid with corners of pixels at whole multiples of their size."""
    side = resolution or grid.transform.a
    left, top = (math.floor(grid.transform.c / side) * side, math.ceil(grid.transform.f / side) * side)
    return _resampled(replace(grid, transform=Affine(grid.transform.a, 0, left, 0, grid.transform.e, top)), side)


def _resampled(grid: Grid, side: float) -> Grid:
    """The grid with pixels of another size; the corner of its first pixel stays."""
    across, down = (math.hypot(*column) for column in (grid.transform[0:4:3], grid.transform[1:5:3]))
    shape = math.ceil(grid.height * down / side - _TOLERANCE_PX), math.ceil(grid.width * across / side - _TOLERANCE_PX)
    return replace(grid, transform=grid.transform * Affine.scale(side / across, side / down), shape=shape)


def grid_like(path: Path) -> Grid:
    """The grid of a raster that goes into no mosaic itself.

    Raises:
        SceneError: if it is missing or not a raster.
        GridMismatchError: if it has no CRS.
    """
    return Source.of(path).grid
