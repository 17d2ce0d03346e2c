"""Amplitude, phase and the way back as matrix products: `layers/fourier.py` for runtimes without transforms.

ONNX knows complex transforms, onnxruntime has slow ones or none, and neither has atan2. A transform of a map of one
fixed size is a product with constant cosines and sines from either side.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

Rows = tuple[tuple[float, ...], ...]


def decouple_by_products(features: Tensor, smallest: float) -> tuple[Tensor, Tensor]:
    """`fourier.decouple` of (..., H, W); `smallest` is the amplitude below which a coefficient has no phase."""
    height, width = features.shape[-2:]
    cosines, sines = _waves(width, width // 2 + 1, features)
    across, turned = features @ cosines, features @ sines  # (..., H, W // 2 + 1): real part, minus the imaginary one
    cosines, sines = _waves(height, height, features)
    real, minus = cosines @ across - sines @ turned, cosines @ turned + sines @ across
    amplitude = (real.square() + minus.square()).sqrt()
    return amplitude, torch.where(amplitude < smallest, 0.0, _angle(real, minus))


def recouple_by_products(amplitude: Tensor, phase: Tensor, size: tuple[int, int]) -> Tensor:
    """`fourier.recouple` of (..., H, W // 2 + 1) to (..., H, W); only what a real map can show comes through."""
    height, width = size
    real, imaginary = amplitude * phase.cos(), amplitude * phase.sin()
    cosines, sines = _waves(height, height, amplitude)
    down, turned = cosines @ real - sines @ imaginary, sines @ real + cosines @ imaginary
    cosines, sines = _waves(width, width // 2 + 1, amplitude)
    both = _halves(width, amplitude)  # the other half of the spectrum says the same, conjugate
    return down @ (cosines * both).mT - turned @ (sines * both).mT


def _angle(real: Tensor, minus: Tensor) -> Tensor:
    """atan2(-minus, real); 0 or pi where minus is 0, whatever its sign."""
    near = -(minus / real.abs()).atan()
    return torch.where(real < 0, torch.where(minus > 0, -math.pi, math.pi) - near, near)


def _waves(length: int, frequencies: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines over sqrt(length), (length, frequencies)."""
    return tuple(like.new_tensor(rows) for rows in _wave_rows(length, frequencies))  # type: ignore[return-value]


def _halves(width: int, like: Tensor) -> Tensor:
    """How often each column of a half spectrum occurs in the full one: 1, 2, ..., 2, and 1 again for an even width."""
    own_mirror = [2 * column % width == 0 for column in range(width // 2 + 1)]
    return like.new_tensor([1.0 if own else 2.0 for own in own_mirror])


@cache
def _wave_rows(length: int, frequencies: int) -> tuple[Rows, Rows]:
    turns = [2 * math.pi * step / length for step in range(length)]
    # exact where a wave passes through 0: the imaginary part of a real coefficient is then 0, not a rounding error
    cosines = [0.0 if 4 * step % (2 * length) == length else math.cos(turn) for step, turn in enumerate(turns)]
    sines = [0.0 if 2 * step % length == 0 else math.sin(turn) for step, turn in enumerate(turns)]
    return _rows(cosines, frequencies), _rows(sines, frequencies)


def _rows(wave: list[float], frequencies: int) -> Rows:
    length = len(wave)
    scale = 1 / math.sqrt(length)
    return tuple(
        tuple(scale * wave[place * frequency % length] for frequency in range(frequencies)) for place in range(length)
    )
