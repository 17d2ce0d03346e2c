"""Cross feature fusion block (CFFB) of MFAFNet: what both sensors ask, answered by each of them.

The paper gives the roles (keys and values from each sensor, queries from both, section 2.2, eq. 5) and no formula. The
attention is our reconstruction after the cross path of CMX (arXiv 2203.04838).
"""

from __future__ import annotations

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from rsfuse_models.layers.precision import at_least_float32


class SensorReading(nn.Module):
    """Common queries read through the context of one sensor, added to its features and normalised.

    For each head with d = C / h channels and N = H W places: context = softmax(s K V^T / N) over the channels of K, and
    out = context^T Q. s is learnt, from sqrt(d) on. CMX has no 1 / N and s = 1 / sqrt(d): its sum over the places grows
    with the tile, our mean does not.

    Args:
        channels: C.
        heads: h, they divide C.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.scale = nn.Parameter(torch.full((heads, 1, 1), (channels / heads) ** 0.5))
        self.norm = LayerNorm2d(channels)

    def forward(self, features: Tensor, query: Tensor) -> Tensor:
        """The sensor's (B, C, H, W) and the queries (B, h, d, N) to (B, C, H, W)."""
        heads = len(self.scale)
        key, value = self.project(features).flatten(2).unflatten(1, (2 * heads, -1)).chunk(2, dim=1)
        with torch.autocast(features.device.type, enabled=False):  # sums over all places
            covariance = (at_least_float32(key) / key.shape[-1]) @ at_least_float32(value).mT
            context = (covariance * self.scale).softmax(-2)  # (B, h, d, d), over the channels of K
        reading = (context.mT.to(query.dtype) @ query).reshape(features.shape)
        normed: Tensor = self.norm(features + reading)
        return normed


class CrossFusion(nn.Module):
    """CFFB: features of two sensors to one map (MFAFNet eq. 5).

    Args:
        channels: C, the same for both maps.
        heads: attention heads; they divide C.
    """

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads do not divide {channels} channels")
        self.heads = heads
        self.query = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.optical = SensorReading(channels, heads=heads)
        self.sar = SensorReading(channels, heads=heads)
        self.mix = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Two (B, C, H, W) to one."""
        query = self.query(torch.cat([optical, sar], dim=1)).flatten(2).unflatten(1, (self.heads, -1))
        readings = [self.optical(optical, query), self.sar(sar, query)]
        fused: Tensor = self.mix(torch.cat(readings, dim=1))
        return fused
