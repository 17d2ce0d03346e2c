"""Outlines: arrays of shapely's polygons, mended, cut and moved to another system of coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

_SEGMENTS = 64  # a straight edge of 100 km in degrees bends by up to 200 m in metres; a 64th of it by 5 cm

Coordinates = NDArray[np.float64]


def areas(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """The areas of geometries, mended where they cross themselves; empty where there is none."""
    mended = geometries.copy()
    broken = ~shapely.is_valid(mended)
    mended[broken] = shapely.make_valid(mended[broken])
    for place in np.flatnonzero(shapely.get_type_id(mended) == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = shapely.get_parts(shapely.get_parts(mended[place]))
        mended[place] = shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
    mended[shapely.get_dimensions(mended) < 2] = shapely.Polygon()  # make_valid leaves a line of a flat polygon
    return mended


def cut_short(outlines: NDArray[np.object_], limits: shapely.Geometry) -> NDArray[np.object_]:
    """Outlines cut to one box or several, with edges so short that they stay straight in another CRS."""
    shapely.prepare(limits)
    cut = outlines.copy()
    over = ~shapely.contains(limits, outlines)
    cut[over] = shapely.intersection(outlines[over], limits)
    ends = shapely.bounds(shapely.get_parts(limits))
    short: NDArray[np.object_] = shapely.segmentize(cut, (ends[:, 2:] - ends[:, :2]).max() / _SEGMENTS)
    return short


def moved(
    geometries: NDArray[np.object_], move: Callable[[Coordinates, Coordinates], Sequence[Sequence[float] | Coordinates]]
) -> NDArray[np.object_]:
    """Geometries after a function from xs and ys to xs and ys."""

    def stacked(places: Coordinates) -> Coordinates:
        return np.stack([np.asarray(axis) for axis in move(places[:, 0], places[:, 1])], 1) if len(places) else places

    there: NDArray[np.object_] = shapely.transform(geometries, stacked)
    return there
