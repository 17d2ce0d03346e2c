"""The short-range branch of F2Net: DeepLabV3 (arXiv 1706.05587) with a ResNet-18 of output stride 8 and a deep stem."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rsfuse_models.layers.heads import ConvBlock, MapNorm, resize

STRIDE = 8
STEM = (32, 32, 64)
RATES = (12, 24, 36)
# stride and dilation of the four layers, two blocks each; each doubles the channels of the one before
LAYERS = ((1, 1), (2, 1), (1, 2), (1, 4))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (ResNet, arXiv 1512.03385, figure 2), dilated.

    Args:
        channels_in: C.
        channels: C'.
        stride: of the first convolution.
        dilation: of both.
    """

    def __init__(self, channels_in: int, channels: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(channels_in, channels, stride=stride, dilation=dilation),
            MapNorm(channels),
            nn.ReLU(inplace=True),
            _convolution(channels, channels, stride=1, dilation=dilation),
            MapNorm(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), MapNorm(channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride))."""
        refined: Tensor = (self.body(features) + self.shortcut(features)).relu()
        return refined


class AtrousPooling(nn.Module):
    """ASPP: a place at four widths of view and the mean of the map, brought together (DeepLabV3, section 3.3).

    The mean goes through a GroupNorm of one group, which needs no second value.

    Args:
        channels_in: C.
        channels: of each view and of the result.
        rates: dilations of the 3 x 3 views.
    """

    def __init__(self, channels_in: int, channels: int, *, rates: Sequence[int]) -> None:
        super().__init__()
        self.point = ConvBlock(channels_in, channels, kernel=1)
        self.views = nn.ModuleList(
            nn.Sequential(
                _convolution(channels_in, channels, stride=1, dilation=rate), MapNorm(channels), nn.ReLU(inplace=True)
            )
            for rate in rates
        )
        self.pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.GroupNorm(1, channels),
            nn.ReLU(inplace=True),
        )
        self.bottleneck = ConvBlock((len(rates) + 2) * channels, channels, kernel=3)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, channels, h, w)."""
        views = [self.point(features), *(view(features) for view in self.views)]
        mean = resize(self.pool(features), features.shape[-2:])
        gathered: Tensor = self.bottleneck(torch.cat([*views, mean], dim=1))
        return gathered


class DeepLabBranch(nn.Module):
    """ResNet-18 and ASPP at stride 8.

    Args:
        channels_in: D, channels of the low-frequency map.
        channels: of the result.
        width: channels of the first residual layer; the last has eight times as many.
    """

    def __init__(self, channels_in: int, *, channels: int = 128, width: int = 64) -> None:
        super().__init__()
        self.channels, self.stride = channels, STRIDE
        stem = [channels_in, *(max(count * width // STEM[-1], 1) for count in STEM)]
        self.stem = nn.Sequential(
            *(
                nn.Sequential(
                    _convolution(stem[i], stem[i + 1], stride=1 if i else 2, dilation=1),
                    MapNorm(stem[i + 1]),
                    nn.ReLU(inplace=True),
                )
                for i in range(len(STEM))
            ),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        widths = [width, *(width * 2**level for level in range(len(LAYERS)))]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    ResidualBlock(widths[i], widths[i + 1], stride=stride, dilation=dilation),
                    ResidualBlock(widths[i + 1], widths[i + 1], stride=1, dilation=dilation),
                )
                for i, (stride, dilation) in enumerate(LAYERS)
            )
        )
        self.pooling = AtrousPooling(widths[-1], channels, rates=RATES)

    def forward(self, low: Tensor) -> Tensor:
        """(B, D, h, w) to (B, C, h / 8, w / 8), rounded up."""
        context: Tensor = self.pooling(self.layers(self.stem(low)))
        return context


def _convolution(channels_in: int, channels: int, *, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)
