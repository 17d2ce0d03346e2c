"""Scaling of what networks sharpen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.filling import filled
from rsfuse.raster.sharpening.scene import PanMsSample

Floats = NDArray[np.float32]


def by_divisor(sample: PanMsSample, ratio: int, divisor: float) -> tuple[Floats, Floats]:
    """Panchromatic (1, h, w) and multispectral (B, h / ratio, w / ratio) digital numbers over the divisor.

    Where there is no data they are the nearest ones: a hole is no edge to sharpen.
    """
    height, width = sample.ms.shape[1:]
    coarse = np.asarray(sample.valid.reshape(height, ratio, width, ratio).any((1, 3)))
    pan, ms = filled(sample.pan, sample.valid), filled(sample.ms, coarse)
    return pan / np.float32(divisor), ms / np.float32(divisor)
