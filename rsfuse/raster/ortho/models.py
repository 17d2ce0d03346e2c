"""Ways from the ground into an image other than rational polynomials: a grid, control points; and which a file has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.rpc import RPC
from rasterio.transform import GCPTransformer

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.image_model import ImageModel, Numbers
from rsfuse.geometry.lattice import ToModel
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.footprint import transformed
from rsfuse.raster.opening import GDAL_ERRORS
from rsfuse.raster.products.rpb import parse_rpb

_SPLINE_FROM = 6  # points: fewer are joined by a plane, for a spline would make much of the error of each
_FLATTEST = 1e-3  # of the extent of control points across to that along: flatter, they lie on a line
_RPC_ENDINGS = (".rpb", ".rpc")


@dataclass(frozen=True)
class GridModel:
    """A raster that lies on the ground already.

    Args:
        grid: with a CRS.
    """

    grid: Grid
    heeds_height = False

    @property
    def crs(self) -> CRS:
        """Of x and y."""
        return self.grid.crs

    def to_image(self, x: Numbers, y: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows of points, wherever they lie."""
        return _applied(~self.grid.transform, _on_lap(x, self.grid.centre[0], self.crs), y)

    def to_ground(self, column: Numbers, row: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Where points of the image lie, wherever they lie."""
        return _applied(self.grid.transform, column, row)

    def reduced(self, rows: int, columns: int) -> GridModel:
        """The raster in which blocks of so many rows and columns have become pixels."""
        height, width = self.grid.shape
        shape = (math.ceil(height / rows), math.ceil(width / columns))
        return GridModel(Grid(self.crs, self.grid.transform * Affine.scale(columns, rows), shape))


class GcpModel:
    """Control points: a thin-plate spline through them all, or the plane nearest to the few that there are.

    Heights of the points are not looked at: their places hold for the ground as it is. Points across the 180th
    meridian may lie on both of its sides.

    Args:
        gcps: their rows and columns count from the outer corner of the first pixel, as GDAL's do.
        crs: of their x and y.

    Raises:
        SceneError: if they are fewer than 3, lie on a line, or contradict each other.
    """

    heeds_height = False

    def __init__(self, gcps: Sequence[GroundControlPoint], crs: CRS) -> None:
        self._crs = crs
        self._around = gcps[0].x if gcps else 0.0
        points = np.array([(point.col, point.row, point.x, point.y) for point in gcps]).reshape(-1, 4)
        points[:, 2] = _on_lap(points[:, 2], self._around, crs)
        points = np.unique(points, axis=0)
        _check(points)
        self._surface = _Spline(points) if len(points) >= _SPLINE_FROM else _Plane(points)

    @property
    def crs(self) -> CRS:
        """Of x and y."""
        return self._crs

    def to_image(self, x: Numbers, y: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Columns and rows of points."""
        return self._surface.to_image(_on_lap(x, self._around, self._crs), y)

    def to_ground(self, column: Numbers, row: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        """Where points of the image lie; a spline finds back from there but nearly."""
        return self._surface.to_ground(column, row)

    def reduced(self, rows: int, columns: int) -> ImageModel:
        """The model of the image in which blocks of so many rows and columns have become pixels."""
        return _Reduced(self, rows, columns)


@dataclass(frozen=True)
class _Reduced:
    """A model of an image of which blocks of pixels have become one."""

    whole: ImageModel
    rows: int
    columns: int

    @property
    def crs(self) -> CRS:
        return self.whole.crs

    @property
    def heeds_height(self) -> bool:
        return self.whole.heeds_height

    def to_image(self, x: Numbers, y: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        columns, rows = self.whole.to_image(x, y, height)
        return columns / self.columns, rows / self.rows

    def to_ground(self, column: Numbers, row: Numbers, height: Numbers) -> tuple[Numbers, Numbers]:
        return self.whole.to_ground(column * self.columns, row * self.rows, height)

    def reduced(self, rows: int, columns: int) -> ImageModel:
        return _Reduced(self.whole, self.rows * rows, self.columns * columns)


class _Plane:
    """Nearest to control points (n, 4): columns, rows, x, y."""

    def __init__(self, points: Numbers) -> None:
        # from the mean of all, where numbers are small
        image, ground = points[:, :2].mean(0), points[:, 2:].mean(0)
        slopes = np.linalg.lstsq(points[:, :2] - image, points[:, 2:] - ground, rcond=None)[0].T
        (a, b), (d, e) = slopes.tolist()
        self._transform = Affine.translation(*ground) * Affine(a, b, 0, d, e, 0) * Affine.translation(*-image)

    def to_image(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        return _applied(~self._transform, x, y)

    def to_ground(self, column: Numbers, row: Numbers) -> tuple[Numbers, Numbers]:
        return _applied(self._transform, column, row)


class _Spline:
    """A thin-plate spline through control points (n, 4): columns, rows, x, y."""

    def __init__(self, points: Numbers) -> None:
        gcps = [GroundControlPoint(row=row, col=column, x=x, y=y, z=0) for column, row, x, y in points.tolist()]
        self._transformer = GCPTransformer(gcps, tps=True)
        self._lock = Lock()  # GDAL's transformers serve one thread at a time

    def to_image(self, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        with self._lock:
            rows, columns = self._transformer.rowcol(x.ravel(), y.ravel(), op=np.positive)
        return columns.reshape(x.shape), rows.reshape(x.shape)

    def to_ground(self, column: Numbers, row: Numbers) -> tuple[Numbers, Numbers]:
        with self._lock:
            x, y = self._transformer.xy(row.ravel(), column.ravel(), offset="ul")
        return x.reshape(column.shape), y.reshape(column.shape)


def model_of(file: DatasetReader) -> ImageModel | None:
    """Where the pixels of a plain raster lie; None where it does not say.

    Its CRS and transform go first: who has those is on the ground already, whatever polynomials came along. Then come
    polynomials, of the file itself or in an .rpb or .rpc beside it, which GDAL does not always find, then control
    points.

    Raises:
        SceneError: if its control points, or the text beside it, are not good for anything.
    """
    if file.crs and not file.transform.is_identity:
        return GridModel(Grid(file.crs, file.transform, file.shape))
    rpc = _rpc_beside(Path(file.name)) or _rpc_inside(file)
    if rpc is not None:
        return RationalModel(rpc)
    gcps, crs = file.gcps
    if not gcps or not crs:
        return None
    try:
        return GcpModel(gcps, crs)
    except SceneError as error:
        raise SceneError(f"{file.name}: {error}", hint=error.hint) from error


def between(crs: CRS, other: CRS) -> ToModel:
    """The way from one CRS to another: NaN where the other is not valid."""
    if crs == other:
        return lambda x, y: (x, y)

    def way(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
        flat = np.stack([x.ravel(), y.ravel()], 1)
        there = np.full_like(flat, np.nan)
        known = np.isfinite(flat).all(1)
        there[known] = transformed(flat[known], crs, other)
        return there[:, 0].reshape(x.shape), there[:, 1].reshape(x.shape)

    return way


def _applied(affine: Affine, x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    a, b, c, d, e, f = affine[:6]
    return a * x + b * y + c, d * x + e * y + f


def _on_lap(x: Numbers, centre: float, crs: CRS) -> Numbers:
    """Longitudes within half a turn of the centre; other coordinates as they are."""
    return x + 360 * np.round((centre - x) / 360) if crs.is_geographic else x


def _check(points: Numbers) -> None:
    """Refuse control points (n, 4), each of them there once, of which nothing can be made."""
    hint = "orthorectify with other control points, or remove those that are wrong"
    if len(points) < 3:
        raise SceneError(f"{len(points)} control points are too few: at least 3 tie an image to the ground", hint=hint)
    for places, name in ((points[:, :2], "in the image"), (points[:, 2:], "on the ground")):
        extents = np.linalg.svd(places - places.mean(0), compute_uv=False)
        if extents[1] <= _FLATTEST * extents[0]:
            raise SceneError(f"all {len(points)} control points lie on one line {name}", hint=hint)
        if len(np.unique(places, axis=0)) < len(points):
            raise SceneError(f"two of {len(points)} control points share a place {name} and nothing else", hint=hint)


def _rpc_inside(file: DatasetReader) -> RPC | None:
    """Polynomials that GDAL knows of."""
    try:
        return file.rpcs
    except GDAL_ERRORS as error:
        raise SceneError(
            f"{file.name} has polynomials (RPC) that cannot be read: {error}",
            hint="look at the text beside it, or take it away",
        ) from error


def _rpc_beside(path: Path) -> RPC | None:
    """Polynomials in a text of the same name beside a raster, if there is one."""
    if not path.is_file():
        return None
    for sibling in sorted(path.parent.iterdir()):
        if sibling.stem == path.stem and sibling.suffix.lower() in _RPC_ENDINGS:
            return parse_rpb(sibling.read_text(errors="replace"), str(sibling))
    return None
