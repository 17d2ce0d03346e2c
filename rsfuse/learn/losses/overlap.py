"""Losses of the overlap of areas: Dice and Lovasz-softmax, of segmentation_models_pytorch."""

from __future__ import annotations

import segmentation_models_pytorch.losses as smp
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse.legend import NODATA
from rsfuse_models.layers.precision import at_least_float32


class Dice(nn.Module):
    """1 - 2 |P y| / (|P| + |y|) of soft areas P and labels y: whole batch, mean over the classes in its labels.

    Each process takes its own batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._dice = smp.DiceLoss("multiclass", ignore_index=NODATA)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        classes = scores.shape[1]
        present = F.one_hot(labels[labels != NODATA], classes).any(0).sum()
        # theirs is a mean over all classes, in which those without a label are 0
        loss: Tensor = self._dice(at_least_float32(scores), labels) * classes / present.clamp(min=1)
        return loss


class Lovasz(nn.Module):
    """The Lovasz extension of 1 - IoU (Berman et al., CVPR 2018): whole batch, mean over the classes in its labels.

    Each process takes its own batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lovasz = smp.LovaszLoss("multiclass", per_image=False, ignore_index=NODATA)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        # theirs is empty, (0, K), for a batch without labels; a scalar is its own sum
        loss: Tensor = self._lovasz(scores.float(), labels).sum()
        return loss
