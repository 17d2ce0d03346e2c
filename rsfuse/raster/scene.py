"""Scene: an optical and a SAR raster of one place, read on one grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.footprint import gsd_m
from rsfuse.raster.opening import Closing
from rsfuse.raster.statistics import BandStatistics, SceneStatistics
from rsfuse.raster.tiling.stored_blocks import StoredBlocks

_SAMPLE_WINDOWS, _SAMPLE_SIDE = 8, 256  # 8 x 8 windows: 4 million pixels at most, a few seconds on any scene


@dataclass(frozen=True)
class Bands:
    """Which bands of each file a scene reads, in this order, counted from 1; None for all but transparency."""

    optical: tuple[int, ...] | None = None
    sar: tuple[int, ...] | None = None


_Read = tuple[NDArray[Any], NDArray[np.bool_]]

OPTICAL, SAR = 1, 2
"""Which sensors have data: one number, or the sum of both."""


@dataclass(frozen=True)
class Sample:
    """The arrays of one patch.

    Args:
        optical: (C, h, w), 0 where the optical raster has no data; C is 0 where the scene has no optical.
        sar: (S, h, w), 0 where the SAR raster has no data; S is 0 where the scene has no SAR.
        valid: (h, w), true where every sensor that is there has data.
        partial: (h, w), which sensors have data, one alone too; None where pixels that lack a sensor do not count.

    The numbers are float32, but for a sample that was read as it is stored.
    """

    optical: NDArray[Any]
    sar: NDArray[Any]
    valid: NDArray[np.bool_]
    partial: NDArray[np.uint8] | None = None

    @property
    def sensors(self) -> NDArray[np.uint8]:
        """(h, w) which sensors count in each pixel: `OPTICAL`, `SAR`, the sum of both, or 0 for none."""
        if self.partial is not None:
            return self.partial
        return self.valid * np.uint8((OPTICAL if len(self.optical) else 0) + (SAR if len(self.sar) else 0))

    def has(self, sensor: int) -> NDArray[np.bool_]:
        """(h, w) where the pixels of a sensor count."""
        return self.valid if self.partial is None else (self.partial & sensor) > 0

    def crop(self, window: Window) -> Sample:
        """The part that a window inside this sample sees."""
        here = np.s_[..., *window.toslices()]
        partial = None if self.partial is None else self.partial[here]
        return Sample(self.optical[here], self.sar[here], self.valid[here], partial)


class Scene(Closing):
    """Two rasters of one place, open for reading on the grid of the optical one. One thread at a time.

    A SAR raster on another grid is brought to the optical one window by window, as windows are read. One alone is
    read on its own grid.

    Args:
        optical: any raster that GDAL reads, or None.
        sar: likewise, or None; not both.
        bands: which bands to read.
        by_size: a SAR raster without a CRS lies on the optical one if it has its size.

    Raises:
        SceneError: if a file is missing, not a raster, or lacks a band; or there is none.
        GridMismatchError: if the two do not overlap, or nobody can say whether they do.
    """

    def __init__(
        self, optical: Path | None, sar: Path | None = None, *, bands: Bands = Bands(), by_size: bool = False
    ) -> None:
        if optical is None and sar is None:
            raise SceneError("there is neither an optical nor a SAR raster", hint="name one, or both")
        self.optical_path, self.sar_path = optical, sar
        self._asked = bands, by_size
        with ExitStack() as opened:
            self._optical: AlignedRaster | None = None
            self._sar: AlignedRaster | None = None
            if optical is not None:
                self._optical = opened.enter_context(AlignedRaster(optical, bands=bands.optical))
            if sar is not None:
                grid = self._optical.grid if self._optical else None
                self._sar = opened.enter_context(AlignedRaster(sar, grid, bands=bands.sar, by_size=by_size))
            self.grid: Grid = self._first.grid
            self._opened = opened.pop_all()
        self.gsd_m: float = gsd_m(self.grid)
        """Metres on the ground from one pixel to the next at the centre; NaN where there is no CRS."""

    def again(self) -> Scene:
        """The same rasters opened once more, for another thread."""
        bands, by_size = self._asked
        return Scene(self.optical_path, self.sar_path, bands=bands, by_size=by_size)

    @property
    def _first(self) -> AlignedRaster:
        """The one whose grid counts."""
        first = self._optical or self._sar
        assert first is not None
        return first

    @property
    def optical_bands(self) -> tuple[str, ...]:
        """Names of the optical channels; none where there is no optical."""
        return self._optical.names if self._optical else ()

    @property
    def sar_bands(self) -> tuple[str, ...]:
        """Names of the SAR channels; none where there is no SAR."""
        return self._sar.names if self._sar else ()

    @property
    def dtypes(self) -> tuple[str | None, str | None]:
        """Numpy's names for the types of the first band of both files."""
        return self._optical.dtypes[0] if self._optical else None, self._sar.dtypes[0] if self._sar else None

    @property
    def units(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Units of the optical and the SAR bands as the files give them; "" where they say nothing."""
        return self._optical.units if self._optical else (), self._sar.units if self._sar else ()

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the optical raster is stored, or the only one."""
        return self._first.block

    @property
    def overlap(self) -> float:
        """Share of the optical's area, 0 to 1, that the outline of the SAR covers; 1 for one alone."""
        return self._sar.overlap if self._sar else 1.0

    def read(self, window: Window) -> Sample:
        """The pixels of a window in whole pixels, always at its full size.

        What hangs over an edge is the mirror image of the pixels inside, and not valid.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        return _joined(*self._each(lambda raster: raster.read(window)))

    def read_partial(self, window: Window, needed: int = 0) -> Sample:
        """Like `read`; pixels where one sensor alone has data count as well.

        Args:
            window: as in `read`.
            needed: sensors without which a pixel does not count: `OPTICAL`, `SAR` or neither.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        optical, sar = self._each(lambda raster: raster.read(window))
        sample = _joined(optical, sar)
        if optical is None or sar is None:
            return sample
        sensors = optical[1] * np.uint8(OPTICAL) + sar[1] * np.uint8(SAR)
        return replace(sample, partial=np.where(sensors & needed == needed, sensors, np.uint8(0)))

    def read_stored(self, window: Window) -> Sample:
        """Like `read`, in the types of the files: nothing is lost or made up where both lie on one grid.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        return _joined(*self._each(lambda raster: raster.read_stored(window)))

    def _each(self, read: Callable[[AlignedRaster], _Read]) -> tuple[_Read | None, _Read | None]:
        optical, sar = self._optical, self._sar
        return None if optical is None else read(optical), None if sar is None else read(sar)

    def stored_blocks(self) -> dict[str, StoredBlocks]:
        """For each of the layers "optical" and "sar" that lies on this grid, the blocks of its file. Close them."""
        layers = {"optical": self._optical, "sar": self._sar}
        found = {name: raster.stored_blocks() for name, raster in layers.items() if raster is not None}
        return {name: blocks for name, blocks in found.items() if blocks is not None}

    def statistics(self) -> SceneStatistics:
        """Statistics of every band from windows spread evenly over the scene; always the same ones.

        Raises:
            SceneError: if no window has data, or a file is truncated.
        """
        return SceneStatistics(
            optical=_band_statistics(self._optical) if self._optical else (),
            sar=_band_statistics(self._sar) if self._sar else (),
        )

    def close(self) -> None:
        """Let go of both files."""
        self._opened.close()


def _joined(optical: _Read | None, sar: _Read | None) -> Sample:
    """A sample of what was read of one sensor, or of both."""
    if optical is None or sar is None:
        pixels, valid = optical or sar or (np.zeros(0), np.zeros(0, np.bool_))
        none = np.zeros((0, *valid.shape), np.float32)
        return Sample(none, pixels, valid) if optical is None else Sample(pixels, none, valid)
    return Sample(optical[0], sar[0], optical[1] & sar[1])


def _band_statistics(raster: AlignedRaster) -> tuple[BandStatistics, ...]:
    parts = []
    for window in _sample_windows(raster.grid):
        pixels, valid = raster.read_stored(window)
        parts.append(pixels[:, valid])
    values = np.concatenate(parts, axis=1)  # (C, n)
    if values.shape[1] == 0:
        raise SceneError(
            f"{raster.path} has no data in any of the {len(parts)} windows that were looked at",
            hint="check its nodata value and where it lies: rsfuse info",
        )
    return tuple(map(BandStatistics.of, raster.names, raster.dtypes, values))


def _sample_windows(grid: Grid) -> list[Window]:
    """Windows inside the grid that do not overlap, as many as fit up to 8 x 8, the same distance apart."""
    rows, columns = _sample_starts(grid.height), _sample_starts(grid.width)
    height, width = min(grid.height, _SAMPLE_SIDE), min(grid.width, _SAMPLE_SIDE)
    return [Window(left, top, width, height) for top in rows for left in columns]


def _sample_starts(length: int) -> list[int]:
    count = min(max(length // _SAMPLE_SIDE, 1), _SAMPLE_WINDOWS)
    slack = max(length - count * _SAMPLE_SIDE, 0)
    # slack is shared out before, between and after the windows
    return [math.floor(slack * (at + 1) / (count + 1)) + at * _SAMPLE_SIDE for at in range(count)]
