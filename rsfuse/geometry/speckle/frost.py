"""Frost's filter: a mean whose weights fall with the distance, the faster the more the window varies.

V. S. Frost et al., "A model for radar images and its application to adaptive digital filtering of multiplicative
noise", IEEE PAMI 4 (1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.geometry.speckle.window_sums import Floats, Surroundings, box_sums, quotient


@dataclass(frozen=True)
class Frost(SpeckleFilter):
    """Weights exp(-k r), where k = damping variance / mean^2 and r is the larger of the distances down and across.

    Args:
        halo: of the window.
        damping: how fast weights fall.
    """

    halo: int
    damping: float = 2.0

    def _filtered(self, around: Surroundings) -> Floats:
        window = around.moments()
        fall = np.exp(np.float32(-self.damping) * window.contrast)  # of the weight, from one ring to the next
        return quotient(self._weighed(around.pixels, fall), self._weighed(around.counts, fall))

    def _weighed(self, pixels: NDArray[Any], fall: Floats) -> Floats:
        """Sums with weights: of squares, not of rings, so that nothing bright is added and taken off again.

        With B_r the sum of the square that reaches r, and q the fall, the rings' sum of q^r (B_r - B_(r-1)) is
        (1 - q) (B_0 + q B_1 + ... + q^(R-1) B_(R-1)) + q^R B_R.
        """
        inner, weight = np.zeros_like(fall), np.ones_like(fall)
        for reach in range(self.halo):
            inner += weight * self._square(pixels, reach)
            weight *= fall
        return np.asarray((1 - fall) * inner + weight * self._square(pixels, self.halo))

    def _square(self, pixels: NDArray[Any], reach: int) -> NDArray[Any]:
        inside = slice(self.halo - reach, reach - self.halo or None)
        return box_sums(pixels[inside, inside], 2 * reach + 1)
