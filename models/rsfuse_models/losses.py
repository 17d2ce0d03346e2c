"""Losses that belong to a network's paper and not to segmentation at large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rsfuse_models.layers.precision import at_least_float32

_SMOOTH = 1e-6  # squared, under each root: a norm has no slope at 0


def gradient_balance(loss: Tensor, branches: Mapping[str, Sequence[Tensor]]) -> Tensor:
    """Keep the branches of a network learning at one pace: CFBL of F2Net (arXiv 2506.07847), sum |G_b - mean G|.

    G_b is the L2 norm of the gradient of the loss with respect to the parameters of branch b. It can be learnt from
    itself (second order), so between these parameters and the loss nothing may stand that has no second derivative:
    fused attention, custom scans.

    Args:
        loss: a scalar that depends on every parameter named.
        branches: parameters by branch; two branches or more.

    Returns:
        A scalar, 0 or more.
    """
    weights = [weight for branch in branches.values() for weight in branch]
    gradients = iter(torch.autograd.grad(loss, weights, create_graph=True))
    squares = [torch.stack([next(gradients).square().sum() for _ in branch]).sum() for branch in branches.values()]
    norms = (torch.stack(squares) + _SMOOTH**2).sqrt()
    return (norms - norms.mean()).abs().sum()


def mean_discrepancy(optical: Tensor, sar: Tensor) -> Tensor:
    """Distance of two sets of features: || mean phi(optical) - mean phi(sar) ||, MFAFNet eq. 6 with a linear kernel.

    phi averages a map over its places and brings it to unit length (our reconstruction: the paper gives no kernel).

    Args:
        optical: (B, C, h, w).
        sar: (B, C, h', w').

    Returns:
        A scalar from 0 to 2; 0 where the two means agree.
    """
    means = [_unit(at_least_float32(features).mean((-2, -1))).mean(0) for features in (optical, sar)]
    return ((means[0] - means[1]).square().sum() + _SMOOTH**2).sqrt() - _SMOOTH


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = torch.nn.functional.normalize(vectors, dim=-1)
    return unit
