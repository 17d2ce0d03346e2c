"""Padding to a multiple, below and to the right, with the edge pixel."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def missing(side: int, multiple: int) -> int:
    """What a side lacks to the next multiple. Not -side % multiple: torch.compile cannot follow it at a second size."""
    return (side + multiple - 1) // multiple * multiple - side


def pad_edge(image: Tensor, below: int, right: int) -> Tensor:
    """(B, C, H, W) to (B, C, H + below, W + right); C may be 0."""
    if not (below or right):
        return image
    if image.shape[1] == 0:  # a sensor that is not there; torch would not pad it
        return image.new_zeros(image.shape[0], 0, image.shape[2] + below, image.shape[3] + right)
    return F.pad(image, (0, right, 0, below), mode="replicate")
