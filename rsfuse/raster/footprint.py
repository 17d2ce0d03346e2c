"""Where grids lie on the ground, and how much of one another covers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.warp import transform
from shapely import Polygon, box, make_valid

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid, ground_distance_m
from rsfuse.raster.opening import GDAL_ERRORS

_POINTS_PER_EDGE = 20  # a straight edge bends in another projection; GDAL, too, looks at 21 points with both ends
_LONLAT = "EPSG:4326"
Points = NDArray[np.float64]
"""(..., 2) columns and rows, or x and y."""


def gsd_m(grid: Grid) -> float:
    """Ground sample distance at the centre in metres, the geometric mean of both axes; NaN where there is no CRS."""
    if grid.crs is None:
        return math.nan
    row, column = grid.height / 2, grid.width / 2
    # half a pixel to the left, right, top and bottom of the centre
    ends = [(column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5)]
    try:
        xs, ys = zip(*(grid.transform * end for end in ends), strict=True)
        left, right, top, bottom = zip(*transform(grid.crs, _LONLAT, xs, ys), strict=True)
        return math.sqrt(ground_distance_m(left, right) * ground_distance_m(top, bottom))
    except (*GDAL_ERRORS, ValueError):  # a local CRS, or one that is not valid here
        return math.nan


def coarseness(grid: Grid, raster: Grid) -> tuple[float, float]:
    """How many (columns, rows) of a raster one pixel of a grid spans, at the grid's centre. Both have a CRS."""
    row, column = grid.height / 2, grid.width / 2
    centre, right, below = (grid.transform * at for at in ((column, row), (column + 1, row), (column, row + 1)))
    try:
        xs, ys = transform(grid.crs, raster.crs, *zip(centre, right, below, strict=True))
    except GDAL_ERRORS:  # they overlap, but not here
        return 1.0, 1.0
    places = [~raster.transform * place for place in zip(xs, ys, strict=True)]
    across, down = ([end - start for start, end in zip(places[0], place, strict=True)] for place in places[1:])
    return math.hypot(across[0], down[0]), math.hypot(across[1], down[1])


def around(points: int) -> Points:
    """Points around the unit square, so many on each of its four sides, in order."""
    along = np.arange(points) / points
    zero, one = np.zeros_like(along), np.ones_like(along)
    return np.stack([np.concatenate([along, one, 1 - along, zero]), np.concatenate([zero, along, one, 1 - along])], -1)


def outline(grid: Grid) -> Points:
    """Points around the edge of a raster, columns and rows."""
    return around(_POINTS_PER_EDGE) * (grid.width, grid.height)


def lonlat_bounds(grid: Grid) -> tuple[float, float, float, float] | None:
    """West, south, east, north of a raster with a CRS, a little wide; or the whole world where it cannot be told.

    None where not a point of its edge has a longitude and latitude, as in a local CRS.
    """
    places = lonlat(outline(grid), grid)
    known = np.isfinite(places).all(1)
    if not known.any():
        return None
    (west, south), (east, north) = places[known].min(0), places[known].max(0)
    # some of it is off the map, or it lies round a pole or across the 180th meridian
    if not known.all() or east - west > 180 or west < -180 or east > 180:
        return -180.0, -90.0, 180.0, 90.0
    wide, high = (east - west) / 100, (north - south) / 100  # edges bend between the points
    return float(west - wide), float(south - high), float(east + wide), float(north + high)


def lonlat(points: Points, grid: Grid) -> Points:
    """Longitude and latitude of columns and rows of a grid with a CRS; infinite where there is none."""
    return transformed(_applied(grid.transform, points), grid.crs, CRS.from_epsg(4326))


def carried(points: Points, grid: Grid, other: Grid) -> Points:
    """Where points of one grid lie in another. Both have a CRS.

    Args:
        points: (..., n, 2) columns and rows of the grid; n of them make a line.
        grid: see there.
        other: likewise.

    Returns:
        (..., n, 2) columns and rows of the other grid, NaN where its CRS is not valid.
    """
    if grid.crs == other.crs:
        return _applied(~other.transform * grid.transform, points)
    flat = _applied(grid.transform, points).reshape(-1, 2)
    there = transformed(flat, grid.crs, other.crs).reshape(points.shape)
    if other.crs is not None and other.crs.is_geographic:
        there[..., 0] = _unwrapped(there[..., 0], other.centre[0])
    return _applied(~other.transform, there)


def overlap(raster: Grid, grid: Grid) -> float:
    """Share of a grid's area, 0 to 1, that the outline of a raster covers. Both have a CRS."""
    covered = outlined(raster, grid).intersection(box(0, 0, grid.width, grid.height))
    return min(float(covered.area) / (grid.width * grid.height), 1.0)


def outlined(raster: Grid, grid: Grid) -> Polygon:
    """The outline of a raster in columns and rows of a grid, empty where the CRS of the grid is not valid."""
    points = carried(outline(raster), raster, grid)
    points = points[np.isfinite(points).all(1)]
    return make_valid(Polygon(points)) if len(points) >= 4 else Polygon()


def check_overlap(path: Path, raster: Grid, grid: Grid, *, has_gcps: bool) -> None:
    """Refuse a raster that cannot be brought to a grid.

    Args:
        path: of the raster, for the message.
        raster: where it lies.
        grid: where it is wanted.
        has_gcps: whether the file ties pixels to the ground by control points.

    Raises:
        GridMismatchError: if only one has a CRS, or neither and their shapes differ, or they lie apart.
    """
    if raster.crs is None or grid.crs is None:
        if raster.crs is not grid.crs or raster.shape != grid.shape:
            raise _unknown_place(path, raster, grid, has_gcps)
    elif raster != grid and overlap(raster, grid) == 0:
        raise GridMismatchError(
            f"{path} lies elsewhere: it covers {_told(raster)}, the scene {_told(grid)}",
            hint="give two rasters of one place, or correct the CRS of the one that is wrong",
        )


def _unknown_place(path: Path, raster: Grid, grid: Grid, has_gcps: bool) -> GridMismatchError:
    if raster.crs is None and grid.crs is None:
        return GridMismatchError(
            f"neither {path} nor the scene has a CRS, and their sizes differ: "
            f"{raster.height} x {raster.width} px and {grid.height} x {grid.width} px",
            hint="georeference both, or cut both to the same pixels",
        )
    if raster.crs is None:
        without, known = f"{path} has no CRS", f", the scene has {_name(grid)}"
    else:
        without, known = "the scene has no CRS", f", {path} has {_name(raster)}"
    if has_gcps:
        return GridMismatchError(
            f"{without}, only ground control points{known}", hint="orthorectify it first: gdalwarp -tps -t_srs ..."
        )
    return GridMismatchError(
        f"{without}{known}", hint="give it its CRS: gdal_edit.py -a_srs ..., or orthorectify it: gdalwarp -rpc"
    )


def _applied(affine: Affine, points: Points) -> Points:
    a, b, c, d, e, f = affine[:6]
    x, y = points[..., 0], points[..., 1]
    return np.stack([a * x + b * y + c, d * x + e * y + f], -1)


def transformed(points: Points, crs: CRS, other: CRS) -> Points:
    """Points (n, 2), x and y, from one CRS to another, NaN where the other is not valid."""
    if not len(points):
        return points
    try:
        there = np.stack(transform(crs, other, *points.T), 1)
    except GDAL_ERRORS:  # one bad point spoils all: find it
        if len(points) == 1:
            return np.full((1, 2), np.nan)
        return np.concatenate([transformed(half, crs, other) for half in np.array_split(points, 2)])
    return np.where(np.isfinite(there), there, np.nan)


def _unwrapped(longitudes: NDArray[np.float64], centre: float) -> NDArray[np.float64]:
    """Degrees (..., n) of lines that do not jump where they cross the 180th meridian, on the same lap as the centre."""
    steady = np.unwrap(longitudes, period=360)
    steady += 360 * np.round((centre - steady.mean(-1, keepdims=True)) / 360)
    return np.where(np.isfinite(steady), steady, longitudes)  # a line with an unknown point stays as it is


def _name(grid: Grid) -> str:
    return grid.crs.to_string() if grid.crs else "no CRS"


def _told(grid: Grid) -> str:
    """Where a grid with a CRS lies, in words."""
    places = lonlat(outline(grid), grid)
    return told_place(places) if np.isfinite(places).all(1).any() else f"{tuple(grid.bounds)} in {_name(grid)}"


def told_place(places: Points) -> str:
    """The box around longitudes and latitudes (n, 2), in words."""
    places = places[np.isfinite(places).all(1)]
    if not len(places):
        return "no longitude and latitude"
    (west, south), (east, north) = places.min(0), places.max(0)
    return f"lon {west:.4f} to {east:.4f}, lat {south:.4f} to {north:.4f}"
