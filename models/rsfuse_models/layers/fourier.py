"""Amplitude and phase of feature maps, and the way back.

The spectrum is the half that a real map needs: columns 0 ... W // 2 of the two-dimensional transform, zero frequency at
(0, 0), orthonormal, so that amplitudes (and losses on them) do not grow with the size of the map. While a network is
written as a graph, transforms become matrix products (`layers/fourier_products.py`).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rsfuse_models.layers.fourier_products import decouple_by_products, recouple_by_products

Spectrum = Literal["paper", "radial"]

# Below this a coefficient is rounding noise of a float32 transform (the mean of a normalised map reaches about 100 in
# it), its phase means nothing, and the gradient of the phase, 1 / amplitude, would end in infinity.
SMALLEST_AMPLITUDE = 1e-4


def decouple(features: Tensor) -> tuple[Tensor, Tensor]:
    """Split maps into amplitude and phase.

    Args:
        features: (..., H, W), real, float32 or float64 (half precision has no transform on every device).

    Returns:
        amplitude: (..., H, W // 2 + 1), 0 or more.
        phase: the same shape, radians in [-pi, pi]; 0 where the amplitude is below `SMALLEST_AMPLITUDE`, 0 or pi at
            the frequencies that are their own mirror image.
    """
    if torch.compiler.is_exporting():
        return decouple_by_products(features, SMALLEST_AMPLITUDE)
    wave = torch.fft.rfft2(features, norm="ortho")
    amplitude = wave.abs()
    real, imaginary = torch.view_as_real(wave).unbind(-1)
    noise = amplitude < SMALLEST_AMPLITUDE
    # A real map makes some coefficients real. Libraries leave +0, -0 or rounding in their imaginary part, and for a
    # negative one that sign would decide between pi and -pi.
    flat = noise | _own_mirror(features.shape[-2], features.shape[-1], features.device)
    return amplitude, torch.atan2(imaginary.masked_fill(flat, 0), real.masked_fill(noise, 1))


def _own_mirror(height: int, width: int, device: torch.device) -> Tensor:
    """(H, W // 2 + 1) bool: frequencies equal to their negative, at most four of them."""
    rows = torch.arange(height, device=device) * 2 % height == 0
    columns = torch.arange(width // 2 + 1, device=device) * 2 % width == 0
    return rows[:, None] & columns


def recouple(amplitude: Tensor, phase: Tensor, size: tuple[int, int]) -> Tensor:
    """Build the real maps of a half spectrum: the inverse of `decouple`.

    Args:
        amplitude: (..., H, W // 2 + 1); a negative one turns its phase by pi.
        phase: the same shape, radians.
        size: H and W. The half spectrum alone does not tell an odd W from an even one.

    Returns:
        (..., H, W), the real part of the inverse transform of the full spectrum.
    """
    if torch.compiler.is_exporting():
        return recouple_by_products(amplitude, phase, size)
    # Not torch.polar: its gradient takes the amplitude for positive.
    wave = torch.complex(amplitude * phase.cos(), amplitude * phase.sin())
    features: Tensor = torch.fft.irfft2(project_hermitian(wave, size[1]), s=size, norm="ortho")
    return features


def project_hermitian(wave: Tensor, width: int) -> Tensor:
    """Make a half spectrum one of a real map.

    Column 0, and W / 2 for an even W, hold both halves of their frequencies, so that row -v must be the conjugate of
    row v. What an edit broke of that no real map can show, and libraries differ in what they make of it.

    Args:
        wave: (..., H, W // 2 + 1), complex.
        width: W.
    """
    first, middle, last = wave[..., :1], wave[..., 1 : (width + 1) // 2], wave[..., (width + 1) // 2 :]
    return torch.cat([_even(first), middle, _even(last)], dim=-1)


def _even(column: Tensor) -> Tensor:
    mirrored = column.flip(-2).roll(1, dims=-2)  # row v holds row -v
    return (column + mirrored.conj()) / 2


def radial_distance(size: tuple[int, int], spectrum: Spectrum, device: torch.device) -> Tensor:
    """Distance of each place of a half spectrum from zero frequency, scaled to a maximum of 1.

    "radial" measures frequency. "paper" measures what the published code does: it rolls the half spectrum by half its
    columns, which puts zero frequency and the highest ones side by side, and measures places from the middle. The
    rolled order lives in the distance alone, everything else works place by place.

    Args:
        size: H and W of the map.
        spectrum: "radial" or "paper".
        device: where the answer lives.

    Returns:
        (H, W // 2 + 1), in [0, 1], in the order of `decouple`.
    """
    height, columns = size[0], size[1] // 2 + 1
    if spectrum == "radial":
        rows = _from_middle(height, device).roll(-(height // 2)) / height
        across = torch.arange(columns, device=device) / size[1]
    else:
        rows = _from_middle(height, device).roll(-(height // 2))
        across = _from_middle(columns, device).roll(-(columns // 2))
    distance = (rows[:, None].square() + across.square()).sqrt()
    return distance / distance.max().clamp_min(1e-12)  # a map of one pixel has no frequency but 0


def _from_middle(count: int, device: torch.device) -> Tensor:
    """Places of a row counted from its middle: -2 ... 2 of 5, -2 ... 1 of 4."""
    return torch.arange(count, device=device, dtype=torch.float32) - count // 2
