"""Lattice: where the pixels of a grid lie in an image, asked of its model at few of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.image_model import ImageModel, Numbers

ToModel = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]
Span = tuple[int, int]

_ERROR_PX = 0.004  # between nodes
_ERROR_OF_HEIGHT_PX = 0.001  # between the heights that nodes are asked at
_LARGEST_STEP = 64
_LARGEST_SHARE = 0.25  # of the image, from node to node
_MOST_POWERS = 6
_PROBED_CELLS = 16  # along each axis of the grid
_PROBED_HEIGHTS = 15
_PROBED_PLACES = ((0.5, 0.5), (0.5, 0.0), (0.0, 0.5))  # of a cell: a saddle is right in its middle, not at its sides
_ROUNDING_PX = 1e-3  # of heights in float32, far more than that of coordinates
_STRIP_PIXELS = 1 << 16  # in one go, so that they stay in the cache of a processor


class Lattice:
    """Coordinates in an image of the pixels of a grid: bilinear between nodes, a polynomial of the height.

    Nodes are pixels a fixed step apart, counted from the grid's own first one. Step and powers are chosen once, for the
    whole grid: what a pixel gets does not depend on the window that asks, not in a bit.

    Args:
        grid: whose pixels are asked for, by their centres.
        model: of the image.
        to_model: from x and y in the CRS of the grid to those in the model's, each point for itself; what cannot be had
            is not finite.
        lowest: height in metres above the ellipsoid, of all that will be asked for.
        highest: likewise.
        across: the shorter side of the image, in pixels of the grid. Polynomials hold little farther than the image:
            nodes lie close enough that some are on each side of it.
    """

    def __init__(
        self,
        grid: Grid,
        model: ImageModel,
        to_model: ToModel,
        lowest: float,
        highest: float,
        *,
        across: float = math.inf,
    ) -> None:
        self._source = _Source(grid, model, to_model)
        self._middle, self._half = (lowest + highest) / 2, (highest - lowest) / 2
        self.powers = self._least_powers() if self._half > 0 and model.heeds_height else 1
        self.step = self._largest_step(across)

    def coordinates(self, rows: Span, columns: Span, heights: NDArray[np.float32] | None) -> tuple[Numbers, Numbers]:
        """Columns and rows of the image for a window of the grid, (h, w) each; NaN where it is not known.

        Args:
            rows: of the grid, from the first to past the last.
            columns: likewise.
            heights: (h, w) of its pixels in metres, within the range; NaN leads to NaN. Not looked at where the range
                is a single height or the model heeds none.
        """
        if heights is None and self.powers > 1:
            raise ValueError("the place of a pixel depends on its height here")
        height, width = rows[1] - rows[0], columns[1] - columns[0]
        nodes = self._nodes(rows, columns)
        found = np.empty((2, height, width))
        strip = max(1, _STRIP_PIXELS // width)
        for start in range(0, height, strip):
            past = min(start + strip, height)
            window = (rows[0] + start, rows[0] + past), columns
            up = 0.0 if heights is None or self.powers == 1 else self._up(heights[start:past])
            for axis in range(2):
                powers = (self._between(power[axis], rows[0], *window) for power in nodes[::-1])
                _evaluated(powers, up, found[axis, start:past])
        return found[0], found[1]

    def bounds(self, rows: Span, columns: Span, heights: tuple[float, float] | None = None) -> tuple[Span, Span] | None:
        """Rows and columns of the pixels of the image that a window of the grid can meet, maybe beyond its edges.

        Args:
            rows: of the grid, from the first to past the last.
            columns: likewise.
            heights: lowest and highest in the window; None for those of the whole grid.

        Returns:
            None where no place in the window is known.
        """
        places = self._extremes(rows, columns)
        if self.powers > 1:
            low, high = (-1.0, 1.0) if heights is None else ((h - self._middle) / self._half for h in heights)
            places = _hull(places, low, high)
        across, down = places[:, 0], places[:, 1]
        if not np.isfinite(across + down).any():
            return None
        return _pixels(down), _pixels(across)

    def _up(self, heights: NDArray[np.float32]) -> Numbers:
        """Heights from -1 to 1."""
        return (heights.astype(np.float64) - self._middle) / self._half

    def _powers_at(self, rows: Numbers, columns: Numbers, powers: int) -> Numbers:
        """Of the polynomials of the height at pixels: (powers, 2, ...), a constant first, columns before rows."""
        asked = self._source.at(rows, columns, self._middle + self._half * _spread(powers))
        return _mixed(_inverse(np.vander(_spread(powers), increasing=True)), asked)

    def _nodes(self, rows: Span, columns: Span) -> Numbers:
        """Polynomials of the nodes around the pixels of a window: (powers, 2, K, L)."""
        down, across = _node_numbers(rows, self.step), _node_numbers(columns, self.step)
        return self._powers_at(*np.meshgrid(down * self.step, across * self.step, indexing="ij"), self.powers)

    def _between(self, nodes: Numbers, first: int, rows: Span, columns: Span) -> Numbers:
        """Bilinear values for a window from nodes (K, L), those from the row `first` on."""
        step = self.step
        if step == 1:
            return nodes[rows[0] - first : rows[1] - first]
        pixel = np.arange(*rows)
        lines = _along(0, nodes, pixel // step - first // step, pixel % step / step)
        # what `_along` does for columns, in a quarter of the time
        cells = np.diff(lines)[:, :, None] * (np.arange(step) / step)
        cells += lines[:, :-1, None]
        start = columns[0] % step
        return cells.reshape(len(lines), -1)[:, start : start + columns[1] - columns[0]]

    def _extremes(self, rows: Span, columns: Span) -> Numbers:
        """Like `_nodes`, of the corners of what a window has of each cell, between which its other places lie."""
        nodes = self._nodes(rows, columns)
        if self.step > 1:
            for axis, (first, past) in ((2, rows), (3, columns)):
                start, last = first // self.step, (past - 1) // self.step
                # both ends of every cell: the neighbour may be unknown, and so the node that they share
                cells = np.arange(last - start + 1).repeat(2)
                share = np.tile([0.0, 1.0], last - start + 1)
                share[0], share[-1] = first / self.step - start, (past - 1) / self.step - last
                nodes = _along(axis, nodes, cells, share)
        return nodes

    def _least_powers(self) -> int:
        """How many powers of the height are enough."""
        rows, columns = (_probed(length, 1) for length in self._source.grid.shape)
        places = np.meshgrid(rows, columns, indexing="ij")
        up = _spread(_PROBED_HEIGHTS)
        truth = self._source.at(*places, self._middle + self._half * up)
        for powers in range(2, _MOST_POWERS):
            guess = _polynomials(self._powers_at(*places, powers), up)
            if _largest(guess - truth) <= _ERROR_OF_HEIGHT_PX:
                return powers
        return _MOST_POWERS

    def _largest_step(self, across: float) -> int:
        """Of pixels from node to node, at which places between them are right."""
        step = _LARGEST_STEP
        while step > 1 and (step > _LARGEST_SHARE * across or self._error(step) > _ERROR_PX):
            step //= 2
        return step

    def _error(self, step: int) -> float:
        """Largest in probed cells between nodes a step apart, in pixels of the image."""
        corner = np.meshgrid(*(_probed(length, step) for length in self._source.grid.shape), indexing="ij")
        up = _spread(min(self.powers, 3))

        def places(down: float, across: float) -> Numbers:
            nodes = self._powers_at(corner[0] + down * step, corner[1] + across * step, self.powers)
            return _polynomials(nodes, up)

        upper, lower = ((places(down, 0), places(down, 1)) for down in (0, 1))
        errors = []
        for down, across in _PROBED_PLACES:
            top, bottom = (left + (right - left) * across for left, right in (upper, lower))
            errors.append(_largest(top + (bottom - top) * down - places(down, across)))
        return max(errors)


@dataclass(frozen=True)
class _Source:
    """What the nodes are asked of."""

    grid: Grid
    model: ImageModel
    to_model: ToModel

    def at(self, rows: Numbers, columns: Numbers, heights: Numbers) -> Numbers:
        """Columns and rows in the image of pixels of the grid, at each of some heights: (heights, 2, ...)."""
        a, b, c, d, e, f = self.grid.transform[:6]
        across, down = columns + 0.5, rows + 0.5
        x, y = self.to_model(a * across + b * down + c, d * across + e * down + f)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = np.where(known, x, np.nan), np.where(known, y, np.nan)
        return np.stack([self.model.to_image(x, y, np.full_like(x, height)) for height in heights])


def _spread(count: int) -> Numbers:
    """So many heights from -1 to 1, or the middle one alone."""
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)


def _node_numbers(pixels: Span, step: int) -> Numbers:
    """Of the nodes around pixels from the first to past the last, the node of the grid's own first pixel being 0."""
    # each pixel is a node where the step is 1: there the next one may be unknown, and is not needed
    return np.arange(pixels[0] // step, (pixels[1] - 1) // step + (2 if step > 1 else 1), dtype=np.float64)


def _along(axis: int, nodes: Numbers, cells: NDArray[np.int_], share: Numbers) -> Numbers:
    """Linear values along an axis, each in one of the cells between its nodes, some share of the cell further."""
    left = nodes.take(cells, axis)
    share = share.reshape(-1, *[1] * (nodes.ndim - axis - 1))
    return (nodes.take(cells + 1, axis) - left) * share + left


def _probed(length: int, step: int) -> Numbers:
    """First pixels of cells all over a side of the grid."""
    cells = math.ceil(length / step)
    return np.unique(np.linspace(0, cells - 1, _PROBED_CELLS).round()) * step


def _largest(errors: Numbers) -> float:
    known = np.abs(errors[np.isfinite(errors)])
    return float(known.max(initial=0))


def _inverse(matrix: Numbers) -> Numbers:
    inverse: Numbers = np.linalg.inv(matrix).astype(np.float64)
    return inverse


def _mixed(weights: Numbers, values: Numbers) -> Numbers:
    """The product of a matrix and the first axis of values."""
    mixed = np.zeros_like(values)
    for row, out in zip(weights, mixed, strict=True):
        # element by element: numpy's own product may round a node differently among others
        for weight, value in zip(row, values, strict=True):
            out += weight * value
    return mixed


def _polynomials(powers: Numbers, up: Iterable[float]) -> Numbers:
    """Values of polynomials (powers, ...) at each of some heights."""
    return np.stack([_evaluated(powers[::-1], height, np.empty(powers.shape[1:])) for height in up])


def _evaluated(powers: Iterable[Numbers], up: Numbers | float, out: Numbers) -> Numbers:
    """The polynomial of a height, its highest power first, into `out`."""
    for number, power in enumerate(powers):
        if number == 0:
            out[...] = power
        else:
            out *= up
            out += power
    return out


def _hull(powers: Numbers, low: float, high: float) -> Numbers:
    """Numbers between which polynomials stay between two heights: the weights of Bernstein's polynomials, as many."""
    count = len(powers)
    samples = _polynomials(powers, low + (_spread(count) + 1) / 2 * (high - low))
    share = np.linspace(0, 1, count)[:, None]
    degree, power = count - 1, np.arange(count)
    choices = np.array([math.comb(degree, k) for k in power])
    return _mixed(_inverse(choices * share**power * (1 - share) ** (degree - power)), samples)


def _pixels(places: Numbers) -> Span:
    return math.floor(np.nanmin(places) - _ROUNDING_PX), math.floor(np.nanmax(places) + _ROUNDING_PX) + 1
