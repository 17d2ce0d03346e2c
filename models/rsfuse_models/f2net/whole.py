"""A whole large image at once: the full-size part of F2Net in strips, so that no map of D channels has full size.

At D = 32 one such map takes 0.8 GB for 2448 x 2448 pixels, and the plain way holds half a dozen. Here each strip of
rows is taken apart and at once embedded (its high part, stride 4) and shrunk (its low part); it reads as many rows more
as it takes to give what the whole image would give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rsfuse_models.f2net.branches import shrink
from rsfuse_models.f2net.vss import STRIDE, PatchEmbedding
from rsfuse_models.layers.afd import AdaptiveDecomposition, LaplacianDecomposition


class Inputs(NamedTuple):
    """What the branches read; None where no branch does.

    Args:
        embedded: (B, H / 4, W / 4, C), the high part after the patch embedding.
        low: (B, D, H / scale, W / scale), the low part, shrunk.
    """

    embedded: Tensor | None
    low: Tensor | None


def decompose(
    images: Sequence[Tensor],
    decomposition: AdaptiveDecomposition | LaplacianDecomposition,
    *,
    embedding: PatchEmbedding | None,
    scale: int | None,
) -> Inputs:
    """Take an image apart at once, as training does.

    Args:
        images: (B, C_i, H, W), whose bands are joined.
        decomposition: into low and high.
        embedding: of the high part; None if no branch reads it.
        scale: 1 / size of the low part; None if no branch reads it.
    """
    low, high = decomposition(torch.cat(list(images), dim=1))
    return Inputs(
        embedded=None if embedding is None else embedding(high),
        low=None if scale is None else shrink(low, scale),
    )


def decompose_by_strips(
    images: Sequence[Tensor],
    decomposition: AdaptiveDecomposition | LaplacianDecomposition,
    *,
    embedding: PatchEmbedding | None,
    scale: int | None,
    rows: int,
) -> Inputs:
    """`decompose`, some rows at a time; for inference, it writes into its results.

    Args:
        images: (B, C_i, H, W), whose bands are joined.
        decomposition: into low and high.
        embedding: of the high part; None if no branch reads it.
        scale: 1 / size of the low part; None if no branch reads it.
        rows: of the image at a time, rounded up to what both strides divide.

    Raises:
        ValueError: if `rows` is below 1.
    """
    if rows < 1:
        raise ValueError(f"{rows} rows at a time are none")
    height = images[0].shape[-2]
    step = math.lcm(STRIDE, scale or 1)
    # one step more on either side: one row of either result, which the cut spoils and which is dropped
    margin = step + decomposition.halo
    rows = math.ceil(rows / step) * step
    whole = Inputs(None, None)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        top, bottom = max(start - margin, 0), min(stop + margin, height)
        frequencies = decomposition(torch.cat([image[..., top:bottom, :] for image in images], dim=1))
        first, last = max(start - step, 0), min(stop + step, height)
        low, high = (part[..., first - top : last - top, :] for part in frequencies)
        if embedding is not None:
            target = slice(start // STRIDE, stop // STRIDE)
            strip = embedding(high)[:, (start - first) // STRIDE :]
            whole = whole._replace(embedded=_write(whole.embedded, strip, target, dim=1, size=height // STRIDE))
        if scale is not None:
            target = slice(start // scale, stop // scale)
            strip = shrink(low, scale)[:, :, (start - first) // scale :]
            whole = whole._replace(low=_write(whole.low, strip, target, dim=2, size=height // scale))
    return whole


def _write(whole: Tensor | None, strip: Tensor, target: slice, *, dim: int, size: int) -> Tensor:
    """Put the first rows of a strip at their place in the whole, which the first strip makes."""
    if whole is None:
        whole = strip.new_empty([*strip.shape[:dim], size, *strip.shape[dim + 1 :]])
    count = target.stop - target.start
    whole.narrow(dim, target.start, count).copy_(strip.narrow(dim, 0, count))
    return whole
