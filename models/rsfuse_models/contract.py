"""The contract of every network: what goes in, what comes out, and which sizes fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class TrainingOutput(NamedTuple):
    """What a network has to say while it learns. The caller turns it into losses and weighs them.

    Args:
        scores: (B, K, H, W) logits, the same that `forward` gives in the same mode.
        auxiliary: further (B, K, H, W) logits by name; they want the loss that the scores get.
        penalties: scalars by name, 0 or more; they are losses already.
    """

    scores: Tensor
    auxiliary: dict[str, Tensor]
    penalties: dict[str, Tensor]


class FusionNetwork(nn.Module, ABC):
    """A network from two images on one grid to class scores.

    Args:
        optical_channels: C.
        sar_channels: S.
        multiple: what H and W must divide by.
    """

    def __init__(self, *, optical_channels: int, sar_channels: int, multiple: int) -> None:
        super().__init__()
        self.optical_channels = optical_channels
        self.sar_channels = sar_channels
        self.multiple = multiple

    @abstractmethod
    def forward(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores of one batch, alike in training and evaluation mode.

        Args:
            optical: (B, C, H, W), scaled as the bundle says.
            sar: (B, S, H, W) on the same grid, scaled as the bundle says.

        Returns:
            (B, K, H, W) logits.

        Raises:
            ValueError: if the channels or the sizes do not fit.
        """

    @abstractmethod
    def forward_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`forward` with everything that a loss can hold on to.

        Raises:
            ValueError: if the channels or the sizes do not fit.
        """

    def check(self, optical: Tensor, sar: Tensor) -> None:
        """Stop at the door what the network cannot take.

        Raises:
            ValueError: if the channels or the sizes do not fit.
        """
        expected = self.optical_channels, self.sar_channels
        if (optical.shape[1], sar.shape[1]) != expected:
            raise ValueError(
                f"optical and SAR have {optical.shape[1]} and {sar.shape[1]} channels; "
                f"this network takes {expected[0]} and {expected[1]}"
            )
        height, width = optical.shape[-2:]
        if sar.shape[-2:] != optical.shape[-2:]:
            raise ValueError(f"SAR is {sar.shape[-2]} x {sar.shape[-1]}, optical {height} x {width}; they must agree")
        if height % self.multiple or width % self.multiple:
            padded = [-(-side // self.multiple) * self.multiple for side in (height, width)]
            raise ValueError(
                f"{height} x {width} does not divide by {self.multiple}; pad to {padded[0]} x {padded[1]} and crop back"
            )
