"""Values of an image at places between its pixels, by the rules of gdalwarp."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Kernel = Literal["nearest", "bilinear", "cubic"]
Numbers = NDArray[np.float64]
Span = tuple[int, int]
Mask = NDArray[np.bool_]
Flat = NDArray[np.float32]

_MIDDLE: dict[Kernel, float] = {"nearest": 0.0, "bilinear": 0.5, "cubic": 0.5}  # of the pixel that a place counts from
_NEIGHBOURS: dict[Kernel, Span] = {"nearest": (0, 1), "bilinear": (0, 2), "cubic": (-1, 3)}  # from that pixel
_REACH: dict[Kernel, int] = {"nearest": 0, "bilinear": 1, "cubic": 2}  # pixels beyond that of the place itself
_MARGIN = 2  # repeated pixels around a part: a neighbour beyond the image is the edge once more
_STRIP_PIXELS = 1 << 16  # in one go, so that they stay in the cache of a processor


@dataclass(frozen=True)
class Part:
    """A window of an image.

    Args:
        pixels: (B, h, w), of numbers that float32 can hold; not finite at most where there are no data.
        valid: (h, w), where there are data; None for everywhere.
        origin: row and column in the image of the first pixel.
        shape: rows and columns of the whole image.
    """

    pixels: NDArray[Any]
    valid: Mask | None
    origin: tuple[int, int]
    shape: tuple[int, int]


def with_neighbours(spans: tuple[Span, Span], shape: tuple[int, int], kernel: Kernel) -> tuple[Span, Span]:
    """Rows and columns to read for places in some of them, cut to the image: none where they lie beyond it."""
    reach = _REACH[kernel]

    def widened(span: Span, length: int) -> Span:
        first = min(max(span[0] - reach, 0), length)
        return first, max(min(span[1] + reach, length), first)

    return widened(spans[0], shape[0]), widened(spans[1], shape[1])


def sample(part: Part, columns: Numbers, rows: Numbers, kernel: Kernel) -> tuple[NDArray[np.float32], Mask]:
    """Values at places of an image; they do not depend on the part that was read, not in a bit.

    Neighbours without data, or beyond the image, do not count: the weights of the others are scaled up. Cubic is
    bilinear where any of the sixteen is missing. A place in the image has a value if the pixel it lies in has data.

    Args:
        part: with all the neighbours that the kernel asks for, see `with_neighbours`.
        columns: (H, W), counted from the outer corner of the whole image's first pixel; NaN for nowhere.
        rows: likewise.
        kernel: cubic is that of Keys, with a = -0.5.

    Returns:
        values: (B, H, W), 0 where there are none; cubic may overshoot.
        valid: (H, W).

    Raises:
        ValueError: if the part lacks neighbours.
    """
    padded = _Padded.of(part, kernel)
    values = np.zeros((len(padded.bands), *columns.shape), np.float32)
    valid = np.zeros(columns.shape, bool)
    strip = max(1, _STRIP_PIXELS // max(columns.shape[1], 1))
    for start in range(0, len(columns), strip):
        here = np.s_[start : start + strip]
        inside, places = _inside(columns[here], rows[here], part.shape)
        if inside.any():
            _check_neighbours(part, places, kernel)
            with np.errstate(invalid="ignore", over="ignore"):  # whatever stands where there are no data
                mixed, found = padded.sampled(places, kernel)
            valid[here] = found.reshape(inside.shape) & inside
            values[:, here] = mixed.reshape(-1, *inside.shape)
            if not valid[here].all():
                values[:, here][:, ~valid[here]] = 0
    return values, valid


def _inside(columns: Numbers, rows: Numbers, shape: tuple[int, int]) -> tuple[Mask, tuple[Numbers, Numbers]]:
    """Which places are in the image, and flat columns and rows: those elsewhere moved to one that is."""
    inside = (columns >= 0) & (columns <= shape[1]) & (rows >= 0) & (rows <= shape[0])
    if not inside.all():
        one = inside.argmax()
        columns, rows = np.where(inside, columns, columns.flat[one]), np.where(inside, rows, rows.flat[one])
    return inside, (columns.ravel(), rows.ravel())


def _check_neighbours(part: Part, places: tuple[Numbers, Numbers], kernel: Kernel) -> None:
    first, past = _NEIGHBOURS[kernel]
    shift = _MIDDLE[kernel]
    for axis, along in enumerate(places[::-1]):
        start, end = part.origin[axis], part.origin[axis] + part.pixels.shape[1 + axis]
        needed = max(math.floor(along.min() - shift) + first, 0)
        last = min(math.floor(along.max() - shift) + past, part.shape[axis])
        if needed < start or last > end:
            raise ValueError(f"{kernel} needs pixels {needed} to {last} of axis {axis}, the part has {start} to {end}")


class _Places(NamedTuple):
    """Where places lie among the pixels of a padded part."""

    pixel: NDArray[np.intp]  # its number: of the one above and to the left; of the nearest, for that kernel
    across: Flat  # from that pixel's middle, 0 to 1
    down: Flat

    def only(self, some: NDArray[np.intp]) -> _Places:
        return _Places(self.pixel[some], self.across[some], self.down[some])


class _Padded(NamedTuple):
    """A part with repeated edges, every plane of it flat."""

    bands: NDArray[np.float32]  # (B, pixels)
    valid: Mask | None  # None for everywhere
    whole: Mask | None  # whether all the neighbours of a place have data, by its index; None for everywhere
    stride: int  # from row to row
    first: tuple[int, int]  # row and column in the image of the first pixel

    @classmethod
    def of(cls, part: Part, kernel: Kernel) -> _Padded:
        bands = np.empty((len(part.pixels), *(side + 2 * _MARGIN for side in part.pixels.shape[1:])), np.float32)
        bands[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = part.pixels
        _repeat_edges(bands)
        stride, first = bands.shape[2], (part.origin[0] - _MARGIN, part.origin[1] - _MARGIN)
        valid = None if part.valid is None or part.valid.all() else np.pad(part.valid, _MARGIN, mode="edge").ravel()
        whole = None
        if kernel == "bilinear" and valid is not None:
            whole = _all_of(valid, (0, 1), stride)
        elif kernel == "cubic" and (valid is not None or _touches_an_edge(part)):
            counts = np.ones(part.pixels.shape[1:], bool) if part.valid is None else part.valid
            whole = _all_of(np.pad(counts, _MARGIN).ravel(), (-1, 2), stride)
        return cls(bands.reshape(len(bands), -1), valid, whole, stride, first)

    def sampled(self, places: tuple[Numbers, Numbers], kernel: Kernel) -> tuple[NDArray[np.float32], Mask]:
        """Values (B, places) and where there are any, for flat columns and rows in the image."""
        here = self._among(places, _MIDDLE[kernel])
        if kernel == "nearest":
            found = np.ones(len(here.pixel), bool) if self.valid is None else self.valid.take(here.pixel)
            values: NDArray[np.float32] = self.bands.take(here.pixel, axis=1)
            return values, found
        mix = _Bilinear(here, self.stride) if kernel == "bilinear" else _Cubic(here, self.stride)
        values = np.stack([mix.of(band) for band in self.bands])
        found = np.ones(len(here.pixel), bool)
        if self.whole is not None:
            lacking = np.flatnonzero(~self.whole.take(here.pixel))
            if self.valid is not None:
                nearest = self._among((places[0][lacking], places[1][lacking]), 0.0)
                found[lacking] = self.valid.take(nearest.pixel)
                lacking = lacking[found[lacking]]
            values[:, lacking] = self._of_those_there(here.only(lacking))
        return values, found

    def _among(self, places: tuple[Numbers, Numbers], middle: float) -> _Places:
        columns, rows = places[0] - middle, places[1] - middle
        column, row = np.floor(columns), np.floor(rows)
        across, down = (columns - column).astype(np.float32), (rows - row).astype(np.float32)
        row -= self.first[0]
        row *= self.stride
        row += column
        row -= self.first[1]
        return _Places(row.astype(np.intp), across, down)

    def _of_those_there(self, here: _Places) -> NDArray[np.float32]:
        """Bilinear values (B, places) of neighbours that have data; one of each four does."""
        total = np.zeros(len(here.pixel), np.float32)
        mixed = np.zeros((len(self.bands), len(here.pixel)), np.float32)
        for step, down in ((0, 1 - here.down), (self.stride, here.down)):
            for index, across in ((here.pixel + step, 1 - here.across), (here.pixel + step + 1, here.across)):
                weight = down * across
                pixels = self.bands.take(index, axis=1)
                if self.valid is not None:
                    counts = self.valid.take(index)
                    weight, pixels = weight * counts, np.where(counts, pixels, 0)
                total += weight
                mixed += weight * pixels
        mixed /= total
        return mixed


class _Bilinear:
    """Of four neighbours."""

    def __init__(self, here: _Places, stride: int) -> None:
        self._here, self._stride = here, stride
        self._spare = np.empty((2, len(here.pixel)), np.float32)

    def of(self, band: Flat) -> Flat:
        bottom = self._spare[1]
        top = np.empty(len(bottom), np.float32)
        self._row(band, out=top)
        self._row(band[self._stride :], out=bottom)
        bottom -= top
        bottom *= self._here.down
        top += bottom
        return top

    def _row(self, band: Flat, *, out: Flat) -> None:
        right = self._spare[0]
        band.take(self._here.pixel, out=out, mode="clip")
        band[1:].take(self._here.pixel, out=right, mode="clip")
        right -= out
        right *= self._here.across
        out += right


class _Cubic:
    """Of sixteen neighbours."""

    def __init__(self, here: _Places, stride: int) -> None:
        self._index, self._stride = here.pixel - (stride + 1), stride
        self._across, self._down = _keys(here.across), _keys(here.down)
        self._lines = np.empty((4, len(here.pixel)), np.float32)
        self._four = np.empty_like(self._lines)

    def of(self, band: Flat) -> Flat:
        for number, line in enumerate(self._lines):
            for column, pixels in enumerate(self._four):
                band[number * self._stride + column :].take(self._index, out=pixels, mode="clip")
            line[:] = _weighted(self._four, self._across)
        return _weighted(self._lines, self._down).copy()


def _keys(share: Flat) -> tuple[Flat, Flat, Flat]:
    """Weights of the first, third and fourth of four pixels in a row, the second having what is left of 1."""
    rest: Flat = 1 - share
    first: Flat = share * rest * rest * np.float32(-0.5)
    third: Flat = share * (1 + share * (4 - share * 3)) * np.float32(0.5)
    fourth: Flat = share * share * rest * np.float32(-0.5)
    return first, third, fourth


def _weighted(four: NDArray[np.float32], weights: tuple[Flat, Flat, Flat]) -> Flat:
    """Into the second of four, which is right to the last bit where they are the same; the others are lost."""
    outer, second, third, fourth = four
    for pixels, weight in zip((outer, third, fourth), weights, strict=True):
        pixels -= second
        pixels *= weight
    outer += third
    outer += fourth
    second += outer
    values: Flat = second
    return values


def _all_of(valid: Mask, reach: tuple[int, int], stride: int) -> Mask:
    """For each pixel, whether all from so many before it to so many after, along both axes, are valid; flat."""
    for step in (1, stride):
        found = valid.copy()
        for count in range(reach[0], reach[1] + 1):
            found &= np.roll(valid, -count * step)
        valid = found
    return valid


def _touches_an_edge(part: Part) -> bool:
    return any(
        first == 0 or first + side == length
        for first, side, length in zip(part.origin, part.pixels.shape[1:], part.shape, strict=True)
    )


def _repeat_edges(bands: NDArray[np.float32]) -> None:
    for plane in (bands, bands.swapaxes(1, 2)):
        plane[:, :_MARGIN] = plane[:, _MARGIN : _MARGIN + 1]
        plane[:, -_MARGIN:] = plane[:, -_MARGIN - 1 : -_MARGIN]
