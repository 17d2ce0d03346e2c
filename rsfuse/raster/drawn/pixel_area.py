"""How much ground the pixels of a grid cover, row by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rasterio.warp import transform

from rsfuse.geometry.grid import Grid
from rsfuse.raster.opening import GDAL_ERRORS

_SEMI_MAJOR_M, _ECCENTRICITY = 6_378_137.0, 0.081_819_190_842_621_5  # WGS 84
_STRETCHED = ('PROJECTION["Mercator', 'PROJECTION["Popular_Vis', 'PROJECTION["Equirectangular', 'PROJECTION["Miller')
"""How the names begin, in a WKT, of projections whose metres are metres of the ground along one parallel alone."""


def row_areas_m2(grid: Grid) -> NDArray[np.float64]:
    """Area on the ground of one pixel of each row in square metres, (height,); NaN where nobody can tell.

    Metres of a projected CRS are taken for metres of the ground. In degrees and in projections that stretch whole
    parallels, as Mercator's does, it is the area on the ellipsoid, measured at the middle column.
    """
    if grid.crs is None:
        return np.full(grid.height, np.nan)
    if grid.crs.is_projected and not any(name in grid.crs.to_wkt() for name in _STRETCHED):
        _, metres = grid.crs.linear_units_factor
        return np.full(grid.height, abs(grid.transform.determinant) * metres**2)
    try:
        return _on_ellipsoid(grid)
    except (*GDAL_ERRORS, ValueError):  # a local CRS, or one that is not valid here
        return np.full(grid.height, np.nan)


def _on_ellipsoid(grid: Grid) -> NDArray[np.float64]:
    """By the corners of the pixels of the middle column: an equal-area plane keeps what their quadrilaterals cover."""
    lines = np.arange(grid.height + 1.0)
    a, b, c, d, e, f = grid.transform[:6]
    sides = []
    for column in (grid.width / 2 - 0.5, grid.width / 2 + 0.5):
        xs, ys = a * column + b * lines + c, d * column + e * lines + f
        sides.append(np.array(transform(grid.crs, "EPSG:4326", xs, ys)))
    (west, south), (east, north) = sides
    middle = west[len(west) // 2]
    x_left, x_right = (np.radians((each - middle + 180) % 360 - 180) for each in (west, east))
    y_left, y_right = _authalic(south), _authalic(north)
    # half the cross product of the diagonals
    falling_x, falling_y = x_right[1:] - x_left[:-1], y_right[1:] - y_left[:-1]
    rising_x, rising_y = x_right[:-1] - x_left[1:], y_right[:-1] - y_left[1:]
    areas: NDArray[np.float64] = _SEMI_MAJOR_M**2 / 2 * np.abs(falling_x * rising_y - falling_y * rising_x)
    return np.where(np.isfinite(areas), areas, np.nan)


def _authalic(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of a parallel in the equal-area cylindrical projection of the ellipsoid, in semi-major axes."""
    sine, e = np.sin(np.radians(latitude)), _ECCENTRICITY
    height: NDArray[np.float64] = (1 - e**2) / 2 * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)
    return height
