"""Methods of matching: what of two images is compared, and how a displacement is scored.

Orientations are what tiles of an optical and a SAR image are matched by. The other two are there to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from rsfuse.geometry.matching import Floats, Match, Smoothing, correlation, locate, orientations

Mask = NDArray[np.bool_]
MethodName = Literal["orientation", "phase", "mutual-information"]

_TINY = float(np.finfo(np.float32).tiny)
_WHITENED = 1e-6  # of the mean product of amplitudes: where there is less, phases are not compared
_LEVELS = 32
_TAILS = 1, 99  # per cent: levels lie between, or a few bright points of a SAR image would take them all


@dataclass(frozen=True)
class Method:
    """A way of matching, and what of it stands out.

    Args:
        features: of an image (h, w) and where it has data: what is compared, (C, h, w).
        scores: of a template (C, T, T) in a window (C, T + 2 r, T + 2 r): (2 r + 1, 2 r + 1), higher where they agree.
        peak: least score of a tile that is accepted, times its side.
        margin: by how much it has to be higher than elsewhere, times the side.

    Of tiles that show different places, one in a thousand at most is accepted with these.
    """

    features: Callable[[Floats, Mask, Smoothing], Floats]
    scores: Callable[[Floats, Floats], Floats]
    peak: float
    margin: float

    def match(self, template: Floats, window: Floats) -> Match:
        """Find a template in a window, both features of images."""
        return locate(self.scores(template, window), template.shape[1])

    def accepts(self, found: Match) -> bool:
        """Whether a match stands out."""
        return not found.on_border and found.peak * found.side >= self.peak and found.margin * found.side >= self.margin


def brightness(image: Floats, valid: Mask, smoothing: Smoothing) -> Floats:
    """The image as it is, (1, h, w); its mean where there is no data."""
    return np.where(valid, image, image[valid].mean() if valid.any() else 0).astype(np.float32)[None]


def phase_correlation(template: Floats, window: Floats) -> Floats:
    """Phases alone, of the template and the middle of the window (Kuglin and Hines, 1975).

    R = F0 F1* / (|F0| |F1| + eps), brought back from frequencies, after a Hann window. More than half a side is not
    told from less in the other direction.

    Args:
        template: (C, T, T).
        window: (C, T + 2 r, T + 2 r).

    Returns:
        (2 r + 1, 2 r + 1), 1 where two equal images lie on each other; 0 where one of the two is constant.
    """
    side, around = template.shape[1], window.shape[1]
    radius = (around - side) // 2
    taper = np.hanning(side + 2)[1:-1].astype(np.float32)
    middle = window[:, radius : radius + side, radius : radius + side]
    here, there = (
        fft.rfft2((each - each.mean((1, 2), keepdims=True)) * np.outer(taper, taper)) for each in (template, middle)
    )
    product = there * here.conj()
    amplitude = np.abs(product)
    whitened = product / (amplitude + max(_WHITENED * float(amplitude.mean()), _TINY))
    reach = np.arange(-radius, radius + 1)
    scores: Floats = fft.irfft2(whitened, (side, side)).mean(0)[np.ix_(reach, reach)].astype(np.float32)
    return scores


def levels(image: Floats, valid: Mask, smoothing: Smoothing) -> Floats:
    """Brightness in 32 steps of one width, 0 to 31, (1, h, w); 32 where there is no data."""
    low, high = np.percentile(image[valid], _TAILS) if valid.any() else (0.0, 0.0)
    steps = np.floor((image - low) * (_LEVELS / ((high - low) or 1.0)))
    return np.where(valid, np.clip(steps, 0, _LEVELS - 1), _LEVELS).astype(np.float32)[None]


def mutual_information(template: Floats, window: Floats) -> Floats:
    """What levels of one image tell about those of the other (Viola and Wells, 1997; Maes et al., 1997).

    MI = sum of p log(p / (px py)) over pairs of levels, counted anew at every displacement.

    Args:
        template: (1, T, T) of `levels`.
        window: (1, T + 2 r, T + 2 r), likewise.

    Returns:
        (2 r + 1, 2 r + 1) in nats, 0 where one of the two is constant.
    """
    side, around = template.shape[1], window.shape[1]
    reach, codes = range(around - side + 1), _LEVELS + 1
    mine, other = template[0].astype(np.intp) * codes, window[0].astype(np.intp)
    logs = special.xlogy(np.arange(side**2 + 1), np.arange(side**2 + 1))  # n log n of every count that can be
    together, scores = np.empty_like(mine), np.zeros((len(reach), len(reach)), np.float32)
    counts = np.empty((len(reach), codes**2), np.intp)
    for row in reach:
        for column in reach:
            np.add(mine, other[row : row + side, column : column + side], out=together)
            counts[column] = np.bincount(together.ravel(), minlength=codes**2)
        scores[row] = _information(counts.reshape(-1, codes, codes)[:, :_LEVELS, :_LEVELS], logs)
    return scores


def _information(counts: NDArray[np.intp], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mutual information (n,) of pairs of levels that were counted, (n, levels, levels)."""
    total = counts.sum((1, 2))
    mine, other = (logs[counts.sum(axis)].sum(1) for axis in (2, 1))
    information: NDArray[np.float64] = (logs[counts].sum((1, 2)) - mine - other + logs[total]) / np.maximum(total, 1)
    return information


# Least peaks and margins of the last two let through one in a thousand of 3000 tiles of 128 px, the optical of San
# Antonio against the SAR of Los Angeles. A high peak says nothing of mutual information: two smooth tiles have one
# wherever they lie, so its margin alone counts. That holds down to 64 px, where phases let two in a thousand through.
METHODS: Mapping[MethodName, Method] = {
    "orientation": Method(orientations, correlation, peak=16.0, margin=4.0),
    "phase": Method(brightness, phase_correlation, peak=8.0, margin=4.0),
    "mutual-information": Method(levels, mutual_information, peak=0.0, margin=1.6),
}
