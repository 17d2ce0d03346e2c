"""Heights of the ground on a grid: one for all, or those of an elevation model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.geometry.image_model import Numbers
from rsfuse.geometry.lattice import Lattice
from rsfuse.geometry.sampling import Mask, Part, Span, sample, with_neighbours
from rsfuse.raster.footprint import lonlat, outline, told_place
from rsfuse.raster.opening import Closing, open_raster, reading
from rsfuse.raster.ortho.models import GridModel, between

_GROUND_M = (-12_000.0, 9_000.0)  # below the deepest sea and above the highest mountain: -32768 is a hole, said or not
_BLOCK = 1024  # rows and columns of a grid beneath which the range is sought together
_MOST_PIXELS = 1 << 22  # of an elevation model in memory at a time
_PROBES = 64  # rows of a grid by which it is told how much of it is covered

Flat = NDArray[np.float32]


class Heights(Closing):
    """Heights above the ellipsoid in metres, for windows of a grid.

    Args:
        lowest: of all.
        highest: of all.
        posts: an elevation model, open; None where one height is that of all.
        covered: share of the grid, 0 to 1, that lies within the elevation model, holes or not.
    """

    def __init__(self, lowest: float, highest: float, posts: _Posts | None = None, covered: float = 1.0) -> None:
        self.lowest, self.highest = lowest, highest
        self.covered = covered
        self._posts = posts

    @classmethod
    def constant(cls, metres: float) -> Self:
        """One height everywhere."""
        return cls(metres, metres)

    @classmethod
    def of(cls, path: Path, grid: Grid, *, fallback: float, above: float = 0.0) -> Self:
        """Those of an elevation model, which is read once beneath all of the grid for its range.

        Its numbers are taken for metres. A vertical datum that its CRS names is not looked at: say by `above` how far
        its zero lies above the ellipsoid. What no ground can be, deeper than the sea or higher than any mountain, is a
        hole.

        Args:
            path: of a raster with a CRS; its first band counts.
            grid: with a CRS.
            fallback: height above the ellipsoid of holes, and of all that lies beyond.
            above: what is added to the heights of the model, as the undulation of the geoid.

        Raises:
            SceneError: if it cannot be read, or has no CRS.
            GridMismatchError: if it lies elsewhere.
        """
        posts = _Posts(path, grid, above, fallback)
        try:
            lowest, highest = posts.extremes()
            return cls(lowest, highest, posts, posts.covered())
        except BaseException:
            posts.close()
            raise

    @property
    def is_constant(self) -> bool:
        """Whether one height is that of all."""
        return self.lowest == self.highest

    def read(self, rows: Span, columns: Span) -> Flat | None:
        """Heights of a window, (h, w), the same whichever window asks; None where one height is that of all.

        Between the posts of an elevation model they are bilinear. A hole reaches as far as its post is the nearest.

        Raises:
            SceneError: if the elevation model is truncated or damaged.
        """
        if self._posts is None or self.is_constant:
            return None
        heights = self._posts.read(rows, columns)
        return heights.clip(self.lowest, self.highest, out=heights)

    def again(self) -> Self:
        """The same, open once more, for another thread."""
        posts = None if self._posts is None else self._posts.again()
        return type(self)(self.lowest, self.highest, posts, self.covered)

    def close(self) -> None:
        """Let go of the elevation model."""
        if self._posts is not None:
            self._posts.close()


class _Posts(Closing):
    """An elevation model, beneath a grid."""

    def __init__(self, path: Path, grid: Grid, above: float, fallback: float, below: _Below | None = None) -> None:
        self._path, self._grid, self._above, self._fallback = path, grid, above, fallback
        self._file = open_raster(path)
        self._own = Grid(self._file.crs or None, self._file.transform, self._file.shape)
        if self._own.crs is None:
            self.close()
            raise SceneError(f"the elevation model {path} has no CRS", hint="give it one: gdal_edit.py -a_srs ...")
        if self._file.count != 1:
            count = self._file.count
            self.close()
            raise SceneError(
                f"{path} has {count} bands, an elevation model has one", hint="name the raster of heights after --dem"
            )
        self._below = below or _Below.of(grid, self._own)

    def again(self) -> _Posts:
        return _Posts(self._path, self._grid, self._above, self._fallback, self._below)

    def close(self) -> None:
        self._file.close()

    def extremes(self) -> tuple[float, float]:
        """Lowest and highest of all that `read` can give."""
        found: list[float] = []
        holes, reached = False, False
        for spans in self._below.spans():
            window = with_neighbours(spans, self._own.shape, "bilinear")
            holes |= any(span[0] < 0 or span[1] > side for span, side in zip(spans, self._own.shape, strict=True))
            for pixels, valid in self._strips(*window):
                reached, holes = True, holes or not valid.all()
                found += [float(edge) for edge in _edges(pixels[valid] + np.float32(self._above))]
        if not reached:
            raise GridMismatchError(
                f"the elevation model {self._path} lies elsewhere: it covers "
                f"{told_place(lonlat(outline(self._own), self._own))}, "
                f"the scene {told_place(lonlat(outline(self._grid), self._grid))}",
                hint="give one of the same place",
            )
        found += [self._fallback] if holes else []
        return min(found), max(found)

    def covered(self) -> float:
        """Share of the grid, 0 to 1, that lies within."""
        height, width = self._grid.shape
        lines = np.unique(np.linspace(0, height - 1, _PROBES).astype(int)).tolist()
        return float(np.mean([self._inside(*self._below.coordinates((line, line + 1), (0, width))) for line in lines]))

    def read(self, rows: Span, columns: Span) -> Flat:
        heights = np.full((rows[1] - rows[0], columns[1] - columns[0]), self._fallback, np.float32)
        self._fill(heights, *self._below.coordinates(rows, columns))
        return heights

    def _fill(self, heights: Flat, across: Numbers, down: Numbers) -> None:
        """Put heights at columns and rows, all (h, w), where there are any; in parts, if that takes many posts."""
        spans = _span(down), _span(across)
        if spans[0] is None or spans[1] is None:
            return
        rows, columns = with_neighbours((spans[0], spans[1]), self._own.shape, "bilinear")
        count = (rows[1] - rows[0]) * (columns[1] - columns[0])
        if count > _MOST_PIXELS and across.size > 1:
            axis = int(across.shape[1] > across.shape[0])
            for parts in zip(*(np.array_split(whole, 2, axis) for whole in (heights, across, down)), strict=True):
                self._fill(*parts)
        elif count:
            pixels, valid = self._load(rows, columns)
            part = Part(pixels[None], valid, (rows[0], columns[0]), self._own.shape)
            values, known = sample(part, across, down, "bilinear")
            np.add(values[0], np.float32(self._above), out=heights, where=known)

    def _strips(self, rows: Span, columns: Span) -> Iterator[tuple[Flat, Mask]]:
        """A window of posts, a few rows at a time."""
        strip = max(_MOST_PIXELS // max(columns[1] - columns[0], 1), 1)
        if columns[0] < columns[1]:
            for top in range(*rows, strip):
                yield self._load((top, min(top + strip, rows[1])), columns)

    def _load(self, rows: Span, columns: Span) -> tuple[Flat, Mask]:
        """Posts (h, w), and which are no holes."""
        window = window_of(rows, columns)
        with reading(self._path, window):
            pixels = self._file.read(1, window=window, out_dtype=np.float32)
            valid = self._file.read_masks(1, window=window) > 0
        with np.errstate(over="ignore"):  # the largest number of all may stand for a hole
            pixels *= np.float32(self._file.scales[0])
            pixels += np.float32(self._file.offsets[0])
        return pixels, valid & (pixels > _GROUND_M[0]) & (pixels < _GROUND_M[1])

    def _inside(self, across: Numbers, down: Numbers) -> float:
        """Share of places that lie within."""
        return float(((across >= 0) & (across <= self._own.width) & (down >= 0) & (down <= self._own.height)).mean())


@dataclass(frozen=True)
class _Below:
    """Which pixels of an elevation model lie beneath those of a grid.

    Longitudes begin anew somewhere. So that columns do not jump within the grid, they are counted on from its middle,
    and only in the end put back into the turn of the model.

    Args:
        lattice: of the grid, with the model moved below its middle.
        moved: columns that it was moved by.
        turn: columns around the Earth; None where the model is not in degrees.
        shape: rows and columns of the grid.
    """

    lattice: Lattice
    moved: int
    turn: float | None
    shape: tuple[int, int]

    @classmethod
    def of(cls, grid: Grid, own: Grid) -> _Below:
        to_own = between(grid.crs, own.crs)
        moved, turn = 0, None
        if own.crs is not None and own.crs.is_geographic and own.transform.b == 0:
            longitude = to_own(*(np.array([at]) for at in grid.centre))[0].item()
            moved = round((longitude - own.centre[0]) / own.transform.a) if math.isfinite(longitude) else 0
            turn = abs(360 / own.transform.a)
        model = GridModel(own.window(Window(moved, 0, own.width, own.height)))
        return cls(Lattice(grid, model, to_own, 0, 0), moved, turn, grid.shape)

    def coordinates(self, rows: Span, columns: Span) -> tuple[Numbers, Numbers]:
        """Columns and rows of the elevation model for a window of the grid, (h, w)."""
        across, down = self.lattice.coordinates(rows, columns, None)
        across += self.moved
        if self.turn is not None:
            across -= self.turn * np.floor(across / self.turn)
        return across, down

    def spans(self) -> Iterator[tuple[Span, Span]]:
        """Rows and columns of the elevation model beneath each block of the grid, maybe beyond its edges."""
        for top in range(0, self.shape[0], _BLOCK):
            for left in range(0, self.shape[1], _BLOCK):
                rows, columns = (top, min(top + _BLOCK, self.shape[0])), (left, min(left + _BLOCK, self.shape[1]))
                bounds = self.lattice.bounds(rows, columns)
                if bounds is not None:
                    yield from ((bounds[0], across) for across in self._put_back(bounds[1]))

    def _put_back(self, columns: Span) -> Iterator[Span]:
        """Columns in the turn of the elevation model, in two parts where they cross its end."""
        first, past = columns[0] + self.moved, columns[1] + self.moved
        if self.turn is None:
            yield first, past
            return
        whole = self.turn * math.floor(first / self.turn)
        yield math.floor(first - whole), math.ceil(min(past - whole, self.turn))
        if past - whole > self.turn:
            yield 0, math.ceil(past - whole - self.turn)


def _span(places: Numbers) -> Span | None:
    """The pixels in which places lie; None if all are NaN."""
    low, high = np.fmin.reduce(places, axis=None), np.fmax.reduce(places, axis=None)
    return (math.floor(low), math.floor(high) + 1) if math.isfinite(low) else None


def _edges(values: Flat) -> tuple[float, ...]:
    """Lowest and highest, if there is any."""
    return (values.min(), values.max()) if values.size else ()
