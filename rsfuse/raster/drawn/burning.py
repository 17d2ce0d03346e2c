"""Burning: polygons become numbers of pixels, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from rsfuse.raster.opening import bound_cache

BLOCK = 512
"""Side in pixels of the squares that are burned at once."""

_KEPT = 32  # burned blocks, 8 MB
_LARGE = 256  # vertices; a polygon with more is cut along the edges of blocks, or each block would burn all of it
_ALMOST = 1e-6  # of a block; a cut may miss the edge by the rounding of a float


class Burner:
    """Polygons as numbers of the pixels whose centres lie in them. One thread at a time; it pickles.

    The grid is burned in fixed blocks, each as a whole, so that any two windows agree where they overlap.

    Args:
        outlines: (n,) valid polygons and multipolygons; x counts columns, y rows. Later ones cover earlier ones.
        values: (n,) number of each, 0 to 255.
        shape: (height, width) of the grid.
        fill: number of the pixels in no polygon.
    """

    def __init__(
        self, outlines: NDArray[np.object_], values: NDArray[np.uint8], shape: tuple[int, int], *, fill: int
    ) -> None:
        bound_cache()
        self._arguments = (outlines, values, shape)
        self._values, self._shape, self._fill = values, shape, fill
        self._pieces, self._owners = _pieces(outlines, shape)
        self._tree = shapely.STRtree(self._pieces)
        self._burned: dict[tuple[int, int], NDArray[np.uint8] | None] = {}

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Numbers (h, w) of a window in whole pixels; beyond the grid those of no polygon."""
        left, top = int(window.col_off), int(window.row_off)
        numbers = np.full((int(window.height), int(window.width)), self._fill, np.uint8)
        for row, rows in _blocks(top, min(top + numbers.shape[0], self._shape[0])):
            for column, columns in _blocks(left, min(left + numbers.shape[1], self._shape[1])):
                block = self._block(row, column)
                if block is not None:
                    part = block[_moved(rows, -row * BLOCK), _moved(columns, -column * BLOCK)]
                    numbers[_moved(rows, -top), _moved(columns, -left)] = part
        return numbers

    def touching(self, window: Window) -> NDArray[np.intp]:
        """Places in `outlines` of the polygons that share area with a window, in order."""
        right, bottom = window.col_off + window.width, window.row_off + window.height
        inside = shapely.box(window.col_off + _ALMOST, window.row_off + _ALMOST, right - _ALMOST, bottom - _ALMOST)
        found: NDArray[np.intp] = np.unique(self._owners[self._tree.query(inside, predicate="intersects")])
        return found

    def _block(self, row: int, column: int) -> NDArray[np.uint8] | None:
        """A square of BLOCK pixels, or what the grid has of it; None if no polygon is near."""
        place = row, column
        if place not in self._burned:
            if len(self._burned) >= _KEPT:
                del self._burned[next(iter(self._burned))]
            self._burned[place] = self._burn(row * BLOCK, column * BLOCK)
        return self._burned[place]

    def _burn(self, top: int, left: int) -> NDArray[np.uint8] | None:
        height, width = min(BLOCK, self._shape[0] - top), min(BLOCK, self._shape[1] - left)
        found = np.sort(self._tree.query(shapely.box(left, top, left + width, top + height)))
        if len(found) == 0:
            return None
        numbers = self._values[self._owners[found]].tolist()
        burned: NDArray[np.uint8] = rasterize(
            zip(self._pieces[found], numbers, strict=True),
            out_shape=(height, width),
            transform=Affine.translation(left, top),
            fill=self._fill,
            dtype="uint8",
        )
        return burned

    def __reduce__(self) -> tuple[object, ...]:
        return _burner, (*self._arguments, self._fill)


def _burner(outlines: NDArray[np.object_], values: NDArray[np.uint8], shape: tuple[int, int], fill: int) -> Burner:
    return Burner(outlines, values, shape, fill=fill)


def _blocks(start: int, stop: int) -> Iterator[tuple[int, slice]]:
    """Numbers of the blocks between two places along one axis, and what of each lies between them."""
    start = max(start, 0)
    for number in range(start // BLOCK, -(-stop // BLOCK) if stop > start else 0):
        yield number, slice(max(start, number * BLOCK), min(stop, (number + 1) * BLOCK))


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _pieces(outlines: NDArray[np.object_], shape: tuple[int, int]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Simple polygons of few vertices that together cover the same pixels, in order, and whose each is."""
    parts, owners = shapely.get_parts(outlines, return_index=True)
    large = shapely.get_num_coordinates(parts) > _LARGE
    grid = shapely.box(0, 0, shape[1], shape[0])
    pieces = [list(_cut(part, grid)) if is_large else [part] for part, is_large in zip(parts, large, strict=True)]
    flat = np.array([piece for each in pieces for piece in each], object)
    return flat, np.repeat(owners, [len(each) for each in pieces])


def _cut(polygon: shapely.Polygon, limits: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """A polygon within a box, in halves of halves until each has few vertices or lies in one block."""
    whole = limits.covers(shapely.box(*polygon.bounds))
    for part in [polygon] if whole else shapely.get_parts(shapely.intersection(polygon, limits)):
        if part.geom_type != "Polygon" or part.is_empty:  # a cut through a corner leaves lines and points, too
            continue
        ends = part.bounds
        first = [math.floor(end / BLOCK + _ALMOST) for end in ends[:2]]
        last = [math.ceil(end / BLOCK - _ALMOST) for end in ends[2:]]
        blocks = [end - start for start, end in zip(first, last, strict=True)]
        if shapely.get_num_coordinates(part) <= _LARGE or max(blocks) <= 1:
            yield part
            continue
        axis = blocks.index(max(blocks))
        middle = float((first[axis] + last[axis]) // 2 * BLOCK)
        for start, end in ((ends[axis], middle), (middle, ends[axis + 2])):
            half = list(ends)
            half[axis], half[axis + 2] = start, end
            yield from _cut(part, shapely.box(*half))
