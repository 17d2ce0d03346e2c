"""Transformer block for low frequencies, as convolutions: attention and a gated feed-forward network.

After CDDFuse (arXiv 2211.14461), whose base extractor MFAFNet's LT block is, and Restormer (arXiv 2111.09881), whose
depthwise convolutions we keep. No biases but those of the norms.
"""

from __future__ import annotations

from typing import Literal

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.precision import at_least_float32

Attention = Literal["transposed", "spatial"]

EXPANSION = 2  # hidden channels of the feed-forward network, over those that come in
SMALLEST_NORM = 1e-3  # joins the length of queries and keys; a channel of nothing but zeros has no direction


class HeadProjection(nn.Module):
    """Queries, keys and values by a 1 x 1 and a depthwise 3 x 3 convolution.

    Args:
        channels: C.
        heads: attention heads h; they divide C.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        if channels % heads:
            raise ValueError(f"{heads} heads do not divide {channels} channels")
        super().__init__()
        self.convolve = nn.Sequential(
            nn.Conv2d(channels, 3 * channels, 1, bias=False),
            nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False),
        )
        self.heads = heads

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) to three of (B, h, C / h, H W)."""
        query, key, value = self.convolve(features).flatten(2).unflatten(1, (3 * self.heads, -1)).chunk(3, dim=1)
        return query, key, value


class TransposedAttention(nn.Module):
    """Attention among the channels of a head, at a cost that grows with H W and not with its square.

    A = softmax(t Q K^T), out = A V; rows of Q and K (one a channel, H W long) at unit length, t learnt for each head.

    Args:
        channels: C.
        heads: they divide C.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.project = HeadProjection(channels, heads=heads)
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        query, key, value = self.project(features)
        with torch.autocast(features.device.type, enabled=False):  # sums over all places
            weights = (_unit(at_least_float32(query)) @ _unit(at_least_float32(key)).mT * self.temperature).softmax(-1)
        mixed: Tensor = self.mix((weights.to(value.dtype) @ value).reshape(features.shape))
        return mixed


class SpatialAttention(nn.Module):
    """Attention among the places of a map, softmax(Q^T K / sqrt(C / h)): for coarse maps, since it costs (H W)^2.

    Args:
        channels: C.
        heads: they divide C.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.project = HeadProjection(channels, heads=heads)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        # strided, they would take the kernel that writes all (H W)^2 weights down
        query, key, value = (part.mT.contiguous() for part in self.project(features))
        gathered = F.scaled_dot_product_attention(query, key, value).mT
        mixed: Tensor = self.mix(gathered.reshape(features.shape))
        return mixed


class GatedFeedForward(nn.Module):
    """Feed-forward network with a gate: GELU(x1) * x2, both halves out of 1 x 1 and depthwise 3 x 3 convolutions.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        both = 2 * EXPANSION * channels
        self.widen = nn.Sequential(
            nn.Conv2d(channels, both, 1, bias=False),
            nn.Conv2d(both, both, 3, padding=1, groups=both, bias=False),
        )
        self.narrow = nn.Conv2d(EXPANSION * channels, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        gate, content = self.widen(features).chunk(2, dim=1)
        narrow: Tensor = self.narrow(F.gelu(gate) * content)
        return narrow


class LowFrequencyBlock(nn.Module):
    """LT block (MFAFNet eq. 2): norm, attention, residual; norm, feed-forward network, residual.

    The norms are over channels, place by place.

    Args:
        channels: C.
        heads: they divide C.
        attention: among channels ("transposed", what CDDFuse computes) or places ("spatial", what both papers say).
    """

    def __init__(self, channels: int, *, heads: int, attention: Attention = "transposed") -> None:
        super().__init__()
        kind = TransposedAttention if attention == "transposed" else SpatialAttention
        self.attention_norm = LayerNorm2d(channels)
        self.attention: nn.Module = kind(channels, heads=heads)
        self.feed_forward_norm = LayerNorm2d(channels)
        self.feed_forward = GatedFeedForward(channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        features = features + self.attention(self.attention_norm(features))
        refined: Tensor = features + self.feed_forward(self.feed_forward_norm(features))
        return refined


def _unit(rows: Tensor) -> Tensor:
    return rows * (rows.square().sum(-1, keepdim=True) + SMALLEST_NORM**2).rsqrt()
