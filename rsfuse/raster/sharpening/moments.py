"""Moments of a pair, from windows all over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import SceneError
from rsfuse.geometry.sharpening.bandwise import BandFilters
from rsfuse.geometry.sharpening.filters import Image, Span
from rsfuse.geometry.sharpening.moments import Moments, PairMoments
from rsfuse.geometry.sharpening.sensors import SensorGains
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.windows import each_window

Progress = Callable[[int, int], None]
Mask = NDArray[np.bool_]

SIDE, MOST = 512, 256
"""Side of a window in panchromatic pixels, and how many are read: of a larger scene, that many spread evenly."""


def measure_pair(scene: PanMsScene, sensor: SensorGains, progress: Progress = lambda done, total: None) -> PairMoments:
    """Moments of a scene, by which methods are fitted to it.

    Args:
        scene: of up to 67 million panchromatic pixels, every one is seen; of a larger one so many, in windows.
        sensor: what its bands still show at Nyquist.
        progress: told (done, total) of windows.

    Raises:
        SceneError: if a file is truncated or damaged, or there is nowhere data in both.
    """
    measured = partial(_measured, gains=sensor.of(len(scene.bands)), pan_gain=sensor.pan)
    windows = _windows(scene.grid.shape)
    found = []
    for done, each in enumerate(each_window(scene, windows, measured), 1):
        found.append(each)
        progress(done, len(windows))
    moments = reduce(add, found)
    if not (moments.fine.count and moments.coarse.count):
        raise SceneError(
            f"no pixel has data in both {scene.paths[0]} and {scene.paths[1]}",
            hint="check the nodata values of both, and that they show the same ground",
        )
    return moments


def _measured(
    scene: PanMsScene, rows: Span, columns: Span, *, gains: tuple[float, ...], pan_gain: float
) -> PairMoments:
    bands = len(gains)
    both = scene.fine(rows, columns)
    fine = _of(np.concatenate([both.exp, both.pan, scene.low(gains, rows, columns)]), both.valid)
    placement = scene.placement
    inside = placement.rows.inside(rows), placement.columns.inside(columns)
    if any(first == past for first, past in inside):
        return PairMoments(bands, fine, Moments.of(np.zeros((2 * bands + 2, 0))), both.limits)
    ms, valid = scene.ms(*inside)
    low = [scene.reduced(gain, *inside) for gain in (float(np.mean(gains)), pan_gain)]
    coarse = _of(np.concatenate([ms, *low, _degraded(scene, gains, *inside)]), valid & scene.has_pan(*inside))
    return PairMoments(bands, fine, coarse, both.limits)


def _degraded(scene: PanMsScene, gains: tuple[float, ...], rows: Span, columns: Span) -> Image:
    """Multispectral bands (B, h, w) as their sensor would see them from so much farther away."""
    degrading = BandFilters(tuple(scene.placement.degrading(gain) for gain in gains))
    ms, _ = scene.ms(*degrading.needed(rows, columns))
    return degrading(ms, rows, columns)


def _of(quantities: NDArray[np.floating], valid: Mask) -> Moments:
    flat = quantities.reshape(len(quantities), -1)
    return Moments.of(flat if valid.all() else flat[:, valid.reshape(-1)])


def _windows(shape: tuple[int, int]) -> list[tuple[Span, Span]]:
    """All of a raster in windows, or some of them spread evenly."""
    height, width = shape
    every = [
        ((top, min(top + SIDE, height)), (left, min(left + SIDE, width)))
        for top in range(0, height, SIDE)
        for left in range(0, width, SIDE)
    ]
    if len(every) <= MOST:
        return every
    down, across = -(-height // SIDE), -(-width // SIDE)
    kept_rows = min(down, max(1, round(math.sqrt(MOST * down / across))))
    kept_columns = min(across, MOST // kept_rows)
    tops, lefts = (
        {round(at) * SIDE for at in np.linspace(0, count - 1, kept)}
        for count, kept in ((down, kept_rows), (across, kept_columns))
    )
    return [(rows, columns) for rows, columns in every if rows[0] in tops and columns[0] in lefts]


def _spread(count: int, kept: int) -> set[int]:
    """First pixels of some of so many windows along an axis, from one end to the other."""
    return {round(at) * SIDE for at in np.linspace(0, count - 1, kept)}
