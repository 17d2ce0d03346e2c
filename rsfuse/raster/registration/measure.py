"""Tiles of two rasters, matched: coarsely to find where to begin, and then to a part of a pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.matching import Smoothing
from rsfuse.geometry.methods import METHODS, Method, MethodName
from rsfuse.geometry.registration import TileShifts, TileState
from rsfuse.raster.registration.overlay import Image

Progress = Callable[[int, int], None]

_LEAST_STEP = 32  # px from tile to tile
_LEAST_VALID = 0.8  # of a tile
_FLAT = 0.1  # of the usual contrast


@dataclass(frozen=True)
class Search:
    """How tiles are matched.

    Args:
        side: of a tile in pixels.
        radius: pixels that are searched each way around the start.
        tiles: about how many; fewer where they would lie closer than 32 pixels, which tell little new.
        method: what of them is compared, and how; where to begin is always found by orientations.
        smoothing: of images before their orientations are taken.
        between: tiles lie in the midst between those that would be matched otherwise.
    """

    side: int = 128
    radius: int = 16
    tiles: int = 800
    method: MethodName = "orientation"
    smoothing: Smoothing = field(default_factory=Smoothing)
    between: bool = False


# to find where to begin: 64 px each way, in pixels four and two times as large
_COARSE = ((4, Search(side=96, radius=16, tiles=49)), (2, Search(side=128, radius=32, tiles=49)))
_LEAST_COARSE, _TOGETHER = 5, 3.0  # tiles that agree, to so many of their pixels


class Matched(Protocol):
    """Two images of one place, as `Overlay` has them."""

    @property
    def grid(self) -> Grid:
        """That both are read on."""

    def optical(self, window: Window, factor: int = 1) -> Image:
        """A window of the one that the other is held against, in pixels `factor` times as large."""

    def sar(self, window: Window, factor: int = 1) -> Image:
        """Likewise of the other."""


def measure(
    overlay: Matched, search: Search, progress: Progress, *, start: tuple[int, int] | None = None
) -> TileShifts:
    """Match tiles that are spread evenly over both rasters.

    Memory is that of a tile, whatever the size of the rasters.

    Args:
        overlay: the rasters.
        search: how.
        progress: told (done, total) of tiles.
        start: whole pixels (dx, dy) around which is searched; None to find them in larger pixels first.

    Raises:
        SceneError: if a file is truncated or damaged.
    """
    return _match_tiles(overlay, search, _find_start(overlay) if start is None else start, 1, progress)


def _find_start(overlay: Matched) -> tuple[int, int]:
    """Whole pixels (dx, dy) by which the SAR lies aside; 0 where that cannot be told coarsely."""
    for factor, search in _COARSE:
        tiles = _match_tiles(overlay, search, (0, 0), factor)
        shifts = tiles.shifts[tiles.is_accepted]
        if len(shifts) < _LEAST_COARSE:
            continue
        median = np.median(shifts, 0)
        close = np.hypot(*(shifts - median).T) <= _TOGETHER
        if close.sum() >= max(_LEAST_COARSE, len(shifts) / 2):
            dx, dy = np.median(shifts[close], 0) * factor
            return round(float(dx)), round(float(dy))
    return 0, 0


def _match_tiles(
    overlay: Matched, search: Search, start: tuple[int, int], factor: int, progress: Progress = lambda done, total: None
) -> TileShifts:
    """Tiles of pixels that are `factor` times as large; places and shifts in these."""
    height, width = (length // factor for length in overlay.grid.shape)
    search = replace(search, side=max(min(search.side, height - 2 * search.radius, width - 2 * search.radius), 16))
    method = METHODS[search.method]
    step = max(_LEAST_STEP, math.isqrt(height * width // search.tiles))
    tops, lefts = (_starts(length, search, step) for length in (height, width))
    corners = [(left, top) for top in tops for left in lefts]
    shifts, scores, contrasts = (
        np.full((len(corners), 2), np.nan),
        np.zeros((len(corners), 2)),
        np.zeros((len(corners), 2)),
    )
    states = np.full(len(corners), TileState.EMPTY, np.uint8)
    for at, (left, top) in enumerate(corners):
        pair = _TilePair.read(overlay, search, (left, top), start, factor)
        if pair.is_full:
            found = method.match(*pair.features(method, search.smoothing))
            states[at] = TileState.ACCEPTED if method.accepts(found) else TileState.REJECTED
            shifts[at] = found.dx + start[0], found.dy + start[1]
            scores[at] = found.peak, found.margin
            contrasts[at] = pair.contrasts
        progress(at + 1, len(corners))
    known = states != TileState.EMPTY
    if known.any():
        flat = (contrasts < _FLAT * np.median(contrasts[known], 0)).any(1) | (contrasts == 0).any(1)
        states[known & flat] = TileState.FLAT
    places = np.array(corners, np.float64).reshape(-1, 2) + search.side / 2
    return TileShifts(places, shifts, scores[:, 0], scores[:, 1], states, (height, width))


@dataclass(frozen=True)
class _TilePair:
    """A tile of the optical, and around the same place of the SAR as much more as is searched."""

    optical: Image
    sar: Image
    margin: int
    radius: int

    @classmethod
    def read(
        cls, overlay: Matched, search: Search, corner: tuple[int, int], start: tuple[int, int], factor: int
    ) -> _TilePair:
        margin, radius = search.smoothing.margin, search.radius
        moved = corner[0] + start[0] - radius, corner[1] + start[1] - radius
        return cls(
            overlay.optical(_square(corner, search.side, margin, factor), factor),
            overlay.sar(_square(moved, search.side + 2 * radius, margin, factor), factor),
            margin,
            radius,
        )

    @property
    def is_full(self) -> bool:
        """Whether both have data in most of the tile."""
        inner = self.margin, self.margin + self.radius
        return all(
            _inner(image[1], rim).mean() >= _LEAST_VALID
            for image, rim in zip((self.optical, self.sar), inner, strict=True)
        )

    @property
    def contrasts(self) -> tuple[float, float]:
        """Standard deviation of both, where there is data."""
        return _contrast(*self.optical), _contrast(*self.sar)

    def features(self, method: Method, smoothing: Smoothing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What is matched."""
        optical, sar = (_inner(method.features(*image, smoothing), self.margin) for image in (self.optical, self.sar))
        return optical, sar


def _square(corner: tuple[int, int], side: int, margin: int, factor: int) -> Window:
    left, top = ((each - margin) * factor for each in corner)
    return Window(left, top, (side + 2 * margin) * factor, (side + 2 * margin) * factor)


def _inner(pixels: NDArray[Any], rim: int) -> NDArray[Any]:
    return pixels[..., rim:-rim, rim:-rim]


def _contrast(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    return float(pixels[valid].std()) if valid.any() else 0.0


def _starts(length: int, search: Search, step: int) -> list[int]:
    """Where tiles begin along an axis, evenly from one end to the other."""
    last = length - search.side
    count = max(last // step, 0) + 1
    if count == 1:
        return [max(last // 2, 0)]
    if search.between:
        return [round((at + 0.5) * last / (count - 1)) for at in range(count - 1)]
    return [round(at * last / (count - 1)) for at in range(count)]
