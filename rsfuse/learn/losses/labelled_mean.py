"""The mean over labelled pixels, of one process or of many that train together."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from rsfuse.legend import NODATA


def labelled_mean(total: Tensor, labels: Tensor) -> Tensor:
    """A sum over labelled pixels, divided by how many there are; 0 for a batch without labels.

    Where processes train together it is divided by the mean count over all of them. The mean of their gradients,
    which is what DistributedDataParallel takes, is then the gradient of one process that has the whole batch,
    however unevenly labels are spread. Without gradients (validation) a process counts for itself, and none waits.

    Args:
        total: a scalar, 0 where there are no labels.
        labels: (B, H, W), 255 for no label.
    """
    count, processes = (labels != NODATA).sum(), 1
    if torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        processes = distributed.get_world_size()
    return total * processes / count.clamp(min=1)
