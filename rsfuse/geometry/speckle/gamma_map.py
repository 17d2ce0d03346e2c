"""The Gamma-MAP filter: the likeliest reflectivity, where both that and speckle are gamma distributed.

A. Lopes et al., "Structure detection and statistical adaptive speckle filtering in SAR images", Int. J. Remote Sensing
14 (1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.geometry.speckle.window_sums import Floats, Surroundings, quotient


@dataclass(frozen=True)
class GammaMap(SpeckleFilter):
    """The mean where a window varies no more than speckle, the pixel where twice as much, the likeliest between.

    The likeliest is not the mean: a pixel as bright as its window came out darker, and even areas of single looks lost
    4 % of their power. Hence it is divided by what comes of such a pixel. So a result is always between the pixel and
    the mean, and even areas lose less than 1 %.

    Args:
        halo: of the window.
        looks: of the image; Cu^2 = 1 / looks is what speckle alone makes of Ci^2 = variance / mean^2.
    """

    halo: int
    looks: float

    def _filtered(self, around: Surroundings) -> Floats:
        window, pixel = around.moments(), around.centres
        contrast, relative = window.contrast, quotient(pixel, window.mean)
        between = window.mean * self._likeliest(contrast, relative) / self._likeliest(contrast, np.ones_like(pixel))
        return np.where(contrast >= np.float32(2 / self.looks), pixel, between)

    def _likeliest(self, contrast: Floats, pixel: Floats) -> Floats:
        """In parts of the mean, for Ci^2 and the pixel in parts of the mean; 1 where Ci^2 is that of speckle, or less.

        This is (b + sqrt(b^2 + 4 alpha L pixel)) / (2 alpha), with alpha = (1 + Cu^2) / (Ci^2 - Cu^2) and
        b = alpha - L - 1, where all is multiplied by Ci^2 - Cu^2, which may be 0.
        """
        looks = np.float32(self.looks)
        alpha, more = 1 + 1 / looks, np.clip(contrast - 1 / looks, 0, 1 / looks)
        slope = alpha - (looks + 1) * more
        root = np.sqrt(slope * slope + 4 * alpha * looks * more * pixel)
        return np.asarray((slope + root) / (2 * alpha))
