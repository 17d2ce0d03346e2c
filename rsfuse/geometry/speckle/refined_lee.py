"""The refined filter of Lee: where an edge crosses the window, only the pixel's own side of it counts.

J.-S. Lee, "Refined filtering of image noise using local statistics", Computer Graphics and Image Processing 15 (1981).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.speckle.halves import REACH, chosen_half, half_sums
from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.geometry.speckle.window_sums import Counts, Floats, Moments, Surroundings, box_sums, quotient

_PART = 3  # rows and columns of the parts of a window
_STEP = 2  # from one part to the next
_LEAST_PIXELS = 5  # of the nine of a part: of fewer, the variance says little
_EVEN_PARTS = 5  # of the nine parts: those that vary least show speckle alone
_EDGE = 0.75  # see RefinedLee


@dataclass(frozen=True)
class RefinedLee(SpeckleFilter):
    """mean + w (pixel - mean), as Lee's, of the whole window or of its half on this side of an edge; of 7 x 7 pixels.

    How strong speckle is, the window itself says: Cu^2 is the mean of the five smallest variance / mean^2 of its nine
    parts of 3 x 3 pixels. There is an edge where the means of these parts vary by more than speckle lets them: where
    their variance / mean^2 is above 0.75 / looks. In even areas it is 0.085 / looks on average where pixels are
    independent (a mean is of nine pixels, and a part shares a third of them with the next), but 0.27 / looks in single
    looks of Gaofen-3, whose neighbours correlate by 0.6 to 0.7; a lower limit would take their speckle for edges, and
    lose power with it, as a half without a bright spot is more often like the middle.

    Args:
        looks: of the image.
    """

    looks: float
    halo: int = field(default=REACH, init=False)

    def _filtered(self, around: Surroundings) -> Floats:
        window = around.moments()
        counts = box_sums(around.counts, _PART)
        parts = Moments.of(box_sums(around.pixels, _PART), box_sums(around.squares, _PART), counts)
        speckle = self._speckle(parts, counts)
        means = _nine(parts.mean)
        if not counts.all():  # nothing is known of a part without data: it is as the window
            means = [np.where(has, mean, window.mean) for mean, has in zip(means, _nine(counts), strict=True)]
        window = self._own_side(around, window, means)

        noise = window.mean * window.mean * speckle
        weight = quotient(np.maximum(window.variance - noise, 0), window.variance * (1 + speckle))
        return window.mean + weight * (around.centres - window.mean)

    def _speckle(self, parts: Moments, counts: Counts) -> Floats:
        """Cu^2, (h, w); 1 / looks where no part has enough pixels."""
        enough = counts >= _LEAST_PIXELS
        if enough.all():
            return _smallest(parts.contrast) / np.float32(_EVEN_PARTS)
        number = np.minimum(sum(each.astype(np.uint8) for each in _nine(enough)), _EVEN_PARTS)
        total = _smallest(np.where(enough, parts.contrast, np.float32(np.inf)))
        return np.where(number > 0, total / np.maximum(number, 1).astype(np.float32), np.float32(1 / self.looks))

    def _own_side(self, around: Surroundings, window: Moments, means: list[Floats]) -> Moments:
        """Moments of the whole window, or of a half where an edge crosses it."""
        mean = _total(means) / np.float32(len(means))
        variance = _total([(each - mean) ** 2 for each in means]) / np.float32(len(means))
        edges = np.nonzero(variance > np.float32(_EDGE / self.looks) * mean * mean)
        if not edges[0].size:
            return window
        half = chosen_half(np.stack([each[edges] for each in means]))
        own = ([sums[edges] for sums in half_sums(each)] for each in (around.pixels, around.squares, around.counts))
        side = Moments.of(*(np.take_along_axis(np.stack(each), half[None], 0)[0] for each in own))
        own_mean, own_variance = window.mean.copy(), window.variance.copy()
        own_mean[edges], own_variance[edges] = side.mean, side.variance
        return Moments(own_mean, own_variance)


def _smallest(contrast: Floats) -> Floats:
    """The sum of the five smallest of nine parts, of those that are finite."""
    rest = _nine(contrast)
    smallest = []
    for _ in range(_EVEN_PARTS):
        least, *others = rest
        rest = []
        for other in others:
            rest.append(np.maximum(least, other))
            least = np.minimum(least, other)
        smallest.append(least)
    if np.isfinite(contrast).all():
        return _total(smallest)
    return _total([np.where(np.isfinite(each), each, np.float32(0)) for each in smallest])


def _total(images: list[Floats]) -> Floats:
    total = images[0].copy()
    for image in images[1:]:
        total += image
    return total


def _nine(parts: NDArray[Any]) -> list[NDArray[Any]]:
    """The parts of windows, row by row from the upper left, (h, w) each; all of them come as (h + 4, w + 4)."""
    height, width = (length - 2 * _STEP for length in parts.shape)
    starts = (0, _STEP, 2 * _STEP)
    return [parts[top : top + height, left : left + width] for top in starts for left in starts]
