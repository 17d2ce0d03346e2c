"""The 23-tap polynomial interpolator that pan-sharpening starts from and is measured against ("EXP").

Aiazzi et al., "Context-driven fusion of high spatial and spectral resolution images based on oversampled
multiresolution analysis", IEEE TGRS 40 (2002); taps and phases are those of the usual toolboxes. Zeros are put between
the samples and filled in by a half-band filter, one factor of 2 after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# the filter at distance 1, 3, 5 ... 11 from its centre; it is 1 at the centre and 0 at the even distances
TAPS = (
    0.610668182370,
    -0.145397186478,
    0.043619155884,
    -0.010385513306,
    0.001615524292,
    -0.000120162964,
)
# Samples that a pixel can depend on, on either side: a doubling reaches over 11 of the pixels that it makes, and all of
# them over 11 / 2 + 11 / 4 + ... < 11 samples; a pixel lies within half a sample of its own: less than 12, so 11.
REACH = 2 * len(TAPS) - 1


def interpolate_23tap(image: Tensor, ratio: int) -> Tensor:
    """Enlarge an image by a power of two, borders joined to a ring: the reference, as the usual toolboxes have it.

    Sample i comes to lie on pixel ratio * i + ratio / 2, unchanged: the first doubling puts it on the second of two
    pixels, each further one on the first. That is half a fine pixel below and right of the centre of its area,
    ratio * i + (ratio - 1) / 2, and agrees with a decimation that keeps pixel ratio / 2 of each cell.

    Args:
        image: (B, C, h, w).
        ratio: 1, 2, 4, 8 ...; 1 gives the image itself.

    Returns:
        (B, C, ratio * h, ratio * w).

    Raises:
        ValueError: if the ratio is no power of two.
    """
    if ratio < 1 or ratio & (ratio - 1):
        raise ValueError(f"ratio is {ratio}; the 23-tap interpolator takes powers of two")
    for doubling in range(ratio.bit_length() - 1):
        for dim in (-2, -1):
            image = _double(image, dim, samples_first=doubling > 0)
    return image


def interpolate_continued(image: Tensor, ratio: int) -> Tensor:
    """`interpolate_23tap` of an image that the edge pixel continues: nothing of the opposite edge mixes in.

    Args:
        image: (B, C, h, w).
        ratio: 1, 2, 4, 8 ...; 1 gives the image itself.

    Returns:
        (B, C, ratio * h, ratio * w); away from the border the same as on the ring.

    Raises:
        ValueError: if the ratio is no power of two.
    """
    if ratio == 1:
        return image
    if torch.compiler.is_exporting():  # one product from either side in place of hundreds of small steps
        rows, columns = (_weights(image, side, ratio) for side in image.shape[-2:])
        return rows @ image @ columns.mT
    return _continued(image, ratio)


def _continued(image: Tensor, ratio: int) -> Tensor:
    inside = slice(REACH * ratio, -REACH * ratio)
    continued = F.pad(image, (REACH,) * 4, mode="replicate")
    return interpolate_23tap(continued, ratio)[..., inside, inside]


def _weights(like: Tensor, length: int, ratio: int) -> Tensor:
    """(ratio * length, length): what each sample of a line gives to each pixel."""
    samples = torch.eye(length, dtype=like.dtype, device=like.device)
    lines: Tensor = _continued(samples[None, :, None].expand(1, length, ratio, length), ratio)[0, :, 0]
    return lines.mT


def _double(image: Tensor, dim: int, *, samples_first: bool) -> Tensor:
    """Twice as many pixels along `dim`, -2 or -1. Sums, not convolutions: a GPU may round those to 10 bits (TF32)."""
    between = torch.zeros_like(image)  # pixel i lies between samples i and i + 1
    for step, tap in enumerate(TAPS):
        between = between + tap * (image.roll(step, dim) + image.roll(-1 - step, dim))
    pair = [image, between] if samples_first else [between.roll(1, dim), image]
    return torch.stack(pair, dim).flatten(dim - 1, dim)  # they take turns
