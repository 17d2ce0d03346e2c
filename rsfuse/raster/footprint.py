"""Where grids lie on the ground, and how much of one another covers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rasterio.warp import transform
from shapely import Polygon, box, make_valid

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid, ground_distance_m
from rsfuse.raster.opening import GDAL_ERRORS

_POINTS_PER_EDGE = 21  # a straight edge bends in another projection; GDAL, too, looks at 21 points
_LONLAT = "EPSG:4326"


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


def overlap(raster: Grid, grid: Grid) -> float:
    """Share of a grid's area, 0 to 1, that the outline of a raster covers. Both have a CRS."""
    outline = _outline(raster)
    try:
        xs, ys = transform(raster.crs, grid.crs, outline[:, 0], outline[:, 1])
    except GDAL_ERRORS:
        return 0.0
    a, b, c, d, e, f = (~grid.transform)[:6]
    x, y = np.array(xs), np.array(ys)
    points = np.stack([a * x + b * y + c, d * x + e * y + f], 1)  # columns and rows of the grid
    points = points[np.isfinite(points).all(1)]
    if len(points) < 4:  # the CRS of the grid is not valid over there
        return 0.0
    covered = make_valid(Polygon(points)).intersection(box(0, 0, grid.width, grid.height))
    return min(float(covered.area) / (grid.width * grid.height), 1.0)


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


def _outline(grid: Grid) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Points (n, 2) around the edge in units of the CRS."""
    along = np.linspace(0, 1, _POINTS_PER_EDGE)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = np.concatenate([along, one, 1 - along, zero]) * grid.width
    rows = np.concatenate([zero, along, one, 1 - along]) * grid.height
    a, b, c, d, e, f = grid.transform[:6]
    return np.stack([a * columns + b * rows + c, d * columns + e * rows + f], 1)


def _name(grid: Grid) -> str:
    return grid.crs.to_string() if grid.crs else "no CRS"


def _told(grid: Grid) -> str:
    """Bounds in longitude and latitude, in words."""
    outline = _outline(grid)
    try:
        lons, lats = transform(grid.crs, _LONLAT, outline[:, 0], outline[:, 1])
    except GDAL_ERRORS:
        return f"{tuple(grid.bounds)} in {_name(grid)}"
    return f"lon {min(lons):.4f} to {max(lons):.4f}, lat {min(lats):.4f} to {max(lats):.4f}"
