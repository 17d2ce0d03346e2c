"""Polygons of vector files, brought to the pixels of a grid. The one door by which pyogrio reads.

By the other one, polygon_file.py, it writes.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform, transform_bounds
from shapely.errors import ShapelyError

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.drawn.outlines import areas, cut_short, moved
from rsfuse.raster.opening import GDAL_ERRORS, bound_cache

SUFFIXES = frozenset({".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gml", ".kml"})
"""Endings, in lower case, by which a file of polygons is known."""

CLASS_FIELDS = (
    "class", "label", "landcover", "land_cover", "code", "classname", "class_name", "category", "lulc",
)  # fmt: skip
"""Attributes that are taken for the class where nobody names one, the first of them that is there."""

NO_VALUE = ""
"""Stands for the attribute of a polygon that has none."""

_MARGIN = 0.05  # of a grid's extent; beyond it nothing is read
_INSET = 1e-5  # pixels; what only touches the edge of a grid lies outside
_FAILURES = (*GDAL_ERRORS, RuntimeError, ShapelyError, ValueError)  # pyogrio's errors are RuntimeErrors


@dataclass(frozen=True, eq=False)
class Polygons:
    """Polygons of one file that share area with a grid.

    Args:
        outlines: (n,) polygons and multipolygons of shapely, valid, in the order of the file; x counts columns of the
            grid and y its rows, from its upper left corner. Some may hang over its edge.
        values: attribute of each, `NO_VALUE` where it has none.
        field: name of that attribute.
    """

    outlines: NDArray[np.object_]
    values: tuple[object, ...]
    field: str


def holds_polygons(path: Path) -> bool:
    """Whether a file is taken for one of polygons, by its ending."""
    return path.suffix.lower() in SUFFIXES


def read_polygons(path: Path, grid: Grid, field: str | None = None, *, points: bool = False) -> Polygons:
    """The polygons of a file that share area with a grid, and what they say.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or whatever else GDAL knows, with one layer of polygons.
        grid: with a CRS; the polygons may have another.
        field: attribute to read, capitals do not count; None for the first of `CLASS_FIELDS`, or the only one.
        points: the file may hold points instead; each is the pixel that it lies in.

    Raises:
        SceneError: if the file is missing or damaged, has no or several layers of polygons, or points and lines among
            them, or it is not clear which attribute is meant.
        GridMismatchError: if grid or file lack a CRS, or no polygon shares area with the grid.
    """
    layer = _Layer(path, grid, points=points)
    name = _field_of(path, layer.fields, field)
    outlines, kept, column = layer.read(name)
    values = tuple(NO_VALUE if _is_nothing(value) else value for value in column[kept].tolist())
    return Polygons(outlines, values, name)


def read_outlines(path: Path, grid: Grid) -> NDArray[np.object_]:
    """Like `Polygons.outlines` of `read_polygons`; what else the file says of them does not count."""
    return _Layer(path, grid).read(None)[0]


class _Layer:
    """The layer of polygons, or points, of a file, and where a grid lies in it."""

    def __init__(self, path: Path, grid: Grid, *, points: bool = False) -> None:
        if not path.exists():
            raise SceneError(f"{path} does not exist", hint="check the path")
        bound_cache()
        self.path, self.grid, self._points = path, grid, points
        try:
            self.name = _polygon_layer(path, points=points)
            facts = pyogrio.read_info(path, layer=self.name)
        except (RuntimeError, OSError) as error:
            raise _damaged(path, error) from error
        self.fields: list[str] = [str(each) for each in facts["fields"]]
        self.crs, self._wanted = _common_ground(path, facts["crs"], grid)
        self._moves = self.crs != self._wanted
        self._place = self._bounds_of_grid()

    def _bounds_of_grid(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of the grid in the CRS of the file; left > right across the antimeridian."""
        if not self._moves:
            return tuple(self.grid.bounds)
        try:
            left, bottom, right, top = transform_bounds(self._wanted, self.crs, *self.grid.bounds)
        except GDAL_ERRORS as error:
            raise self._unreachable(error) from error
        return left, bottom, right, top

    def read(self, field: str | None) -> tuple[NDArray[np.object_], NDArray[np.intp], NDArray[Any]]:
        """Outlines in pixels, their places in the column of values, and that column."""
        near = _widened(self._place)
        raw, column = self._load(near.bounds, field)
        found = np.flatnonzero(~(shapely.is_missing(raw) | shapely.is_empty(raw)))
        outlines = raw[found]
        if self._points and len(outlines) and (shapely.get_dimensions(outlines) == 0).all():
            pixels = self._pixels_of(outlines)
            return self._inside(pixels, found, column)
        self._check_kinds(outlines)
        if self._moves:
            outlines = self._bring(areas(cut_short(areas(outlines), near)))
        a, b, c, d, e, f = (~self.grid.transform)[:6]
        pixels = areas(moved(outlines, lambda x, y: (a * x + b * y + c, d * x + e * y + f)))
        return self._inside(pixels, found, column)

    def _pixels_of(self, points: NDArray[np.object_]) -> NDArray[np.object_]:
        """For each point, or several together, the pixels that they lie in."""
        places = self._bring(points) if self._moves else points
        xy, owner = shapely.get_coordinates(places, return_index=True)
        columns, rows = np.floor(~self.grid.transform * tuple(xy.T))
        squares = shapely.box(columns, rows, columns + 1, rows + 1)
        pixels: NDArray[np.object_] = shapely.multipolygons(squares, indices=owner)
        return pixels

    def _inside(
        self, pixels: NDArray[np.object_], found: NDArray[np.intp], column: NDArray[Any]
    ) -> tuple[NDArray[np.object_], NDArray[np.intp], NDArray[Any]]:
        """Those that share area with the grid."""
        height, width = self.grid.shape
        inside = shapely.box(_INSET, _INSET, width - _INSET, height - _INSET)
        shapely.prepare(inside)
        touches = shapely.intersects(inside, pixels)
        if not touches.any():
            raise self._elsewhere()
        return pixels[touches], found[touches], column

    def _load(self, near: tuple[float, ...], field: str | None) -> tuple[NDArray[np.object_], NDArray[Any]]:
        """Geometries and values in the order of the file: a spatial index gives them in its own."""
        columns = [] if field is None else [field]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of measures (M), which nobody needs
                _, fids, wkb, data = pyogrio.raw.read(
                    self.path, layer=self.name, columns=columns, force_2d=True, bbox=near, return_fids=True
                )
            order = np.argsort(fids, kind="stable")
            return shapely.from_wkb(wkb[order]), data[0][order] if data else order
        except _FAILURES as error:
            raise _damaged(self.path, error) from error

    def _check_kinds(self, geometries: NDArray[np.object_]) -> None:
        kinds = Counter(each.geom_type for each in geometries)
        strange = {kind: n for kind, n in kinds.items() if kind not in {"Polygon", "MultiPolygon"}}
        if strange:
            told = ", ".join(f"{n} {kind}" for kind, n in sorted(strange.items()))
            raise SceneError(
                f"{self.path} holds {told} beside {kinds.total() - sum(strange.values())} polygons",
                hint="leave only polygons in it: buffer points and lines, or delete them",
            )

    def _bring(self, outlines: NDArray[np.object_]) -> NDArray[np.object_]:
        try:
            there = moved(outlines, lambda x, y: transform(self.crs, self._wanted, x, y))
        except GDAL_ERRORS as error:
            raise self._unreachable(error) from error
        lost = int((~np.isfinite(shapely.bounds(there)).all(1) & ~shapely.is_empty(there)).sum())
        if lost:
            raise self._unreachable(f"{lost} of {len(outlines)} polygons reach beyond where it is valid")
        return there

    def _unreachable(self, why: object) -> GridMismatchError:
        return GridMismatchError(
            f"{self.path} cannot be brought from {self.crs.to_string()} to {self._wanted.to_string()}: {why}",
            hint="reproject it first, and cut it to the scene: ogr2ogr -t_srs ... -clipsrc ...",
        )

    def _elsewhere(self) -> SceneError:
        facts = pyogrio.read_info(self.path, layer=self.name, force_total_bounds=True, force_feature_count=True)
        if facts["features"] == 0 or facts["total_bounds"] is None:
            return SceneError(f"{self.path} holds no polygon", hint="draw some, or name another file")
        return GridMismatchError(
            f"no polygon of {self.path} lies in the scene: they cover {_told(facts['total_bounds'])}, the scene "
            f"{_told(self._place)} ({self.crs.to_string()})",
            hint="give polygons of the place of the scene, or correct the CRS of the one that is wrong",
        )


def _polygon_layer(path: Path, *, points: bool) -> str:
    layers = [(str(name), str(kind)) for name, kind in pyogrio.list_layers(path)]
    # "Unknown" stands for layers of mixed kinds, "None" for tables without geometry
    words = ("Polygon", "Surface", "Unknown", *(["Point"] if points else []))
    fitting = [name for name, kind in layers if any(word in kind for word in words)]
    if len(fitting) == 1:
        return fitting[0]
    told = ", ".join(
        f"{name} ({pyogrio.read_info(path, layer=name, force_feature_count=True)['features']} {kind})"
        for name, kind in layers
    )
    raise SceneError(
        f"{path} has {len(fitting)} layers of polygons: its layers are {told or 'none at all'}",
        hint="give a file with one layer of polygons; ogr2ogr one.gpkg ... LAYER takes out one",
    )


def _common_ground(path: Path, name: str | None, grid: Grid) -> tuple[CRS, CRS]:
    """The CRS of the file and of the grid."""
    if grid.crs is None:
        raise GridMismatchError(
            f"the scene has no CRS: nobody knows where the polygons of {path} lie in it",
            hint="give the scene its CRS: gdal_edit.py -a_srs ..., or give labels as a raster of its size",
        )
    if not name:
        raise GridMismatchError(
            f"{path} has no CRS, the scene has {grid.crs.to_string()}",
            hint="give it its CRS: ogr2ogr -a_srs ..., or the .prj file that belongs beside a Shapefile",
        )
    try:
        return CRS.from_user_input(name), grid.crs
    except CRSError as error:
        raise GridMismatchError(
            f"the CRS of {path} is not known: {error}", hint="give it another: ogr2ogr -a_srs ..."
        ) from error


def _field_of(path: Path, fields: Sequence[str], wanted: str | None) -> str:
    named = {name.casefold(): name for name in reversed(fields)}
    if wanted is not None:
        found = wanted if wanted in fields else named.get(wanted.casefold())
        missing = f"no attribute {wanted!r}"
    else:
        usual = next((named[name] for name in CLASS_FIELDS if name in named), None)
        found = fields[0] if usual is None and len(fields) == 1 else usual
        missing = "no attribute that is obviously the class"
    if found is None:
        raise SceneError(
            f"the polygons of {path} have {missing}; they have {', '.join(fields) or 'none at all'}",
            hint="name the attribute that says the class: --label-field NAME",
        )
    return found


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _widened(bounds: tuple[float, float, float, float]) -> shapely.Geometry:
    """A box somewhat larger than bounds; two of them on both sides of the antimeridian."""
    left, bottom, right, top = bounds
    across = left > right
    margin = _MARGIN * max(right - left + (360 if across else 0), top - bottom)
    left, bottom, right, top = left - margin, bottom - margin, right + margin, top + margin
    if across:
        return shapely.union(shapely.box(left, bottom, 180, top), shapely.box(-180, bottom, right, top))
    return shapely.box(left, bottom, right, top)


def _damaged(path: Path, error: BaseException) -> SceneError:
    return SceneError(
        f"{path} cannot be read as polygons: {str(error).strip().splitlines()[0]}",
        hint="give a GeoPackage, a GeoJSON or a Shapefile (with its .shx and .dbf beside it)",
    )


def _told(bounds: tuple[float, float, float, float]) -> str:
    left, bottom, right, top = bounds
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}"
