"""Precision of what half precision would blur."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or in float64 if they are: out of whatever autocast made of them."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
