"""Pixels that lie in two scenes: what one split has seen of the ground in another's file."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.split import Rectangles
from rsfuse.raster.footprint import around, carried, gsd_m, lonlat_bounds, outlined

_POINTS_PER_SIDE = 4  # of a tile: far shorter than a scene, it hardly bends in another projection
_DECIMALS = 3  # a shift by whole pixels stays one, whatever the floats of two transforms say


@dataclass(frozen=True)
class Overlap:
    """Two scenes that lie on each other on the ground.

    Args:
        first: number of one scene, counted from 0.
        second: of the other, the larger number.
        share: of the area of the smaller one, 0 to 1.
    """

    first: int
    second: int
    share: float


def overlaps(grids: Sequence[Grid]) -> list[Overlap]:
    """All pairs of scenes that lie on each other by at least half a pixel of the finer one, in order.

    Args:
        grids: of the scenes. Those without a CRS lie nowhere, and so on no other.
    """
    pairs = sorted(_pairs_in_one_crs(grids) | _pairs_in_two(grids))
    found = [Overlap(first, second, _share(grids[first], grids[second])) for first, second in pairs]
    return [overlap for overlap in found if overlap.share > 0]


def grouped(names: Sequence[str], overlaps: Sequence[Overlap]) -> list[str]:
    """For each scene the name of the first one that it lies on, directly or by a chain of others, or its own.

    Args:
        names: of the scenes.
        overlaps: of scenes by their number in these names.
    """
    leaders = list(range(len(names)))

    def leader(scene: int) -> int:
        while leaders[scene] != scene:
            leaders[scene] = leaders[leaders[scene]]  # shorten the chain for the next one who asks
            scene = leaders[scene]
        return scene

    for overlap in overlaps:
        first, second = sorted((leader(overlap.first), leader(overlap.second)))
        leaders[second] = first
    return [names[leader(scene)] for scene in range(len(names))]


def rectangles_on(tiles: Rectangles, grid: Grid, other: Grid) -> NDArray[np.float64]:
    """Where rectangles of one scene lie in another: in fractions of its pixels, and maybe far outside.

    Args:
        tiles: (n, 4) first column, first row, width, height in pixels of the grid.
        grid: of the scene that they belong to; it has a CRS.
        other: likewise, of the other scene.

    Returns:
        (n, 4) the upright rectangle around each tile in pixels of the other, to a thousandth; NaN where the CRS of the
        other is not valid.
    """
    if grid.crs is None or other.crs is None:
        raise ValueError("a scene without CRS lies nowhere")
    points = tiles[:, None, :2] + around(_POINTS_PER_SIDE) * tiles[:, None, 2:]
    there = carried(points, grid, other)
    unknown = np.isnan(there)
    low, high = np.where(unknown, np.inf, there).min(1), np.where(unknown, -np.inf, there).max(1)
    low[np.isinf(low)] = high[np.isinf(high)] = np.nan
    low, high = low.round(_DECIMALS), high.round(_DECIMALS)
    return np.concatenate([low, high - low], 1)


def _pairs_in_one_crs(grids: Sequence[Grid]) -> set[tuple[int, int]]:
    """Scenes of one CRS whose upright bounds meet: nothing is transformed, and a local CRS will do."""
    of_crs: dict[CRS, list[int]] = defaultdict(list)
    for number, grid in enumerate(grids):
        if grid.crs is not None:
            of_crs[grid.crs].append(number)
    pairs: set[tuple[int, int]] = set()
    for numbers in of_crs.values():
        bounds = np.array([grids[number].bounds for number in numbers])
        # a data set may be one ground in thousands of cuts: those that only touch are not worth a closer look
        quarter = min(_side(grids[number]) for number in numbers) / 4
        meeting = _meeting(bounds + np.array([quarter, quarter, -quarter, -quarter]))
        pairs.update((numbers[first], numbers[second]) for first, second in meeting)
    return pairs


def _side(grid: Grid) -> float:
    """Shorter side of a pixel in units of the CRS."""
    a, b, _, d, e, _ = grid.transform[:6]
    return min(math.hypot(a, d), math.hypot(b, e))


def _pairs_in_two(grids: Sequence[Grid]) -> set[tuple[int, int]]:
    """Scenes of two CRSs whose bounds in longitude and latitude meet."""
    if len({grid.crs for grid in grids if grid.crs is not None}) < 2:
        return set()
    known = {number: lonlat_bounds(grid) for number, grid in enumerate(grids) if grid.crs is not None}
    placed = {number: bounds for number, bounds in known.items() if bounds is not None}
    numbers = list(placed)
    return {(numbers[first], numbers[second]) for first, second in _meeting(np.array(list(placed.values())))}


def _meeting(bounds: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Numbers of the bounds (n, 4) that meet or touch, the smaller first."""
    boxes = shapely.box(*bounds.reshape(-1, 4).T)
    firsts, seconds = shapely.STRtree(boxes).query(boxes)
    ordered = firsts < seconds
    return list(zip(firsts[ordered].tolist(), seconds[ordered].tolist(), strict=True))


def _square_metres(grid: Grid) -> float:
    return grid.width * grid.height * gsd_m(grid) ** 2


def _share(first: Grid, second: Grid) -> float:
    """Share of the smaller of two scenes that lies on the other; 0 for a strip of less than half a pixel."""
    large, small = first, second
    if first.crs != second.crs and _square_metres(first) < _square_metres(second):
        large, small = second, first  # not all of the large one's edge need be valid in the small one's projection
    place = outlined(small, large)
    common = place.intersection(shapely.box(0, 0, large.width, large.height))
    pixel = min(math.sqrt(place.area / (small.width * small.height)), 1.0)  # side of the finer one
    if common.buffer(-pixel / 4).is_empty:
        return 0.0
    return float(min(common.area / min(place.area, large.width * large.height), 1.0))
