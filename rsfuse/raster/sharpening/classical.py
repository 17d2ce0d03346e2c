"""A scene sharpened by a classical method, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.filters import Span
from rsfuse.geometry.sharpening.methods import Injection, Method, fit
from rsfuse.geometry.sharpening.sensors import SensorGains
from rsfuse.raster.sharpening.moments import measure_pair
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.windows import Windows, each_window


@dataclass(frozen=True)
class Sharp:
    """A window of the sharpened image.

    Args:
        rows: first and past the last, of the panchromatic raster.
        columns: likewise.
        pixels: (B, h, w), neither rounded nor clipped.
        valid: (h, w) where both rasters have data.
        limits: the lowest and the highest number of both rasters, as far as is known.
    """

    rows: Span
    columns: Span
    pixels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    limits: tuple[float, float]


@dataclass(frozen=True)
class Sharpener:
    """A method that was fitted to a scene.

    Args:
        injection: the method.
        gains: of each multispectral band at Nyquist.
        limits: the lowest and the highest number in either raster, as far as it was looked at.
    """

    injection: Injection
    gains: tuple[float, ...]
    limits: tuple[float, float]

    def __call__(self, scene: PanMsScene, rows: Span, columns: Span) -> Sharp:
        """One window of the panchromatic raster."""
        fine = scene.fine(rows, columns)
        exp, pan = fine.exp, fine.pan
        low = scene.low(self.gains, rows, columns) if self.injection.needs_low else None
        flat = (exp.reshape(len(exp), -1), pan.reshape(1, -1), None if low is None else low.reshape(len(low), -1))
        limits = min(self.limits[0], fine.limits[0]), max(self.limits[1], fine.limits[1])
        sharp = self.injection(*flat).reshape(exp.shape)
        return Sharp(rows, columns, sharp, fine.valid, limits)

    def windows(self, scene: PanMsScene, windows: Windows) -> Iterator[Sharp]:
        """Windows in their order, several at a time; memory is that of a few.

        Raises:
            SceneError: if a file is truncated or damaged.
        """
        return each_window(scene, windows, self)


def fitted(scene: PanMsScene, method: Method, sensor: SensorGains, progress: Callable[[int, int], None]) -> Sharpener:
    """A method fitted to a scene, which is read once for it.

    Raises:
        SceneError: if a file is truncated, or the sensor has another number of bands.
    """
    moments = measure_pair(scene, sensor, progress)
    return Sharpener(fit(method, moments), sensor.of(len(scene.bands)), moments.limits)
