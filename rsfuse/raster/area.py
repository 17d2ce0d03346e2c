"""The area of a scene that counts, where it is not all of it: a crop by bounds or by polygons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.drawn.burning import BLOCK, Burner
from rsfuse.raster.drawn.polygons import read_outlines

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top in units of the scene's CRS."""

_TOUCHES_PX = 1e-6  # bounds that miss an edge of pixels by the rounding of a float still end there


@dataclass(frozen=True, eq=False)
class Area:
    """Part of a scene; it pickles.

    Args:
        window: the pixels that it takes up, in whole pixels inside the scene.
        burner: 1 for pixels inside its polygons, 0 for others; None where it is all of the window.
    """

    window: Window
    burner: Burner | None = None

    def mask(self, window: Window) -> NDArray[np.bool_] | None:
        """(h, w) whether the centre of each pixel of a window lies in a polygon; None where there are no polygons.

        Args:
            window: in the scene's whole pixels; it may hang over the edge.
        """
        return None if self.burner is None else self.burner.read(window) > 0


def crop(grid: Grid, *, bounds: Bounds | None = None, polygons: Path | None = None) -> Area:
    """The area of a scene inside bounds or polygons; all of it if there are neither.

    Args:
        grid: of the scene.
        bounds: in units of the scene's CRS; pixels that they cut count as inside.
        polygons: a file of polygons in any CRS; pixels count by their centres, the window is all that they touch.

    Raises:
        GridMismatchError: if nothing of the scene is inside, no centre of a pixel is, or nobody knows where the
            polygons lie.
        SceneError: if the file of polygons is missing or cannot serve.
    """
    if bounds is not None and polygons is not None:
        raise ValueError("a scene is cropped by bounds or by polygons, not by both")
    if polygons is not None:
        outlines = read_outlines(polygons, grid)
        burner = Burner(outlines, np.ones(len(outlines), np.uint8), grid.shape, fill=0)
        area = Area(_covering(shapely.total_bounds(outlines), grid), burner)
        if not _holds_pixels(area):
            raise _between_centres(polygons, outlines)
        return area
    if bounds is not None:
        return Area(_inside(bounds, grid))
    return Area(Window(0, 0, grid.width, grid.height))


def _holds_pixels(area: Area) -> bool:
    """Whether there is a pixel in the polygons of an area; looked for a row of blocks at a time."""
    left, top, width, height = (int(each) for each in area.window.flatten())
    strips = (Window(left, first, width, min(BLOCK, top + height - first)) for first in range(top, top + height, BLOCK))
    masks = (area.mask(strip) for strip in strips)
    return any(mask is None or bool(mask.any()) for mask in masks)


def _between_centres(path: Path, outlines: NDArray[np.object_]) -> GridMismatchError:
    left, top, right, bottom = shapely.total_bounds(outlines)
    count = "the polygon" if len(outlines) == 1 else f"the {len(outlines)} polygons"
    return GridMismatchError(
        f"no pixel of the scene has its centre in {count} of {path}: {shapely.area(outlines).sum():.3g} px of area, in "
        f"a box of {right - left:.3g} x {bottom - top:.3g} px from column {left:.6g}, row {top:.6g}",
        hint="give larger polygons, or --bounds, which take every pixel that they cut",
    )


def _inside(bounds: Bounds, grid: Grid) -> Window:
    left, bottom, right, top = bounds
    if not all(map(math.isfinite, bounds)) or left >= right or bottom >= top:
        raise GridMismatchError(
            f"bounds of left {left:.10g}, bottom {bottom:.10g}, right {right:.10g}, top {top:.10g} enclose nothing",
            hint="give left, bottom, right, top in this order",
        )
    corners = np.array(
        [~grid.transform * corner for corner in ((left, bottom), (left, top), (right, bottom), (right, top))]
    )
    window = _covering(np.concatenate([corners.min(0), corners.max(0)]), grid)
    if window.width == 0 or window.height == 0:
        there, crs = grid.bounds, grid.crs.to_string() if grid.crs else "no CRS"
        raise GridMismatchError(
            f"nothing of the scene lies between left {left:.10g}, bottom {bottom:.10g}, right {right:.10g} and "
            f"top {top:.10g}: it covers left {there.left:.10g}, bottom {there.bottom:.10g}, right {there.right:.10g}, "
            f"top {there.top:.10g} ({crs})",
            hint="give bounds in units of the scene's own CRS, or a file of polygons in any",
        )
    return window


def _covering(ends: NDArray[np.float64], grid: Grid) -> Window:
    """The whole pixels of a grid between first column, first row, last column and last row; empty if there are none."""
    left, top = (max(math.floor(end + _TOUCHES_PX), 0) for end in ends[:2])
    right, bottom = (
        min(math.ceil(end - _TOUCHES_PX), size) for end, size in zip(ends[2:], (grid.width, grid.height), strict=True)
    )
    return Window(left, top, max(right - left, 0), max(bottom - top, 0))
