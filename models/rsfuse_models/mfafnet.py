"""MFAFNet: low and high frequencies apart, sensors aligned and fused (Chang & Balz, ISPRS Archives XLVIII-G-2025).

Two encoders halve the image by Haar wavelets and refine low frequencies by attention and high ones by an invertible
network; a block fuses both sensors at each level, and a decoder puts the levels together. The paper has no code, and
neither sizes nor decoder; what it leaves open is our reconstruction and listed in models/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from rsfuse_models.contract import FusionNetwork, TrainingOutput
from rsfuse_models.layers.cross_fusion import CrossFusion
from rsfuse_models.layers.heads import ConvBlock, resize
from rsfuse_models.layers.invertible import InvertibleNetwork
from rsfuse_models.layers.transposed_attention import Attention, LowFrequencyBlock
from rsfuse_models.layers.wavelet import haar, inverse_haar
from rsfuse_models.losses import mean_discrepancy

Upsampling = Literal["bilinear", "haar"]


class Level(NamedTuple):
    """Sizes of one level.

    Args:
        channels: of the maps of each sensor and of the fused one.
        low: how many of them count as low frequencies; the others are high ones.
        heads: attention heads.
        attention: kind of the low-frequency branch.
    """

    channels: int
    low: int
    heads: int
    attention: Attention


class DecompositionStage(nn.Module):
    """Halve the map by Haar wavelets (eq. 1), then refine low and high frequencies apart (eq. 2-4) and join them.

    Args:
        channels_in: channels of the finer map.
        level: sizes of this one.
        nodes: couplings of the invertible network.
    """

    def __init__(self, channels_in: int, level: Level, *, nodes: int) -> None:
        super().__init__()
        self.shares = level.low, level.channels - level.low
        self.reduce = ConvBlock(4 * channels_in, level.channels, kernel=1)
        self.low = LowFrequencyBlock(level.low, heads=level.heads, attention=level.attention)
        self.high = InvertibleNetwork(self.shares[1], nodes=nodes)
        self.mix = nn.Conv2d(level.channels, level.channels, 1, bias=False)

    def forward(self, finer: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C, H / 2, W / 2)."""
        low, high = self.reduce(haar(finer)).split(self.shares, dim=1)
        joined: Tensor = self.mix(torch.cat([self.low(low), self.high(high)], dim=1))
        return joined


class SensorEncoder(nn.Module):
    """The stages of one sensor, from the image on.

    Args:
        bands: of the image.
        levels: sizes, finest first.
        nodes: couplings of each invertible network.
    """

    def __init__(self, bands: int, levels: Sequence[Level], *, nodes: int) -> None:
        super().__init__()
        channels_in = [bands, *(level.channels for level in levels[:-1])]
        self.stages = nn.ModuleList(
            DecompositionStage(count, level, nodes=nodes) for count, level in zip(channels_in, levels, strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, bands, H, W) to one (B, C_i, H / 2^i, W / 2^i) a level, finest first."""
        maps = [image]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class Reconstruction(nn.Module):
    """One level of the decoder: both sensors, the fused map and the coarser result, through two convolutions.

    Args:
        channels: C of this level.
        coarser: C of the next one, 0 for the coarsest level, which has none below it.
        upsampling: "bilinear", or "haar": a 1 x 1 convolution to the four bands of C channels, and their inverse.
    """

    def __init__(self, channels: int, coarser: int, *, upsampling: Upsampling) -> None:
        super().__init__()
        bands = upsampling == "haar" and coarser > 0
        self.bands = nn.Conv2d(coarser, 4 * channels, 1, bias=False) if bands else None
        self.refine = nn.Sequential(
            ConvBlock(3 * channels + (channels if bands else coarser), channels, kernel=3),
            ConvBlock(channels, channels, kernel=3),
        )

    def forward(self, maps: Sequence[Tensor], coarser: Tensor | None) -> Tensor:
        """Optical, SAR and fused (B, C, h, w), and (B, C', h / 2, w / 2) of the next level, to (B, C, h, w)."""
        if coarser is not None:
            maps = [*maps, self._upsample(coarser, maps[0].shape[-2:])]
        refined: Tensor = self.refine(torch.cat(list(maps), dim=1))
        return refined

    def _upsample(self, coarser: Tensor, size: Sequence[int]) -> Tensor:
        return resize(coarser, size) if self.bands is None else inverse_haar(self.bands(coarser))


class MFAFNet(FusionNetwork):
    """Multimodal feature alignment and fusion network (figures 1-4; section 2).

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        widths: channels of each level, finest (half the image's size) first.
        low_shares: share of them that counts as low frequencies, for each level.
        heads: attention heads of each level; they divide its width and its low frequencies.
        nodes: couplings of each invertible network.
        attention: kind of the two coarsest levels; the finer ones always attend among channels.
        upsampling: of the decoder.
        dropout: chance of a channel to be dropped before the last layer.
        mmd: whether training aligns the coarsest maps of the two sensors (eq. 6).
    """

    def __init__(
        self,
        *,
        optical_channels: int,
        sar_channels: int,
        num_classes: int,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        low_shares: tuple[float, ...] = (0.25, 0.5, 0.5, 0.75),
        heads: tuple[int, ...] = (1, 2, 4, 8),
        nodes: int = 3,
        attention: Attention = "transposed",
        upsampling: Upsampling = "bilinear",
        dropout: float = 0.1,
        mmd: bool = True,
    ) -> None:
        if min(optical_channels, sar_channels) < 1:
            raise ValueError(
                f"optical and SAR have {optical_channels} and {sar_channels} channels; MFAFNet fuses two sensors"
            )
        levels = _plan(widths, low_shares, heads, attention)
        super().__init__(optical_channels=optical_channels, sar_channels=sar_channels, multiple=2 ** len(levels))
        self.optical_encoder, self.sar_encoder = (
            SensorEncoder(bands, levels, nodes=nodes) for bands in (optical_channels, sar_channels)
        )
        self.fusion = nn.ModuleList(CrossFusion(level.channels, heads=level.heads) for level in levels)
        self.decoder = nn.ModuleList(
            Reconstruction(width, coarser, upsampling=upsampling)
            for width, coarser in zip(widths, (*widths[1:], 0), strict=True)
        )
        self.classify = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(widths[0], num_classes, 1))
        self.mmd = mmd

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        return self._decode(self.optical_encoder(optical), self.sar_encoder(sar), optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, with penalties {"mmd"} where that is on; our weight for it is 0.1."""
        optical_maps, sar_maps = self.optical_encoder(optical), self.sar_encoder(sar)
        scores = self._decode(optical_maps, sar_maps, optical.shape[-2:])
        if not self.mmd:
            return TrainingOutput(scores)
        return TrainingOutput(scores, penalties={"mmd": mean_discrepancy(optical_maps[-1], sar_maps[-1])})

    def _decode(self, optical: Sequence[Tensor], sar: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Maps of both sensors, finest first, to scores of the given size."""
        fused = [block(*pair) for block, pair in zip(self.fusion, zip(optical, sar, strict=True), strict=True)]
        result: Tensor | None = None
        for layer, *maps in reversed(list(zip(self.decoder, optical, sar, fused, strict=True))):
            result = layer(maps, result)
        return resize(self.classify(cast(Tensor, result)), size)


def _plan(
    widths: Sequence[int], low_shares: Sequence[float], heads: Sequence[int], attention: Attention
) -> list[Level]:
    """Sizes of all levels, or what is wrong with them."""
    if not len(widths) == len(low_shares) == len(heads) > 0:
        raise ValueError(f"{len(widths)} widths, {len(low_shares)} low_shares and {len(heads)} heads; give one a level")
    finer = len(widths) - 2
    kinds: list[Attention] = [attention if position >= finer else "transposed" for position in range(len(widths))]
    return [_plan_level(*sizes) for sizes in zip(widths, low_shares, heads, kinds, strict=True)]


def _plan_level(channels: int, low_share: float, heads: int, attention: Attention) -> Level:
    low = round(channels * low_share)
    if not 0 < low < channels - 1:
        raise ValueError(
            f"a low share of {low_share} leaves {low} low and {channels - low} high of {channels} channels; "
            "at least 1 and 2 are needed"
        )
    if heads < 1 or channels % heads or low % heads:
        raise ValueError(f"{heads} heads must divide a level's {channels} channels and the {low} low ones among them")
    return Level(channels, low, heads, attention)
