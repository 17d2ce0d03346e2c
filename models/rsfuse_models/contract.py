"""The contract of every segmentation network: what goes in, what comes out, and how sizes are made to fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from rsfuse_models.layers.padding import missing, pad_edge


class TrainingOutput(NamedTuple):
    """What a network has to say while it learns. The caller turns it into losses and weighs them.

    Args:
        scores: (B, K, H, W) logits, the same that `forward` gives in the same mode.
        auxiliary: further (B, K, H, W) logits by name; they want the loss that the scores get.
        penalties: scalars by name, 0 or more; they are losses already.
        branches: parameters by branch whose gradients of the loss on `scores` are to be kept alike
            (`rsfuse_models.losses.gradient_balance`).
    """

    scores: Tensor
    auxiliary: Mapping[str, Tensor] = MappingProxyType({})
    penalties: Mapping[str, Tensor] = MappingProxyType({})
    branches: Mapping[str, Sequence[Tensor]] = MappingProxyType({})


class FusionNetwork(nn.Module, ABC):
    """A network from two images on one grid to class scores.

    A subclass writes `score` and `score_training` for sides that divide by `multiple`. Callers use `forward` and
    `forward_training`, which take any side: they pad below and to the right with the edge pixel, and crop the scores.
    Not with zeros, whose edge would be a line in every high-pass and every spectrum.

    Args:
        optical_channels: C, 0 for a network that sees SAR alone.
        sar_channels: S, 0 for a network that sees optical alone.
        multiple: what H and W of `score` divide by.
    """

    def __init__(self, *, optical_channels: int, sar_channels: int, multiple: int) -> None:
        super().__init__()
        self.optical_channels = optical_channels
        self.sar_channels = sar_channels
        self.multiple = multiple

    @abstractmethod
    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W), alike in training and evaluation mode; H and W divide by `multiple`."""

    @abstractmethod
    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score` with everything that a loss can hold on to."""

    def forward(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores of one batch.

        Args:
            optical: (B, C, H, W), scaled as the bundle says.
            sar: (B, S, H, W) on the same grid, scaled as the bundle says.

        Returns:
            (B, K, H, W) logits.

        Raises:
            ValueError: if the channels do not fit or the two differ in size.
        """
        return _crop(self.score(*self._admit(optical, sar)), optical)

    def forward_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`forward` with everything that a loss can hold on to.

        Raises:
            ValueError: if the channels do not fit or the two differ in size.
        """
        output = self.score_training(*self._admit(optical, sar))
        auxiliary = {name: _crop(scores, optical) for name, scores in output.auxiliary.items()}
        return output._replace(scores=_crop(output.scores, optical), auxiliary=auxiliary)

    def _admit(self, optical: Tensor, sar: Tensor) -> tuple[Tensor, Tensor]:
        """Both, padded to the multiple."""
        expected = self.optical_channels, self.sar_channels
        if (optical.shape[1], sar.shape[1]) != expected:
            raise ValueError(
                f"optical and SAR have {optical.shape[1]} and {sar.shape[1]} channels; "
                f"this network takes {expected[0]} and {expected[1]}"
            )
        height, width = optical.shape[-2:]
        if sar.shape[-2:] != optical.shape[-2:]:
            raise ValueError(f"SAR is {sar.shape[-2]} x {sar.shape[-1]}, optical {height} x {width}; they must agree")
        below, right = missing(height, self.multiple), missing(width, self.multiple)
        return pad_edge(optical, below, right), pad_edge(sar, below, right)


def _crop(scores: Tensor, like: Tensor) -> Tensor:
    return scores[..., : like.shape[-2], : like.shape[-1]]
