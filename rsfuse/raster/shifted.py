"""Bands of a file on a grid that differs from its own by a constant shift: native windows and a filter of 2 x 2 pixels.

The pixels are those of GDAL's warp, at little more than the price of a plain read. One thing differs: a NaN that the
file does not declare spoils only the pixels in which it has a weight, GDAL lets it spoil some in which it has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid, window_of
from rsfuse.raster.bilinear import between
from rsfuse.raster.native import NativeBands

_TOLERANCE_PX = 0.01  # as in Grid.matches: closer than this, two pixels are one
_ROUNDING_PX = 1e-6  # of coordinates in double precision
_LEAST_WEIGHT = 1e-5  # of data among four neighbours: with less, GDAL finds none
_SMALL = {"uint8", "int8", "uint16", "int16"}  # numbers that are read as they are, and become float32 in the cache

Pixels = NDArray[Any]
Mask = NDArray[np.bool_]


def constant_shift(grid: Grid, raster: Grid) -> tuple[float, float] | None:
    """How many (rows, columns) to add to a place in a grid for that in a raster; None if it is not the same everywhere.

    A hundredth of a pixel is no difference.
    """
    if grid.crs != raster.crs:
        return None
    back = ~raster.transform * grid.transform
    corners = [(0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height)]
    centre = grid.width / 2, grid.height / 2
    columns, rows = (there - here for there, here in zip(back * centre, centre, strict=True))
    if any(math.dist(back * (x, y), (x + columns, y + rows)) > _TOLERANCE_PX for x, y in corners):
        return None
    return rows, columns


def shifted(native: NativeBands, own: Grid, grid: Grid, *, categorical: bool) -> ShiftedBands | None:
    """The bands of a file on a grid a constant shift aside; None where only a warp gives the right pixels.

    Args:
        native: the bands.
        own: where they lie.
        grid: where they shall lie. Both have a CRS.
        categorical: codes, which must not be mixed: each pixel takes the nearest one.
    """
    shift = constant_shift(grid, own)
    if shift is None:
        return None
    whole = [float(math.floor(part + 0.5 + _ROUNDING_PX)) for part in shift]
    if categorical or max(abs(part - near) for part, near in zip(shift, whole, strict=True)) < _TOLERANCE_PX:
        return ShiftedBands(native, *(_Axis.of(part, length) for part, length in zip(whole, own.shape, strict=True)))
    if min(own.shape) < 2 or not _may_be_mixed(native):
        return None
    return ShiftedBands(native, *(_Axis.of(part, length) for part, length in zip(shift, own.shape, strict=True)))


def _may_be_mixed(native: NativeBands) -> bool:
    """Whether the filter does with what is no data what GDAL does."""
    if native.has_masks:
        return False
    if native.knows_no_gaps:
        return True
    # the warp knows one number for all bands of the file, and asks all of them where only all tell
    return len(set(map(str, native.file.nodatavals))) == 1 and (  # NaN, too, is one number
        not native.is_unsigned or set(native.bands) == set(native.file.indexes)
    )


@dataclass(frozen=True)
class _Axis:
    """Rows or columns: pixel i of the grid lies between pixels i + first and i + first + 1 of the raster.

    Args:
        first: see there.
        fraction: how far towards the second of them, 0 to 1; the weight of that one.
        length: of the raster.
    """

    first: int
    fraction: float
    length: int

    @classmethod
    def of(cls, shift: float, length: int) -> _Axis:
        first = math.floor(shift + _ROUNDING_PX)
        fraction = shift - first
        return cls(first, fraction if fraction > _ROUNDING_PX else 0.0, length)

    @property
    def nearest(self) -> int:
        """0 or 1, which of the two is nearer."""
        return int(self.fraction > 0.5 - _ROUNDING_PX)

    @property
    def taps(self) -> list[tuple[int, float]]:
        """0 or 1 and the weight, of those that have any."""
        return [(0, 1 - self.fraction), (1, self.fraction)] if self.fraction else [(0, 1.0)]

    def covered(self, start: int, stop: int) -> tuple[int, int]:
        """Those pixels of the grid whose centres lie on the raster; stop is not above start if there are none."""
        return max(start, -self.first - self.nearest), min(stop, self.length - self.first - self.nearest)

    def needed(self, start: int, stop: int) -> tuple[int, int]:
        """Pixels of the raster that those of the grid lie between, some beyond its edge."""
        return start + self.first, stop + self.first + len(self.taps) - 1


class ShiftedBands:
    """Some bands of a file, read in windows of a grid. Reading in parts or as a whole gives the same bits."""

    def __init__(self, native: NativeBands, rows: _Axis, columns: _Axis) -> None:
        self._native, self._rows, self._columns = native, rows, columns
        self._is_mixed = bool(rows.fraction or columns.fraction)
        dtypes = {native.file.dtypes[band - 1] for band in native.bands}
        self._read_as = native.dtype if dtypes == {native.dtype} and native.dtype in _SMALL else "float32"
        self.dtype: str = "float32" if self._is_mixed else native.dtype
        """What `read` gives if it may choose."""

    def read(self, window: Window, dtype: DTypeLike) -> tuple[Pixels, Mask]:
        """Pixels (C, h, w) of a window of the grid and where they are data (h, w); anything may stand elsewhere."""
        top, left = window.row_off, window.col_off
        bottom, right = top + window.height, left + window.width
        rows, columns = self._rows.covered(top, bottom), self._columns.covered(left, right)
        read = self._mixed if self._is_mixed else self._moved
        if (rows, columns) == ((top, bottom), (left, right)):
            return read(rows, columns, dtype)
        pixels = np.zeros((len(self._native.bands), window.height, window.width), dtype)
        valid = np.zeros(pixels.shape[1:], np.bool_)
        if rows[0] < rows[1] and columns[0] < columns[1]:
            here = np.s_[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
            pixels[:, *here], valid[here] = read(rows, columns, dtype)
        return pixels, valid

    def _moved(self, rows: tuple[int, int], columns: tuple[int, int], dtype: DTypeLike) -> tuple[Pixels, Mask]:
        return self._native.read(window_of(self._rows.needed(*rows), self._columns.needed(*columns)), dtype)

    def _mixed(self, rows: tuple[int, int], columns: tuple[int, int], dtype: DTypeLike) -> tuple[Pixels, Mask]:
        pixels = self._around(self._rows.needed(*rows), self._columns.needed(*columns))
        mixed = between(pixels, self._rows.fraction, self._columns.fraction)
        valid = np.ones(mixed.shape[1:], np.bool_)
        for these, data in self._data(pixels):
            if not data.all():
                valid &= self._mend(mixed[these], pixels[these], data)
        if self._read_as == "float32":
            valid &= np.isfinite(mixed).all(0)
        return mixed.astype(dtype, copy=False), valid

    def _around(self, rows: tuple[int, int], columns: tuple[int, int]) -> Pixels:
        """Pixels of the raster; half a pixel beyond its edge those of the edge go on."""
        inside, beyond = [], []
        for (start, stop), length in ((rows, self._rows.length), (columns, self._columns.length)):
            inside.append((max(start, 0), min(stop, length)))
            beyond.append((max(-start, 0), max(stop - length, 0)))
        pixels = self._native.pixels(window_of(*inside), self._read_as)
        return np.pad(pixels, ((0, 0), *beyond), mode="edge") if any(map(any, beyond)) else pixels

    def _data(self, pixels: Pixels) -> list[tuple[slice, Mask]]:
        """Bands, and which of their pixels are data: all together or each on its own."""
        if self._native.knows_no_gaps:
            return []
        masks = self._native.nodata_masks(pixels)
        if self._native.is_unsigned:
            return [(np.s_[:], np.any(masks, axis=0))]
        return [(np.s_[band : band + 1], mask) for band, mask in enumerate(masks)]

    def _mend(self, mixed: Pixels, pixels: Pixels, data: Mask) -> Mask:
        """Where some of the neighbours are not data, mix the others; and say where there are enough of them.

        Args:
            mixed: (C, h, w), to be corrected.
            pixels: (C, h + 1, w + 1), less one where an axis is not shifted, from which they were mixed.
            data: which of them are data, the same for all C.
        """
        height, width = mixed.shape[1:]
        taps = [(down, across, y * x) for (down, y), (across, x) in product(self._rows.taps, self._columns.taps)]
        known = [data[down : down + height, across : across + width] for down, across, _ in taps]
        valid: Mask = np.logical_and.reduce(known)
        rows, columns = np.nonzero(np.logical_or.reduce(known) & ~valid)
        total, weights = np.zeros((len(mixed), len(rows))), np.zeros(len(rows))
        for down, across, weight in taps:
            there = rows + down, columns + across
            total += np.where(data[there], pixels[:, *there], 0) * np.float64(weight)
            weights += data[there] * weight
        enough = weights >= _LEAST_WEIGHT
        if self._native.is_unsigned or self._native.file.count == 1:  # one mask for all: there GDAL asks the nearest
            enough &= data[rows + self._rows.nearest, columns + self._columns.nearest]
        rows, columns = rows[enough], columns[enough]
        mixed[:, rows, columns] = total[:, enough] / weights[enough]
        valid[rows, columns] = True
        return valid
