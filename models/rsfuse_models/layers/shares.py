"""Softmax over maps."""

from __future__ import annotations

import torch
from torch import Tensor

from rsfuse_models.layers.precision import at_least_float32


def shares(scores: Tensor, dim: int) -> Tensor:
    """Softmax along `dim`, any but the last.

    onnxruntime takes it along lines of memory only, and turns the maps for that: in a graph it is spelt out.
    """
    if not torch.compiler.is_exporting():
        return scores.softmax(dim)
    wide = at_least_float32(scores)
    odds = (wide - wide.amax(dim, keepdim=True)).exp()
    return odds / odds.sum(dim, keepdim=True)
