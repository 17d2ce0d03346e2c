"""Detail from the Haar bands of two images: the first stage of CF2N (doi 10.1080/10095020.2024.2416899).

The publication shows it as a figure without formulas, and no code of the network was ever published. The order of the
steps is read off that figure; what happens inside a step is our reconstruction where a docstring says so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsfuse_models.layers.wavelet import haar, inverse_haar

SLOPE = 0.2  # of the LeakyReLU below 0; ours


class ResidualBlock(nn.Module):
    """RB: a convolution, then convolution, LeakyReLU, convolution with a skip around these three (figure's legend).

    Kernels of 3 x 3 and the slope are ours.

    Args:
        channels_in: channels of the input.
        channels: C of the output.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C, H, W)."""
        features = self.enter(image)
        refined: Tensor = features + self.refine(features)
        return refined


class WeightedFusion(nn.Module):
    """AWF: what two maps have in common in a share that is learnt, and what sets them apart.

    The figure has two boxes, "complementary" and "unique", and no formula. Ours: with a = sigmoid(Conv1x1([u; v])),
    Conv([a u + (1 - a) v; |u - v|]) + (u + v) / 2.

    Args:
        channels: C of both maps.
        kernel: side of the last convolution, odd; 1 for maps of one pixel.
    """

    def __init__(self, channels: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.gate = nn.Conv2d(2 * channels, channels, 1)
        self.mix = nn.Conv2d(2 * channels, channels, kernel, padding=kernel // 2)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two (B, C, H, W) to one."""
        share = self.gate(torch.cat([first, second], dim=1)).sigmoid()
        apart = first - second
        complementary, unique = second + share * apart, apart.abs()
        fused: Tensor = self.mix(torch.cat([complementary, unique], dim=1)) + (second + apart / 2)
        return fused


class HierarchicalReconstruction(nn.Module):
    """Haar bands to a detail image, after each has heard of the others.

    The figure shows arrows of AWF that join the side of HH and the side of LL in one box before the inversion. Ours:
    AWF(AWF(HH, AWF(LH, HL)), LL) sees all four bands, and a 1 x 1 convolution adds its share to each of them.

    Args:
        channels: C of each band.
        bands: B of the detail image.
    """

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.directions = WeightedFusion(channels)
        self.details = WeightedFusion(channels)
        self.levels = WeightedFusion(channels)
        self.share = nn.Conv2d(channels, 4 * channels, 1)
        self.project = nn.Conv2d(channels, bands, 1)

    def forward(self, low: Tensor, rows: Tensor, columns: Tensor, both: Tensor) -> Tensor:
        """LL, LH, HL and HH, each (B, C, H / 2, W / 2), to (B, bands, H, W)."""
        context = self.levels(self.details(both, self.directions(rows, columns)), low)
        joined = torch.cat([low, rows, columns, both], dim=1) + self.share(context)
        detail: Tensor = self.project(inverse_haar(joined))
        return detail


class DetailReconstruction(nn.Module):
    """FD2R: panchromatic and multispectral features are fused band by band in the Haar domain.

    Haar transform of both, one AWF per band, hierarchical reconstruction, and an RB that encodes the detail image
    again ("Encode" in the figure; that it is an RB is ours).

    Args:
        channels: C.
        bands: B of the detail image in between.
    """

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.fusions = nn.ModuleList(WeightedFusion(channels) for _ in range(4))
        self.reconstruct = HierarchicalReconstruction(channels, bands)
        self.encode = ResidualBlock(bands, channels)

    def forward(self, pan: Tensor, ms: Tensor) -> Tensor:
        """Features of both, (B, C, H, W) with even sides, to features of the detail, (B, C, H, W)."""
        pairs = zip(haar(pan).chunk(4, dim=1), haar(ms).chunk(4, dim=1), strict=True)
        low, rows, columns, both = (fuse(*pair) for fuse, pair in zip(self.fusions, pairs, strict=True))
        encoded: Tensor = self.encode(self.reconstruct(low, rows, columns, both))
        return encoded
