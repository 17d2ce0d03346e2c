"""Scaling: from pixel values to numbers around 0, alike in training and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.recipe import Inputs
from rsfuse.raster.scene import Sample
from rsfuse.raster.statistics import BandStatistics, SceneStatistics

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scaler:
    """Brings the low percentile of each band to -1 and the high one to +1; what has no data becomes 0.

    A sensor that the scene lacks, or that the network is not to see, becomes 0 throughout.

    Args:
        inputs: what the network was trained on.
        statistics: of the scene, or of the training tiles where the recipe says so; never of a patch.
    """

    inputs: Inputs
    statistics: SceneStatistics

    def __call__(self, sample: Sample) -> tuple[Floats, Floats]:
        """Scaled optical (C, h, w) and SAR (S, h, w)."""
        return (
            self._scale_optical(sample),
            self._scale_sar(sample),
        )

    def _scale_optical(self, sample: Sample) -> Floats:
        seen = self.inputs.sensors != "sar"
        scaled = self._scale(sample.optical, sample.valid, self.statistics.optical, seen=seen)
        return bend(scaled, self.inputs.scaling.optical_curve)

    def _scale_sar(self, sample: Sample) -> Floats:
        if len(sample.sar) == 0:
            return np.zeros((len(self.inputs.sar), *sample.valid.shape), np.float32)
        return self._scale(sample.sar, sample.valid, self.statistics.sar, seen=self.inputs.sensors != "optical")

    def _scale(
        self, pixels: Floats, valid: NDArray[np.bool_], bands: Sequence[BandStatistics], *, seen: bool
    ) -> Floats:
        if not seen:
            return np.zeros_like(pixels)
        scaling = self.inputs.scaling
        low = np.array([band.percentiles[scaling.low] for band in bands], np.float32)[:, None, None]
        high = np.array([band.percentiles[scaling.high] for band in bands], np.float32)[:, None, None]
        # a band without contrast says nothing: any span does
        span = np.where(high > low, high - low, np.float32(1))
        scaled: Floats = np.clip((pixels - low) * (2 / span) - 1, -scaling.limit, scaling.limit)
        scaled *= valid
        return scaled


def bend(scaled: Floats, curve: float) -> Floats:
    """Spread dark values: -1, 1 and 0 (no data) stay, below -1 the curve goes on straight.

    Args:
        scaled: values with the percentiles at -1 and 1.
        curve: k of log(1 + k u) / log(1 + k) for u = (scaled + 1) / 2; 0 bends nothing.
    """
    if curve == 0:
        return scaled
    unit = (scaled + 1) / 2
    bent = np.where(unit > 0, np.log1p(curve * np.maximum(unit, 0)), curve * unit) / np.log1p(curve)
    return np.where(scaled == 0, scaled, 2 * bent - 1).astype(np.float32)
