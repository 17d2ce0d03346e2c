"""By how much a multispectral image lies aside of the panchromatic one, whatever their coordinates say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.registration.measure import Progress, Search, measure
from rsfuse.raster.registration.overlay import Image, in_squares
from rsfuse.raster.sharpening.scene import PanMsScene

_Read = Callable[[Span, Span], tuple[NDArray[np.float32], NDArray[np.bool_]]]

_SEARCH = Search(side=64, tiles=100)
_LEAST_TILES, _LEAST_SHARE = 10, 0.15
_GAIN = 0.3  # of a low pass, that of no sensor in particular
NOTICEABLE = 0.25
"""Multispectral pixels; detail that lies aside by more costs more than methods differ by."""


@dataclass(frozen=True)
class Offset:
    """What matching found.

    Args:
        shift: (right, down) of the multispectral image against the panchromatic one, in multispectral pixels: the
            median of the tiles that were accepted.
        tiles: that had data in both.
        accepted: those in which something stood out.
    """

    shift: tuple[float, float]
    tiles: int
    accepted: int

    @property
    def is_known(self) -> bool:
        """Whether enough tiles agree to be believed."""
        return self.accepted >= max(_LEAST_TILES, _LEAST_SHARE * self.tiles)

    @property
    def is_noticeable(self) -> bool:
        """Whether it is known and worth a word."""
        return self.is_known and math.hypot(*self.shift) > NOTICEABLE

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        right, down = self.shift if self.is_known else (None, None)
        return {"dx_px": right, "dy_px": down, "tiles": self.tiles, "accepted": self.accepted}


def undone(offset: Offset | None) -> tuple[float, float]:
    """The (right, down) that puts a multispectral image right; 0 where nothing is known."""
    return offset.shift if offset is not None and offset.is_known else (0.0, 0.0)


def measure_offset(scene: PanMsScene, progress: Progress) -> Offset:
    """Match the panchromatic image, made as coarse as the other, with the mean of the multispectral bands.

    Up to 16 multispectral pixels are found: both are of one satellite, and more is no shift but another place.

    Args:
        scene: the pair, as its coordinates have it.
        progress: told (done, total) of tiles.

    Raises:
        SceneError: if a file is truncated or damaged.
    """
    tiles = measure(_Coarse(scene), _SEARCH, progress, start=(0, 0))
    accepted = tiles.shifts[tiles.is_accepted]
    right, down = np.median(accepted, 0).tolist() if len(accepted) else (math.nan, math.nan)
    return Offset((right, down), int(np.isfinite(tiles.shifts).all(1).sum()), len(accepted))


class _Coarse:
    """Both images of a pair in multispectral pixels."""

    def __init__(self, scene: PanMsScene) -> None:
        self._scene = scene
        shape = scene.placement.rows.coarse, scene.placement.columns.coarse
        self.grid = Grid(None, Affine.identity(), shape)

    def optical(self, window: Window, factor: int = 1) -> Image:
        """The panchromatic one."""
        return self._read(window, factor, self._pan)

    def sar(self, window: Window, factor: int = 1) -> Image:
        """The mean of the bands."""
        return self._read(window, factor, self._scene.ms)

    def _pan(self, rows: Span, columns: Span) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return self._scene.reduced(_GAIN, rows, columns), self._scene.has_pan(rows, columns)

    def _read(self, window: Window, factor: int, read: _Read) -> Image:
        """A window that may hang over the edge, where the last pixel goes on without data, or lie beyond it."""
        ends = (window.row_off, window.height, self.grid.height), (window.col_off, window.width, self.grid.width)
        spans = [(max(int(first), 0), min(int(first + length), side)) for first, length, side in ends]
        if any(first >= past for first, past in spans):
            nothing = int(window.height) // factor, int(window.width) // factor
            return np.zeros(nothing, np.float32), np.zeros(nothing, np.bool_)
        pixels, valid = read(spans[0], spans[1])
        beyond = [
            (low - int(first), int(first + length) - high)
            for (first, length, _), (low, high) in zip(ends, spans, strict=True)
        ]
        image = np.pad(pixels.mean(0), beyond, mode="edge")
        return in_squares(image, np.pad(valid, beyond), factor)


def repeated(scene: PanMsScene) -> int:
    """How often each multispectral pixel stands along either side in the middle of the raster, from 1 to 4.

    More than once where somebody enlarged the raster by repeating its pixels: its ratio is then another.
    """
    middle = [
        (max(0, along.coarse // 2 - _LOOK // 2), min(along.coarse, along.coarse // 2 + _LOOK // 2))
        for along in (scene.placement.rows, scene.placement.columns)
    ]
    ms, valid = scene.ms(middle[0], middle[1])
    if not valid.all() or min(ms.shape[1:]) < 16:
        return 1
    changes = [(np.diff(ms, axis=axis) != 0).any((0, other)) for axis, other in ((1, 2), (2, 1))]
    return min(_spacing(each) for each in changes)


_ALMOST_ALL = 0.95  # of changes: where pieces were put together, the pattern begins anew
_LOOK = 256  # multispectral pixels that are looked at


def _spacing(changes: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """The largest distance, up to 4, such that something changes there and hardly anywhere between."""
    places = np.flatnonzero(changes)
    if len(places) < len(changes) // 8:
        return 1  # hardly anything to tell by
    for distance in (4, 3, 2):
        if np.bincount(places % distance).max() >= _ALMOST_ALL * len(places):
            return distance
    return 1
