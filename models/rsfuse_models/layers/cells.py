"""Means of a map over a grid of cells, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from rsfuse_models.layers.precision import at_least_float32


def mean_cells(features: Tensor, cells: tuple[int, int]) -> Tensor:
    """Means of (B, C, H, W) over as many rows and columns of cells: (B, C, *cells).

    Where a side does not divide, cells overlap by one place. ONNX has no such pooling: while a network is written as a
    graph, it becomes a product from either side.
    """
    if not torch.compiler.is_exporting():
        return F.adaptive_avg_pool2d(features, cells)
    rows, columns = (_shares(length, count) for length, count in zip(features.shape[-2:], cells, strict=True))
    with torch.autocast(
        features.device.type, enabled=False
    ):  # the share of one place of many is less than half can say
        wide = at_least_float32(features)
        return (wide.new_tensor(rows) @ wide @ wide.new_tensor(columns).mT).to(features.dtype)


def _shares(length: int, cells: int) -> Sequence[Sequence[float]]:
    """Share of each of `length` places in the mean of each cell."""
    begins = [cell * length // cells for cell in range(cells)]
    ends = [-(-(cell + 1) * length // cells) for cell in range(cells)]
    return [
        [1 / (end - begin) if begin <= place < end else 0.0 for place in range(length)]
        for begin, end in zip(begins, ends, strict=True)
    ]
