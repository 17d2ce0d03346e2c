"""Matching: by how much a part of one image lies aside in another, whatever sensors took them.

What two sensors have in common is where edges run, not how bright they are nor which side is the darker. So both
images become fields of edge orientation (the smoothed form of squared orientation correlation: Fitch et al., BMVC 2002,
over the structure tensor of Bigun and Granlund, ICCV 1987), and those are correlated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.float32]

_EPS = 1e-3  # of the mean energy: where there is less, no direction is told
_REACH = 4  # standard deviations that scipy's Gaussians reach
_AROUND = 3  # px around a peak that belong to it


@dataclass(frozen=True)
class Smoothing:
    """Standard deviations in pixels: of the image before its gradients, and of their products.

    0 and 0.8 keep more detail of images without speckle.
    """

    image: float = 1.0
    tensor: float = 1.0

    @property
    def margin(self) -> int:
        """Pixels on each side without which orientations are not what they are in a larger image."""
        return round(_REACH * self.image + 0.5) + 1 + round(_REACH * self.tensor + 0.5)


@dataclass(frozen=True)
class Match:
    """Where a template was found.

    Args:
        dx: pixels by which what the template shows lies further to the right in the window's image.
        dy: likewise, further down.
        peak: score there; of orientations zero-mean normalised cross-correlation, -1 to 1.
        margin: how much higher it is than any more than three pixels away.
        on_border: whether it lies on the border of what was searched, so that the true place may be beyond.
        side: of the template in pixels.
    """

    dx: float
    dy: float
    peak: float
    margin: float
    on_border: bool
    side: int


def orientations(image: Floats, valid: NDArray[np.bool_], smoothing: Smoothing = Smoothing()) -> Floats:
    """Doubled angle of the gradient, weighted by how much the neighbourhood agrees on it.

    With gradients gx and gy: f1 = G * (gx^2 - gy^2) / (G * m + eps) and f2 = G * (2 gx gy) / (G * m + eps) where
    m = gx^2 + gy^2. Neither contrast nor its sign changes them.

    Args:
        image: (h, w).
        valid: (h, w), where there is data; gradients that others have a part in do not count.
        smoothing: see there.

    Returns:
        (2, h, w) from -1 to 1; 0 where nothing is known.
    """
    known = valid
    if not valid.all():
        image = np.where(valid, image, image[valid].mean() if valid.any() else 0).astype(np.float32)
        reach = round(_REACH * smoothing.image + 0.5) + 1
        known = ndimage.minimum_filter(valid, 2 * reach + 1, mode="nearest")
    if smoothing.image:
        image = ndimage.gaussian_filter(image, smoothing.image, mode="nearest")
    down, right = np.gradient(image)
    tensor = np.stack([right * right - down * down, 2 * right * down, right * right + down * down]) * known
    if smoothing.tensor:
        tensor = ndimage.gaussian_filter(tensor, smoothing.tensor, axes=(1, 2), mode="nearest")
    energy = tensor[2]
    usual = float(energy.sum(dtype=np.float64)) / max(int(known.sum()), 1)
    field: Floats = tensor[:2] / (energy + max(_EPS * usual, float(np.finfo(np.float32).tiny)))
    field *= valid
    return field


def locate(scores: Floats, side: int) -> Match:
    """Where the highest of scores lies, to a part of a pixel.

    Args:
        scores: (2 r + 1, 2 r + 1) of all displacements of a template in a window; in the middle it is none.
        side: of the template in pixels.
    """
    radius = len(scores) // 2
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    peak = float(scores[row, column])
    others = scores.copy()
    others[max(row - _AROUND, 0) : row + _AROUND + 1, max(column - _AROUND, 0) : column + _AROUND + 1] = -1
    on_border = bool({row, column} & {0, 2 * radius})
    dy, dx = float(row - radius), float(column - radius)
    if not on_border:
        dy += _vertex(scores[row - 1 : row + 2, column])
        dx += _vertex(scores[row, column - 1 : column + 2])
    return Match(dx, dy, peak, peak - float(others.max()), on_border, side)


def correlation(template: Floats, window: Floats) -> Floats:
    """Zero-mean normalised cross-correlation, pooled over channels, at every displacement.

    Args:
        template: (C, T, T).
        window: (C, T + 2 r, T + 2 r).

    Returns:
        (2 r + 1, 2 r + 1) from -1 to 1; row and column r are no displacement. 0 where one of the two is constant.
    """
    side, around = template.shape[1], window.shape[1]
    count = around - side + 1
    size = (fft.next_fast_len(around, real=True),) * 2
    centred = template - template.mean((1, 2), keepdims=True)
    spectrum = (fft.rfft2(window, size) * fft.rfft2(centred, size).conj()).sum(0)
    products = fft.irfft2(spectrum, size)[:count, :count]
    spread = _box_sums((window * window).sum(0), side) - (_box_sums(window, side) ** 2).sum(0) / side**2
    energy = np.maximum(spread, 0) * float((centred * centred).sum(dtype=np.float64))
    scores: Floats = np.where(energy > 1e-6, products / np.sqrt(np.maximum(energy, 1e-6)), 0).astype(np.float32)
    return scores


def _box_sums(values: Floats, side: int) -> NDArray[np.float64]:
    """Sums over all squares of a side, of the last two axes."""
    rows, columns = (_runs(length, side) for length in values.shape[-2:])
    return rows @ values @ columns.T


@lru_cache(maxsize=16)
def _runs(length: int, side: int) -> NDArray[np.float64]:
    """A matrix that sums `side` values in a row, from each that has as many after it."""
    after = np.arange(length) - np.arange(length - side + 1)[:, None]
    return ((after >= 0) & (after < side)).astype(np.float64)


def _vertex(scores: Floats) -> float:
    """Where the parabola through three scores has its top, relative to the middle one, at most half a pixel aside."""
    before, here, after = (float(each) for each in scores)
    bend = before - 2 * here + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
