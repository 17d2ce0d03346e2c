"""Lee's filter: between the mean of the window and the pixel, by how much more than speckle the window varies.

J.-S. Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE PAMI 2 (1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.geometry.speckle.window_sums import Floats, Surroundings, quotient


@dataclass(frozen=True)
class Lee(SpeckleFilter):
    """mean + w (pixel - mean), with w = 1 - Cu^2 / Ci^2, or 0 where that is less.

    Args:
        halo: of the window.
        looks: of the image; Cu^2 = 1 / looks is what speckle alone makes of Ci^2 = variance / mean^2.
    """

    halo: int
    looks: float

    def _filtered(self, around: Surroundings) -> Floats:
        window = around.moments()
        speckle = window.mean * window.mean / np.float32(self.looks)
        more = np.maximum(window.variance - speckle, 0)
        weight = quotient(more, window.variance)
        return window.mean + weight * (around.centres - window.mean)
