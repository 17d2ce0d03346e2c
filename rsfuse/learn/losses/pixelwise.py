"""Losses that are a mean over labelled pixels: cross-entropy, focal, and the hardest pixels alone (OHEM)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse.learn.losses.labelled_mean import labelled_mean
from rsfuse.legend import NODATA
from rsfuse_models.layers.precision import at_least_float32


class CrossEntropy(nn.Module):
    """The class-weighted sum of -log p of each pixel's class, over the number of labelled pixels of all processes.

    Not over the sum of their weights, as torch has it: a batch of rare classes is to count more than one of common.

    Args:
        weights: (K,) of the classes.
        smoothing: share of each label that is spread evenly over all classes.
    """

    def __init__(self, weights: Tensor, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self._smoothing = smoothing

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        total = F.cross_entropy(
            at_least_float32(scores),
            labels,
            weight=self.get_buffer("weights"),
            ignore_index=NODATA,
            label_smoothing=self._smoothing,
            reduction="sum",
        )
        return labelled_mean(total, labels)


class Focal(nn.Module):
    """-w (1 - p)^gamma log p of each pixel's class (Lin et al., ICCV 2017, with softmax), over the labelled pixels.

    Args:
        weights: (K,) of the classes, w; alpha of the paper.
        gamma: how much less pixels count that are right already; at 0 this is cross-entropy.
    """

    def __init__(self, weights: Tensor, *, gamma: float = 2.0) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self._gamma = gamma

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        plain = _minus_log_probability(scores, labels)
        # a power below 1 has no slope at 0, where a pixel is right beyond what floats can tell
        doubt = (-torch.expm1(-plain)).clamp(min=torch.finfo(plain.dtype).eps)
        weights = self.get_buffer("weights")[labels.where(labels != NODATA, 0)]
        return labelled_mean((weights * doubt**self._gamma * plain).sum(), labels)


class HardPixels(nn.Module):
    """Cross-entropy of hard pixels alone: OHEM (Shrivastava et al., CVPR 2016), as segmentation uses it.

    Hard is a pixel whose own class has less than some probability. At least a share of the labelled pixels counts,
    the hardest first; which these are does not depend on class weights. The mean is over the pixels that count, of
    each process for itself.

    Args:
        weights: (K,) of the classes.
        probability: above 0, at most 1.
        share: above 0, at most 1.
    """

    def __init__(self, weights: Tensor, *, probability: float = 0.7, share: float = 0.25) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self._probability, self._share = probability, share

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """A scalar of logits (B, K, H, W) and labels (B, H, W), 255 for no label."""
        labelled = labels != NODATA
        plain = _minus_log_probability(scores, labels)[labelled]
        hard = int((plain > -math.log(self._probability)).sum())
        kept, places = plain.topk(max(hard, math.ceil(self._share * len(plain))), sorted=False)
        weights = self.get_buffer("weights")[labels[labelled][places]]
        return (weights * kept).sum() / max(len(kept), 1)


def _minus_log_probability(scores: Tensor, labels: Tensor) -> Tensor:
    """-log p of each pixel's class, (B, H, W); 0 where there is no label."""
    return F.cross_entropy(at_least_float32(scores), labels, ignore_index=NODATA, reduction="none")
