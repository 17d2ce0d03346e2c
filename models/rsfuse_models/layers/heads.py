"""From feature maps to class scores: the UPer head and the plain convolutional one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.cells import mean_cells


class MapNorm(nn.BatchNorm2d):
    """Batch normalisation that also trains on a single value per channel.

    One image pooled to one pixel has no variance. Then, and only then, the running statistics stand in and stay as
    they are, as in evaluation. Being a BatchNorm2d, it becomes a SyncBatchNorm where a trainer asks for that.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if features.numel() > features.shape[1]:
            return super().forward(features)
        return F.batch_norm(features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class ConvBlock(nn.Sequential):
    """Convolution that keeps the size, normalisation, ReLU.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel: side of the convolution, odd.
    """

    def __init__(self, channels_in: int, channels_out: int, *, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            MapNorm(channels_out),
            nn.ReLU(inplace=True),
        )


class PyramidPooling(nn.Module):
    """Context of the whole map at several scales (PSPNet, arXiv 1612.01105, section 3.2), as UPerNet uses it.

    Args:
        channels_in: channels of the input.
        channels: channels of each scale and of the output.
        scales: the map is averaged to scale x scale cells.
    """

    def __init__(self, channels_in: int, channels: int, *, scales: Sequence[int]) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.branches = nn.ModuleList(ConvBlock(channels_in, channels, kernel=1) for _ in self.scales)
        self.bottleneck = ConvBlock(channels_in + len(self.scales) * channels, channels, kernel=3)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C_in, h, w) to (B, C, h, w)."""
        context = [
            resize(branch(mean_cells(features, (scale, scale))), features.shape[-2:])
            for scale, branch in zip(self.scales, self.branches, strict=True)
        ]
        fused: Tensor = self.bottleneck(torch.cat([features, *context], dim=1))
        return fused


class UPerHead(nn.Module):
    """Feature pyramid with pyramid pooling on its top (UPerNet, arXiv 1807.10221, section 3.1).

    Args:
        channels_in: channels of the maps that come in, finest first.
        num_classes: K.
        channels: channels inside.
        scales: of the pyramid pooling.
        dropout: chance of a channel to be dropped before the last layer.
    """

    def __init__(
        self,
        channels_in: Sequence[int],
        num_classes: int,
        *,
        channels: int = 256,
        scales: Sequence[int] = (1, 2, 3, 6),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        *finer, top = channels_in
        self.laterals = nn.ModuleList(ConvBlock(count, channels, kernel=1) for count in finer)
        self.pooling = PyramidPooling(top, channels, scales=scales)
        self.smooth = nn.ModuleList(ConvBlock(channels, channels, kernel=3) for _ in finer)
        self.bottleneck = ConvBlock(len(channels_in) * channels, channels, kernel=3)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, num_classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of (B, C_i, h_i, w_i), finest first, to scores (B, K, h_0, w_0)."""
        *finer, top = maps
        levels = [self.pooling(top)]  # coarsest first from here on
        for lateral, features in zip(reversed(self.laterals), reversed(finer), strict=True):
            levels.append(lateral(features) + resize(levels[-1], features.shape[-2:]))
        smooth = [levels[0], *(layer(level) for layer, level in zip(reversed(self.smooth), levels[1:], strict=True))]

        size = maps[0].shape[-2:]
        fused = self.bottleneck(torch.cat([resize(level, size) for level in reversed(smooth)], dim=1))
        scores: Tensor = self.classify(self.dropout(fused))
        return scores


class FCNHead(nn.Sequential):
    """One 3 x 3 convolution and a classifier (FCN, arXiv 1411.4038), to supervise a stage on its way.

    Args:
        channels_in: channels of the map.
        num_classes: K.
        channels: channels inside.
        dropout: chance of a channel to be dropped before the last layer.
    """

    def __init__(self, channels_in: int, num_classes: int, *, channels: int = 128, dropout: float = 0.1) -> None:
        super().__init__(
            ConvBlock(channels_in, channels, kernel=3),
            nn.Dropout2d(dropout),
            nn.Conv2d(channels, num_classes, 1),
        )


def resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, by pixel areas (corners are not aligned); the map itself where the size is right already."""
    if tuple(features.shape[-2:]) == tuple(size):
        return features
    return F.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
