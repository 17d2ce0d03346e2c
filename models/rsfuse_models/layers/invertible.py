"""Invertible network of affine couplings: detail passes through it and could be had back.

After the detail extractor of CDDFuse (arXiv 2211.14461, section 3.1), which MFAFNet takes over (eq. 4). No batch norm,
no biases.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.precision import at_least_float32

EXPONENT_BOUND = 2.0  # a coupling scales by exp(-2) to exp(2); the published exponent has no bound
EXPANSION = 2  # channels inside an inverted residual, over those that come in


class InvertedResidual(nn.Sequential):
    """Convolutions 1 x 1, 3 x 3 by channel and 1 x 1 with ReLU6 between them (phi, rho and eta of a coupling).

    CDDFuse continues the map by reflection, which a map of one pixel does not have; here the edge is repeated.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        hidden = EXPANSION * channels_in
        super().__init__(
            nn.Conv2d(channels_in, hidden, 1, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, groups=hidden, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H, W)."""
        # here already: what comes before the 3 x 3 convolution takes places one by one, and here are fewer channels
        features = F.pad(features, (1, 1, 1, 1), mode="replicate")
        for layer in self:
            features = layer(features)
        return features


class AffineCoupling(nn.Module):
    """One node: shuffle the channels, halve them, and let each half change the other (MFAFNet eq. 4).

    With c1, c2 the halves: c2 <- c2 + phi(c1), then c1 <- c1 * exp(s tanh(rho(c2) / s)) + eta(c2), s = 2. The bound on
    the exponent is ours. The shuffle is a square 1 x 1 convolution that starts orthogonal and learns freely.

    Args:
        channels: C, 2 or more; where it is odd, c2 is larger than c1 by one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        first = channels // 2
        self.halves = first, channels - first
        self.shuffle = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.orthogonal_(self.shuffle.weight)
        self.phi = InvertedResidual(*self.halves)
        self.rho = InvertedResidual(*reversed(self.halves))
        self.eta = InvertedResidual(*reversed(self.halves))

    def forward(self, features: Tensor) -> Tensor:
        """Any (B, C, H, W) to another of that shape."""
        first, second = torch.split(self.shuffle(features), list(self.halves), dim=1)
        second = second + self.phi(first)
        first = first * self._scale(second) + self.eta(second)
        return torch.cat([first, second], dim=1)

    def inverse(self, features: Tensor) -> Tensor:
        """What `forward` made these (B, C, H, W) of, by a linear solve with the shuffle.

        Raises:
            torch.linalg.LinAlgError: if training has made the shuffle singular.
        """
        first, second = torch.split(features, list(self.halves), dim=1)
        first = (first - self.eta(second)) / self._scale(second)
        second = second - self.phi(first)
        shuffled = torch.cat([first, second], dim=1).flatten(2)
        matrix = self.shuffle.weight.flatten(1)
        with torch.autocast(features.device.type, enabled=False):  # there is no solve in half precision
            solved: Tensor = torch.linalg.solve(matrix, shuffled.to(matrix.dtype))
        return solved.view_as(features)

    def _scale(self, second: Tensor) -> Tensor:
        exponent: Tensor = self.rho(second)
        with torch.autocast(second.device.type, enabled=False):  # half precision would blur a scale near 1
            return (EXPONENT_BOUND * torch.tanh(at_least_float32(exponent) / EXPONENT_BOUND)).exp()


class InvertibleNetwork(nn.Module):
    """Affine couplings in a row.

    Args:
        channels: C, 2 or more.
        nodes: couplings.
    """

    def __init__(self, channels: int, *, nodes: int = 3) -> None:
        super().__init__()
        if channels < 2:
            raise ValueError(f"{channels} channels have no two halves; a coupling needs at least 2")
        if nodes < 1:
            raise ValueError(f"nodes is {nodes}; an invertible network needs at least 1")
        self.nodes = nn.ModuleList(AffineCoupling(channels) for _ in range(nodes))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) of detail to as many features."""
        for node in self.nodes:
            features = node(features)
        return features

    def inverse(self, features: Tensor) -> Tensor:
        """What `forward` made these (B, C, H, W) of.

        Raises:
            torch.linalg.LinAlgError: if training has made a shuffle singular.
        """
        for node in reversed(self.nodes):
            features = cast(AffineCoupling, node).inverse(features)
        return features
