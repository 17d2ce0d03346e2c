"""Scaling: from pixel values to numbers around 0, alike in training and prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rsfuse.learn.recipes.inputs import Inputs, Moments, MomentScaling, PercentileScaling
from rsfuse.raster.scene import OPTICAL, SAR, Sample
from rsfuse.raster.statistics import BandStatistics, SceneStatistics

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scaler:
    """Brings two percentiles of each band to -1 and 1, or its mean to 0 and its standard deviation to 1.

    What has no data becomes 0, and so does all of a sensor that the scene lacks or the network is not to see.

    Args:
        inputs: what the network was trained on.
        statistics: of the scene, or of the training tiles where the recipe says so; never of a patch.
    """

    inputs: Inputs
    statistics: SceneStatistics
    ratio: ClassVar[int] = 1
    """Optical and SAR have one grid."""

    @property
    def channels(self) -> tuple[int, int]:
        """C and S."""
        return len(self.inputs.optical), len(self.inputs.sar)

    def __call__(self, sample: Sample, moved: float = 0.0) -> tuple[Floats, Floats]:
        """Scaled optical (C, h, w) and SAR (S, h, w).

        Args:
            sample: a part of the scene.
            moved: how much farther towards the median what becomes -1 lies, from -1 to 1; it stays between the low
                percentile and the median.
        """
        return self._scale_optical(sample, moved), self._scale_sar(sample, moved)

    def _scale_optical(self, sample: Sample, moved: float) -> Floats:
        if len(sample.optical) == 0 or self.inputs.sensors == "sar":
            return np.zeros((len(self.inputs.optical), *sample.valid.shape), np.float32)
        scaling, bands, known = self.inputs.scaling, self.statistics.optical, sample.has(OPTICAL)
        if isinstance(scaling, MomentScaling):
            return _only(known, by_moments(sample.optical, scaling.optical or moments_of(bands)))
        return bend(_only(known, by_percentiles(sample.optical, bands, scaling, moved)), scaling.optical_curve)

    def _scale_sar(self, sample: Sample, moved: float) -> Floats:
        if len(sample.sar) == 0 or self.inputs.sensors == "optical":
            return np.zeros((len(self.inputs.sar), *sample.valid.shape), np.float32)
        scaling, bands, known = self.inputs.scaling, self.statistics.sar, sample.has(SAR)
        if isinstance(scaling, MomentScaling):
            return _only(known, by_moments(sample.sar, scaling.sar or moments_of(bands)))
        return _only(known, by_percentiles(sample.sar, bands, scaling, moved))


def by_percentiles(
    pixels: Floats, bands: Sequence[BandStatistics], scaling: PercentileScaling, moved: float = 0.0
) -> Floats:
    """Pixels (C, h, w) with the anchor of each band at -1 and its high percentile at 1, clipped to the limit.

    The anchor is the low percentile, or lies between it and the median (see `PercentileScaling.toward_median`).
    """
    share = min(max(scaling.toward_median + moved, 0.0), 1.0)
    low = _column([(1 - share) * band.percentiles[scaling.low] + share * band.percentiles[50] for band in bands])
    high = _column([band.percentiles[scaling.high] for band in bands])
    # a band without contrast says nothing: any span does
    span = np.where(high > low, high - low, np.float32(1))
    scaled: Floats = pixels - low
    scaled *= 2 / span  # in place: a scene has many pixels, and each pass over them that makes an array costs two
    scaled -= 1
    return np.clip(scaled, -scaling.limit, scaling.limit, out=scaled)


def by_moments(pixels: Floats, moments: Moments) -> Floats:
    """Pixels (C, h, w) less the mean of each band, over its standard deviation."""
    scaled: Floats = pixels - _column(moments.mean)
    scaled /= _column(moments.std)
    return scaled


def moments_of(bands: Sequence[BandStatistics]) -> Moments:
    """Mean and standard deviation of each band; 1 for one without contrast, which says nothing."""
    return Moments(mean=tuple(band.mean for band in bands), std=tuple(band.std or 1.0 for band in bands))


def bend(scaled: Floats, curve: float) -> Floats:
    """Spread dark values: -1, 1 and 0 (no data) stay, below -1 the curve goes on straight.

    Args:
        scaled: values with the percentiles at -1 and 1.
        curve: k of log(1 + k u) / log(1 + k) for u = (scaled + 1) / 2; 0 bends nothing.
    """
    if curve == 0:
        return scaled
    grown: Floats = (scaled + 1) * np.float32(curve / 2)  # k u
    bent = np.maximum(grown, 0)
    bent += 1
    np.log(bent, out=bent)  # 0 below u = 0, where the straight part is added; log1p takes several times as long
    bent += np.minimum(grown, 0, out=grown)
    bent *= np.float32(2 / math.log1p(curve))
    bent -= 1
    bent *= scaled != 0
    return bent


def _only(known: NDArray[np.bool_], scaled: Floats) -> Floats:
    """Scaled values (C, h, w), 0 where nothing is known."""
    if not known.all():
        scaled *= known
    return scaled


def _column(values: Sequence[float]) -> Floats:
    """One number a band, (C, 1, 1)."""
    return np.array(values, np.float32)[:, None, None]
