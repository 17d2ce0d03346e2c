"""WHFNet: wavelet-driven heterogeneous fusion (Ren et al., IEEE TGRS 2026, doi 10.1109/TGRS.2026.3662689).

Two encoders of different kind, Swin-V2 for optical and ConvNeXt-V2 for SAR, that never meet; beside each a plain
encoder of the image's wavelet high frequencies; at each stage one interactor (CMI) calibrates features by frequencies
(SFFM) in either sensor and adds the two; a UPer head reads the sums. The paper's text is not public: what is built here
is its published configuration. Deviations are listed in models/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from rsfuse_models.contract import FusionNetwork, TrainingOutput
from rsfuse_models.layers.encoders import Encoder
from rsfuse_models.layers.heads import FCNHead, MapNorm, UPerHead, resize
from rsfuse_models.layers.pretrained import Pretrained, Start
from rsfuse_models.layers.wavelet import HighFrequency

InputRange = Literal["fixed", "paper"]

AUXILIARY_STAGE = 2  # the third of the four, as in the published configuration
STRIDE = 32
_LOG_FLOOR = 1e-6


class Interaction(NamedTuple):
    """What one interactor makes of a stage; each (B, C, H, W).

    Args:
        optical: optical features, calibrated.
        sar: SAR features, calibrated.
    """

    optical: Tensor
    sar: Tensor

    @property
    def fused(self) -> Tensor:
        """Their sum, which the decoder reads."""
        return self.optical + self.sar


class HighFrequencyImage(nn.Module):
    """The wavelet high frequencies of an image, at full size.

    Args:
        wavelet: a name that PyWavelets knows; "haar" needs no transform.
        compress: take log(1 + |x|) first, as published for SAR.
        input_range: "paper" stretches each band of each sample to 0 ... 255 and cuts it to whole numbers, so that a
            pixel depends on the strongest edge of its patch and neighbouring patches do not fit; "fixed" leaves the
            values as they are, and the sign of x beside the logarithm.
    """

    def __init__(self, *, wavelet: str, compress: bool, input_range: InputRange) -> None:
        super().__init__()
        self.high_pass = HighFrequency(wavelet)
        self.compress, self.input_range = compress, input_range

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        if self.compress:
            logarithm = (image.abs() + _LOG_FLOOR).log1p()
            image = logarithm if self.input_range == "paper" else torch.where(image < 0, -logarithm, logarithm)
        high: Tensor = self.high_pass(image)
        return eight_bit(high) if self.input_range == "paper" else high


def eight_bit(image: Tensor) -> Tensor:
    """Each band of each sample from its least to its greatest value as 0 ... 255, cut to whole numbers.

    A band of one value becomes 0. The gradient passes as if nothing were cut and the range were given.

    Args:
        image: (B, C, H, W).
    """
    low, high = image.detach().amin((-2, -1), keepdim=True), image.detach().amax((-2, -1), keepdim=True)
    levels = (image - low) * (255 / (high - low).clamp(min=1e-12))
    return levels + (levels.floor() - levels).detach()


class HighFrequencyEncoder(nn.Sequential):
    """Maps of a high-frequency image at strides 4, 8, 16 and 32: convolution, BN, ReLU, from the second on max-pooling.

    Args:
        channels_in: channels of the image.
        widths: channels of each map.
    """

    def __init__(self, channels_in: int, widths: Sequence[int]) -> None:
        first, *_ = widths
        super().__init__(
            nn.Sequential(nn.Conv2d(channels_in, first, 4, stride=4), MapNorm(first), nn.ReLU(inplace=True)),
            *(
                nn.Sequential(nn.Conv2d(finer, width, 3, padding=1), MapNorm(width), nn.ReLU(True), nn.MaxPool2d(2))
                for finer, width in pairwise(widths)
            ),
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, C, H, W) to one map per width, finest first."""
        maps: list[Tensor] = []
        for stage in self:
            image = stage(image)
            maps.append(image)
        return maps


class SpatialFrequencyFusion(nn.Module):
    """SFFM: features of the image, calibrated by how they differ from those of its high frequencies.

    Args:
        channels: C, even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.frequency = nn.Conv2d(channels, channels, 3, padding=1)
        self.calibrate = nn.Sequential(
            nn.Conv2d(channels, channels // 2, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(channels // 2, channels, 3, padding=1),
            nn.Sigmoid(),
        )
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, 2 * channels, 5, padding=2, groups=2 * channels),
            MapNorm(2 * channels),
            nn.Conv2d(2 * channels, channels, 3, padding=1),
        )

    def forward(self, features: Tensor, frequencies: Tensor) -> Tensor:
        """Two (B, C, H, W) to one."""
        spatial, frequency = self.spatial(features), self.frequency(frequencies)
        calibrated = spatial + self.calibrate(spatial - frequency) * frequency
        fused: Tensor = self.mix(torch.cat([calibrated, frequency], dim=1)) + features
        return fused


class Interactor(nn.Module):
    """CMI: one SFFM for each sensor.

    Args:
        channels: C, even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.optical = SpatialFrequencyFusion(channels)
        self.sar = SpatialFrequencyFusion(channels)

    def forward(self, optical: Tensor, sar: Tensor, optical_high: Tensor, sar_high: Tensor) -> Interaction:
        """Features and high-frequency features of both sensors, each (B, C, H, W)."""
        return Interaction(self.optical(optical, optical_high), self.sar(sar, sar_high))


class WHFNet(FusionNetwork):
    """Wavelet-driven heterogeneous fusion network (doi 10.1109/TGRS.2026.3662689).

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        optical_encoder: name in timm; stages at strides 4, 8, 16 and 32.
        sar_encoder: likewise, with as many channels at each stage.
        optical_window: side of a Swin encoder's windows, in places of its map; None for that of its name. Published: 4
            for patches of 128 and 256 px, 8 for 512.
        pretrained: what both encoders start from: "none", chance; "imagenet-lite0", the ImageNet weights of
            `tf_efficientnet_lite0` that come with rsfuse; "timm", those that timm names for each, downloaded.
        optical_encoder_weights: file of weights of timm's encoder (.safetensors, .pth, .bin) that the optical one
            starts from; goes before `pretrained`.
        sar_encoder_weights: likewise.
        wavelet: of the high-frequency images; others than "haar" run through pytorch_wavelets.
        input_range: of the high-frequency images, see `HighFrequencyImage`; "fixed" makes no seams between patches
            (with Haar, where patches begin at even pixels).
        fusion: "cmi", or "sum" of the encoders' features alone: the paper's baseline, without high frequencies,
            interactors and structural heads.
        channels: width of the UPer head.
        aux_channels: width of the auxiliary head and of the two structural ones.
        optical_drop_path: stochastic depth of the optical encoder.
        sar_drop_path: stochastic depth of the SAR encoder.
        dropout: before the last layer of each head.

    Raises:
        ValueError: if the encoders differ in channels, or the weights to start from cannot be had or do not fit.
    """

    def __init__(
        self,
        *,
        optical_channels: int,
        sar_channels: int,
        num_classes: int,
        optical_encoder: str = "swinv2_tiny_window8_256",
        sar_encoder: str = "convnextv2_tiny",
        optical_window: int | None = None,
        pretrained: Pretrained = "none",
        optical_encoder_weights: str | None = None,
        sar_encoder_weights: str | None = None,
        wavelet: str = "haar",
        input_range: InputRange = "fixed",
        fusion: Literal["cmi", "sum"] = "cmi",
        channels: int = 256,
        aux_channels: int = 128,
        optical_drop_path: float = 0.1,
        sar_drop_path: float = 0.4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(optical_channels=optical_channels, sar_channels=sar_channels, multiple=STRIDE)
        self.optical_encoder = Encoder(
            optical_encoder,
            optical_channels,
            drop_path=optical_drop_path,
            start=Start(pretrained, optical_encoder_weights),
            window=optical_window,
        )
        self.sar_encoder = Encoder(
            sar_encoder, sar_channels, drop_path=sar_drop_path, start=Start(pretrained, sar_encoder_weights)
        )
        widths = self.optical_encoder.channels
        if widths != self.sar_encoder.channels:
            raise ValueError(
                f"{optical_encoder!r} has stages of {widths} channels, {sar_encoder!r} of {self.sar_encoder.channels}; "
                "their sum needs the same"
            )
        self.optical_high: nn.Module | None = None
        self.sar_high: nn.Module | None = None
        self.interactors, self.structural_heads = nn.ModuleList(), nn.ModuleDict()
        if fusion == "cmi":
            self.optical_high = _high_branch(optical_channels, widths, wavelet, input_range, compress=False)
            self.sar_high = _high_branch(sar_channels, widths, wavelet, input_range, compress=True)
            self.interactors.extend(Interactor(width) for width in widths)
            for sensor in Interaction._fields:
                head = FCNHead(widths[-1], num_classes, channels=aux_channels, dropout=dropout)
                self.structural_heads[sensor] = head
        self.head = UPerHead(widths, num_classes, channels=channels, dropout=dropout)
        self.auxiliary_head = FCNHead(widths[AUXILIARY_STAGE], num_classes, channels=aux_channels, dropout=dropout)

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        return resize(self.head([stage.fused for stage in self._interact(optical, sar)]), optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, with auxiliary {"stage2", "optical", "sar"}; published weights 0.4, 0.3 and 0.3.

        The last two are the structural consistency heads: each sensor's calibrated last stage has to tell the classes
        by itself. With fusion="sum" there is "stage2" alone.
        """
        stages, size = self._interact(optical, sar), optical.shape[-2:]
        auxiliary = {f"stage{AUXILIARY_STAGE}": self.auxiliary_head(stages[AUXILIARY_STAGE].fused)}
        for sensor, head in self.structural_heads.items():
            auxiliary[sensor] = head(getattr(stages[-1], sensor))
        return TrainingOutput(
            scores=resize(self.head([stage.fused for stage in stages]), size),
            auxiliary={name: resize(scores, size) for name, scores in auxiliary.items()},
        )

    def _interact(self, optical: Tensor, sar: Tensor) -> list[Interaction]:
        features = zip(self.optical_encoder(optical), self.sar_encoder(sar), strict=True)
        if self.optical_high is None or self.sar_high is None:
            return [Interaction(*pair) for pair in features]
        highs = zip(self.optical_high(optical), self.sar_high(sar), strict=True)
        stages = zip(self.interactors, features, highs, strict=True)
        return [interactor(*pair, *high) for interactor, pair, high in stages]


def _high_branch(
    channels: int, widths: Sequence[int], wavelet: str, input_range: InputRange, *, compress: bool
) -> nn.Module:
    image = HighFrequencyImage(wavelet=wavelet, compress=compress, input_range=input_range)
    return nn.Sequential(image, HighFrequencyEncoder(channels, widths))
