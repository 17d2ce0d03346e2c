"""Filters made for each image, tap by tap and band by band: the second stage of CF2N.

Publication: doi 10.1080/10095020.2024.2416899, a figure without formulas, and no code. The order of the steps is read
off that figure; what happens inside a step is our reconstruction where a docstring says so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.cells import mean_cells
from rsfuse_models.layers.detail import ResidualBlock, WeightedFusion
from rsfuse_models.layers.precision import at_least_float32
from rsfuse_models.layers.wavelet import low_frequency

BOX = 5  # side of the mean that the high-pass takes away, as in the published edge filter


def high_pass(image: Tensor) -> Tensor:
    """An image (B, C, H, W) without the mean of the 5 x 5 pixels around each; at the edge, of those that exist."""
    return image - F.avg_pool2d(image, BOX, stride=1, padding=BOX // 2, count_include_pad=False)


def split_frequencies(features: Tensor) -> tuple[Tensor, Tensor]:
    """Strength of the high and value of the low frequencies, both (B, C, H, W) like the features.

    Low is the mean of 2 x 2 pixels (Haar LL), high what is left. Its magnitude is given: its mean over any larger area
    is about 0, so a pooled plane would be blank (ours).
    """
    low = low_frequency(features)
    return (features - low).abs(), low


def unit_kernel(scores: Tensor) -> Tensor:
    """Scores (..., k, k), k odd, to kernels whose taps sum to 1: sigmoid, less its mean, plus 1 at the centre.

    Ours. Even scores leave the map as it is. Plain sigmoids would scale it by about k k / 2 each time; over their sum
    they are all positive, so each filter blurs, and the six in a row of three stages leave hardly a detail.
    """
    taps = at_least_float32(scores).sigmoid()  # they differ little
    middle = scores.shape[-1] // 2
    centre = F.pad(taps.new_ones(1, 1), (middle,) * 4)
    return taps - taps.mean((-2, -1), keepdim=True) + centre


def dynamic_depthwise(features: Tensor, kernels: Tensor) -> Tensor:
    """Filter each channel of each sample with a kernel of its own; the edge pixel continues the map.

    Args:
        features: (B, C, H, W).
        kernels: (B, C, k, k), k odd. They are correlated, not flipped, like those of any layer.

    Returns:
        (B, C, H, W).
    """
    batch, channels = features.shape[:2]
    side = kernels.shape[-1]
    padded = F.pad(features, (side // 2,) * 4, mode="replicate")
    if torch.compiler.is_exporting():  # a graph has a fixed number of groups, and any batch
        return _one_by_one(padded, kernels.to(features.dtype))
    taps = kernels.to(features.dtype).flatten(0, 1)[:, None]  # (B C, 1, k, k)
    filtered = F.conv2d(padded.flatten(0, 1)[None], taps, groups=batch * channels)
    return filtered.view_as(features)


def _one_by_one(padded: Tensor, kernels: Tensor) -> Tensor:
    """The maps inside of `padded` (B, C, H + k - 1, W + k - 1), filtered sample by sample."""
    from torch._higher_order_ops.scan import scan  # graphs alone need it

    def filtered(state: Tensor, sample: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        image, taps = sample
        return state.clone(), F.conv2d(image[None], taps[:, None], groups=len(taps))[0]

    _, every = scan(filtered, kernels.new_zeros(1), (padded, kernels))
    found: Tensor = every
    return found


class FrequencyAttention(nn.Module):
    """FDA: one kernel for all channels from where in the image high and low frequencies are strong.

    RB, split, two planes, convolution, sigmoid (figure). Ours: the planes are means over the channels, pooled to k x k
    cells, one per tap.

    Args:
        channels: C.
        kernel: k, odd.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.enter = ResidualBlock(channels, channels)
        self.score = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to k_c, (B, 1, k, k)."""
        planes = _planes(self.enter(features))
        return unit_kernel(self.score(mean_cells(planes, (self.kernel, self.kernel))))


class SpectralAttention(nn.Module):
    """SDA: a factor for each channel from its high and its low frequencies.

    Convolution, split, AWF (figure). Ours: the parts are averaged over the image before the AWF, and the factor is
    2 sigmoid(.), which starts about 1.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 3, padding=1)
        self.fuse = WeightedFusion(channels, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to k_s, (B, C, 1, 1), from 0 to 2."""
        high, low = (part.mean((-2, -1), keepdim=True) for part in split_frequencies(self.enter(features)))
        scores: Tensor = self.fuse(high, low)
        return 2 * at_least_float32(scores).sigmoid()


class FrequencySelection(nn.Module):
    """FSM: a kernel for each channel from two convolutions in a row that are gated by frequency.

    Two convolutions, both concatenated, planes of high and low, sigmoid, a gate for each, AWF (figure). Ours: the gated
    maps are pooled to k x k cells, one per tap, before the AWF.

    Args:
        channels: C.
        kernel: k, odd.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gates = nn.Conv2d(2, 2, 3, padding=1)
        self.fuse = WeightedFusion(channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to k'_c, (B, C, k, k)."""
        first = self.first(features)
        second = self.second(first)
        gates = self.gates(_planes(torch.cat([first, second], dim=1))).sigmoid().chunk(2, dim=1)
        taps = self.kernel, self.kernel
        cells = [mean_cells(gate * part, taps) for gate, part in zip(gates, (first, second), strict=True)]
        return unit_kernel(self.fuse(*cells))


class CrossSpectralFusion(nn.Module):
    """FSCFM: F_mid = F_c * (k_c k_s), then F_out = F_mid * (k'_c k_s), where * filters and the kernels multiply.

    Args:
        channels: C.
        kernel: k, odd.
    """

    def __init__(self, channels: int, *, kernel: int) -> None:
        super().__init__()
        self.frequency = FrequencyAttention(channels, kernel=kernel)
        self.spectral = SpectralAttention(channels)
        self.selection = FrequencySelection(channels, kernel=kernel)

    def forward(self, detail: Tensor, spectral: Tensor) -> Tensor:
        """F_c and F_s, both (B, C, H, W), to F_out of the same shape."""
        factors = self.spectral(spectral)
        middle = dynamic_depthwise(detail, self.frequency(detail) * factors)
        return dynamic_depthwise(middle, self.selection(middle) * factors)


class DetailInjection(nn.Module):
    """MDI: an RB on the high-pass of each image, and AWF of both (figure).

    Args:
        bands: B of the multispectral image.
        channels: C.
    """

    def __init__(self, bands: int, channels: int) -> None:
        super().__init__()
        self.pan = ResidualBlock(1, channels)
        self.ms = ResidualBlock(bands, channels)
        self.fuse = WeightedFusion(channels)

    def forward(self, pan: Tensor, ms: Tensor) -> Tensor:
        """High-passes (B, 1, H, W) and (B, bands, H, W) to (B, C, H, W)."""
        injected: Tensor = self.fuse(self.pan(pan), self.ms(ms))
        return injected


def _planes(features: Tensor) -> Tensor:
    """Means over the channels of the strength of the high and the value of the low frequencies: (B, 2, H, W)."""
    return torch.cat([part.mean(1, keepdim=True) for part in split_frequencies(features)], dim=1)
