"""How much each class counts in a loss, by its share of the labelled training pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from rsfuse.errors import TileSetError
from rsfuse.learn.recipes.loss import Weighting


def class_weights(weighting: Weighting, pixels: Tensor) -> Tensor:
    """One weight a class, (K,) float32; a class without a pixel gets 0, except of "none", where all are 1.

    "inverse" and "inverse-root" have mean 1 over the classes that have pixels. "median-frequency" is left as Eigen &
    Fergus (ICCV 2015) have it, 1 for the median class: at mean 1 it would be "inverse" again.

    Args:
        weighting: how a weight follows from a share.
        pixels: (K,) labelled training pixels of each class.

    Raises:
        TileSetError: if the shares cannot be known, as no pixel has a label.
    """
    if weighting == "none":
        return torch.ones(len(pixels))
    if not pixels.any():
        raise TileSetError(
            f"0 training pixels are labelled, so loss.class_weights: {weighting} has no shares to go by",
            hint="look at the tiles with `rsfuse info`, and tile again with labels that meet the scene",
        )
    shares = pixels.double() / pixels.sum()
    present = shares > 0
    weights = torch.zeros_like(shares)
    weights[present] = _weights_of(weighting, shares[present])
    return weights.float()


def _weights_of(weighting: Weighting, shares: Tensor) -> Tensor:
    if weighting == "median-frequency":
        return shares.quantile(0.5) / shares
    weights = shares.rsqrt() if weighting == "inverse-root" else shares.reciprocal()
    return weights / weights.mean()
