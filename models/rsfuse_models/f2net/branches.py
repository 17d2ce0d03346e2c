"""What the branches of F2Net share: how the low map is shrunk, how a branch ends, how two of them are aligned."""

from __future__ import annotations

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.precision import at_least_float32


def shrink(low: Tensor, scale: int) -> Tensor:
    """A map of 1 / scale the size, bilinear over the area of each new pixel (antialiased); sides divide by `scale`."""
    if scale == 1:
        return low
    size = low.shape[-2] // scale, low.shape[-1] // scale
    small = F.interpolate(at_least_float32(low), size=size, mode="bilinear", align_corners=False, antialias=True)
    return small.to(low.dtype)


class BranchEnd(nn.Sequential):
    """LayerNorm over the channels and a 1 x 1 convolution: the part of a branch that CFBL looks at.

    Our reconstruction. After the last scan and the last attention, so that the second derivative which the balance of
    gradients needs never crosses either.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(LayerNorm2d(channels), nn.Conv2d(channels, channels, 1))


class Alignment(nn.Module):
    """CFAL: two maps are to say the same of each place (arXiv 2506.07847): (KL(p || q) + KL(q || p)) / 2.

    p and q are softmaxes over the channels of 1 x 1 projections, one of each map; the mean is over places and batch.

    Args:
        channels_a: C_a.
        channels_b: C_b.
        channels: of the projections.
    """

    def __init__(self, channels_a: int, channels_b: int, channels: int) -> None:
        super().__init__()
        self.project_a, self.project_b = nn.Conv2d(channels_a, channels, 1), nn.Conv2d(channels_b, channels, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, C_a, h, w) and (B, C_b, h, w) to a scalar, 0 or more."""
        projected = self.project_a(a), self.project_b(b)
        with torch.autocast(a.device.type, enabled=False):
            p, q = (at_least_float32(part).log_softmax(1) for part in projected)
            # both divergences at once: sum p (log p - log q) + q (log q - log p) = sum (p - q) (log p - log q)
            divergence = ((p.exp() - q.exp()) * (p - q)).sum(1)
        mean: Tensor = divergence.mean() / 2
        return mean
