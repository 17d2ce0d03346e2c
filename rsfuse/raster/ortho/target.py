"""The grid that an image is brought to: another raster's, or one of its own on round coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from shapely import Polygon, box, make_valid, union_all

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.image_model import ImageModel, Numbers
from rsfuse.raster.footprint import Points, around, carried, lonlat, outline, told_place
from rsfuse.raster.opening import open_raster
from rsfuse.raster.ortho.models import between

_POINTS_PER_EDGE = 64  # borders of an image bend on the ground
_SLACK_PX = 1e-3  # an image that hangs over a pixel's edge by less does not ask for one more
_LONGEST_SIDE = 2_000_000  # pixels; the Earth all around at 20 m
_DEGREE_M = 111_319.49  # of the equator, and of a meridian to half a percent
_UTM_LATITUDES = (-80.0, 84.0)


@dataclass(frozen=True, eq=False)
class Footprint:
    """Where the border of an image lies on the ground.

    Args:
        crs: of the points.
        points: (n, 2) x and y in order; longitudes go on beyond 180 where the border crosses that meridian.
    """

    crs: CRS
    points: Points

    @classmethod
    def of(cls, model: ImageModel, shape: tuple[int, int], height: float) -> Footprint:
        """That of an image.

        Args:
            model: where its pixels lie.
            shape: rows and columns.
            height: of the ground above the ellipsoid, in metres. Seen askance, other heights lie elsewhere: an image of
                mountains has one footprint at the lowest and one at the highest.

        Raises:
            SceneError: if the model places hardly any of the border anywhere.
        """
        columns, rows = (around(_POINTS_PER_EDGE) * (shape[1], shape[0])).T
        points = np.stack(model.to_ground(columns, rows, np.full_like(rows, height)), -1)
        known = np.isfinite(points).all(1)
        if known.sum() < 3:
            raise SceneError(
                f"the border of the image ({shape[0]} x {shape[1]} px) has no place on the ground at {height:.0f} m",
                hint="choose another --height; or its geometry is damaged, or another image's: compare the RPC with it",
            )
        return cls(model.crs, points[known])

    @property
    def lonlat(self) -> tuple[float, float]:
        """Longitude and latitude of its middle, in degrees."""
        lon, lat = self.within(CRS.from_epsg(4326)).mean(0)
        return float((lon + 180) % 360 - 180), float(lat)

    def within(self, crs: CRS) -> Points:
        """Its points in another CRS; those for which that is not valid are left out."""
        points = carried(self.points, _coordinates(self.crs), _coordinates(crs))
        return points[np.isfinite(points).all(1)]

    def on(self, grid: Grid) -> Polygon:
        """Its outline in columns and rows of a grid, empty where the CRS of that is not valid."""
        points = self.points
        if self.crs == grid.crs:  # else the way from one CRS to the other sees to it
            points = _on_lap(points, grid.centre[0], self.crs)
        points = carried(points, _coordinates(self.crs), grid)
        points = points[np.isfinite(points).all(1)]
        return make_valid(Polygon(points)) if len(points) >= 4 else Polygon()


def grid_like(path: Path) -> Grid:
    """The grid of a raster.

    Raises:
        SceneError: if it cannot be read, or has no CRS.
    """
    with open_raster(path) as file:
        grid = Grid(file.crs or None, file.transform, file.shape)
    if grid.crs is None:
        raise SceneError(
            f"{path} has no CRS, so that nothing can be brought to its grid",
            hint="name a raster with a CRS after --like, or give --crs and --gsd",
        )
    return grid


def check_reach(path: Path, footprints: Sequence[Footprint], grid: Grid) -> float:
    """Refuse a grid on which nothing of an image lies.

    Args:
        path: of the image, for the message.
        footprints: of its parts.
        grid: where it is wanted.

    Returns:
        Share of the grid that the image covers, above 0 to 1.

    Raises:
        GridMismatchError: if that is nothing; it says where both are.
    """
    outlines = union_all([footprint.on(grid) for footprint in footprints])
    covered = outlines.intersection(box(0, 0, grid.width, grid.height))
    if covered.area == 0:
        raise GridMismatchError(
            f"{path} lies elsewhere: it covers {told_place(_border(footprints))}, "
            f"the grid {told_place(lonlat(outline(grid), grid))}",
            hint="give a grid of the same place, or give --crs and --gsd",
        )
    return float(covered.area) / (grid.width * grid.height)


def snapped_grid(footprints: Sequence[Footprint], crs: CRS, gsd: float) -> Grid:
    """The smallest grid that holds footprints, its corner on multiples of the GSD, so that others' pixels fall on it.

    Args:
        footprints: of one image at several heights, or of several images.
        crs: of the grid.
        gsd: side of its square pixels in units of the CRS.

    Raises:
        GridMismatchError: if the CRS is not valid at the footprints.
        SceneError: if the grid would be longer than any scene is.
    """
    parts = [points for points in (footprint.within(crs) for footprint in footprints) if len(points)]
    if not parts:
        raise GridMismatchError(
            f"{crs.to_string()} is not valid at {told_place(_border(footprints))}",
            hint="choose another --crs, or leave it out",
        )
    points = np.concatenate([_on_lap(part, parts[0][:, 0].mean(), crs) for part in parts])
    (left, bottom), (right, top) = np.floor(points.min(0) / gsd + _SLACK_PX), np.ceil(points.max(0) / gsd - _SLACK_PX)
    wide, high = points.max(0) - points.min(0)
    if gsd > max(wide, high):
        raise SceneError(
            f"a pixel of {gsd:g} is larger than the scene, {wide:.4g} x {high:.4g} in units of {crs.to_string()}",
            hint="give --gsd in units of the CRS: metres in most, degrees in EPSG:4326",
        )
    width, height = max(int(right - left), 1), max(int(top - bottom), 1)
    if max(width, height) > _LONGEST_SIDE:
        raise SceneError(
            f"a GSD of {gsd:g} makes a grid of {height} x {width} px in {crs.to_string()}",
            hint="give --gsd in units of the CRS: metres in most, degrees in EPSG:4326",
        )
    return Grid(crs, Affine(gsd, 0, float(left) * gsd, 0, -gsd, float(top) * gsd), (height, width))


def utm_of(lon: float, lat: float) -> CRS:
    """The UTM zone of a place, by longitude alone, without the exceptions of Norway and Svalbard; UPS at the poles.

    UPS is EPSG:5041 beyond 84 degrees north and EPSG:5042 beyond 80 south, with east before north.
    """
    south, north = _UTM_LATITUDES
    if not south <= lat <= north:
        return CRS.from_epsg(5041 if lat > north else 5042)
    zone = math.floor((lon + 180) / 6) % 60 + 1
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def coarsened(grid: Grid, ratio: float) -> Grid:
    """The grid of larger pixels that covers another from the same corner on.

    Args:
        grid: the finer one.
        ratio: of a larger pixel's side to one of its pixels'.
    """
    shape = (math.ceil(grid.height / ratio), math.ceil(grid.width / ratio))
    return Grid(grid.crs, grid.transform * Affine.scale(ratio), shape)


def natural_gsd(model: ImageModel, shape: tuple[int, int], crs: CRS, height: float) -> tuple[float, float]:
    """How far one goes along x and y of a CRS to come one pixel on in an image, at its centre, in units of the CRS.

    Args:
        model: where the image's pixels lie.
        shape: its rows and columns.
        crs: in which to go.
        height: of the ground above the ellipsoid, in metres.
    """
    per_x, per_y = _pixels_per_unit(model, shape, crs, height).T
    return 1 / math.hypot(*per_x), 1 / math.hypot(*per_y)


def default_gsd(natural: tuple[float, float], crs: CRS, nominal_m: float | None = None) -> float:
    """A round GSD for an image, in units of the CRS.

    The nominal one of its product if there is one, else the natural one to two digits: in a projected CRS the
    geometric mean of x and y, in a geographic one that along y, whose degrees are as long everywhere.

    Args:
        natural: see `natural_gsd`.
        crs: in whose units it is.
        nominal_m: in metres.
    """
    if nominal_m is None:
        return _to_two_digits(natural[1] if crs.is_geographic else math.sqrt(natural[0] * natural[1]))
    if crs.is_geographic:
        return _to_two_digits(nominal_m / _DEGREE_M)
    return nominal_m / float(crs.linear_units_factor[1])


def source_coarseness(grid: Grid, model: ImageModel, shape: tuple[int, int], height: float) -> tuple[float, float]:
    """How many rows and columns of an image one pixel of a grid spans, at the image's centre.

    Args:
        grid: with a CRS.
        model: where the image's pixels lie.
        shape: its rows and columns.
        height: of the ground above the ellipsoid, in metres.
    """
    a, b, _, d, e, _ = grid.transform[:6]
    columns, rows = _pixels_per_unit(model, shape, grid.crs, height) @ np.array([[a, b], [d, e]])
    return math.hypot(*rows), math.hypot(*columns)


def _pixels_per_unit(model: ImageModel, shape: tuple[int, int], crs: CRS, height: float) -> Numbers:
    """How columns and rows of an image, down, change with x and y, across, at its centre: (2, 2)."""
    row, column = shape[0] / 2, shape[1] / 2
    columns, rows = column + np.array([-0.5, 0.5, 0, 0]), row + np.array([0, 0, -0.5, 0.5])
    x, y = between(model.crs, crs)(*model.to_ground(columns, rows, np.full_like(rows, height)))
    if crs.is_geographic:
        x = np.unwrap(x, period=360)
    return np.linalg.inv(np.array([[x[1] - x[0], x[3] - x[2]], [y[1] - y[0], y[3] - y[2]]]))


def _border(footprints: Sequence[Footprint]) -> Points:
    """Longitudes and latitudes around all."""
    return np.concatenate([footprint.within(CRS.from_epsg(4326)) for footprint in footprints])


def _coordinates(crs: CRS) -> Grid:
    """The grid whose columns and rows are x and y."""
    return Grid(crs, Affine.identity(), (0, 0))


def _on_lap(points: Points, centre: float, crs: CRS) -> Points:
    """Points whose longitudes, together, are within half a turn of the centre; in other CRSs as they are."""
    if not crs.is_geographic:
        return points
    turns = round((centre - float(points[:, 0].mean())) / 360)
    shifted: Points = points + np.array([360.0 * turns, 0.0])
    return shifted


def _to_two_digits(value: float) -> float:
    return float(f"{value:.2g}")
