"""PAD: optical and SAR fused by amplitude and phase (Zheng et al., IEEE TGRS 2025, arXiv 2504.19136).

Two encoders that never meet; at each stage one block fuses their maps in space (SCF), takes the result apart into
amplitude and phase (FD), edits each (ASF, PSC) and puts it together again (FR); a UPer head reads the fused maps.
Equation numbers are the paper's. Deviations are listed in models/README.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.contract import FusionNetwork, TrainingOutput
from rsfuse_models.layers.encoders import Encoder
from rsfuse_models.layers.fourier import Spectrum, decouple, radial_distance, recouple
from rsfuse_models.layers.heads import FCNHead, UPerHead, resize
from rsfuse_models.layers.precision import at_least_float32
from rsfuse_models.layers.pretrained import Pretrained, Start

SHARPNESS = 10.0  # T of the amplitude mask, fixed in the published code
REDUCTION = 8  # channels of the phase, over the hidden ones of its gate


class Fused(NamedTuple):
    """What one block makes of two maps.

    Args:
        features: (B, C, H, W).
        amplitude: (B, C, H, W // 2 + 1) before the amplitude was edited, A.
        edited: and after, A'.
    """

    features: Tensor
    amplitude: Tensor
    edited: Tensor

    @property
    def penalty(self) -> Tensor:
        """Mean squared change of the amplitude (eq. 21). A is not held fixed: it learns to stay, too."""
        return F.mse_loss(self.edited, self.amplitude)


class SpatialFusion(nn.Module):
    """SCF: at each place a gate shares out between optical and SAR (eq. 5a-5d).

    Args:
        channels: C, the same for both maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Conv2d(2 * channels, channels, 1)
        self.gate = nn.Conv2d(2 * channels, 1, 1)
        self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, optical: Tensor, sar: Tensor) -> tuple[Tensor, Tensor]:
        """Two (B, C, H, W) to the fused map F and the residual R, of the same shape."""
        both = torch.cat([optical, sar], dim=1)
        residual: Tensor = self.residual(both)
        gate = self.gate(both).sigmoid()  # (B, 1, H, W)
        return self.mix(torch.cat([optical * gate, sar * (1 - gate)], dim=1)) + residual, residual


class AmplitudeFusion(nn.Module):
    """ASF: high frequencies pass a small network, position by position, and join the amplitude again (eq. 15-18).

    Args:
        channels: C.
        radius: start of rho; frequencies count as high from sigmoid(rho) on, as a share of the highest.
        spectrum: how the distance from zero frequency is measured.
    """

    def __init__(self, channels: int, *, radius: float, spectrum: Spectrum) -> None:
        super().__init__()
        self.spectrum: Spectrum = spectrum
        self.radius = nn.Parameter(torch.tensor(float(radius)))
        self.perceptron = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(2 * channels, channels, 1),
        )
        self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, amplitude: Tensor, size: tuple[int, int]) -> Tensor:
        """A of (B, C, H, W // 2 + 1) and the map's size (H, W) to A', which may be negative."""
        distance = radial_distance(size, self.spectrum, amplitude.device)
        mask = torch.sigmoid(SHARPNESS * (distance - self.radius.sigmoid()))  # (H, W // 2 + 1)
        high = self.perceptron(amplitude * mask)
        edited: Tensor = self.mix(torch.cat([amplitude, high], dim=1)) + amplitude
        return edited


class PhaseCorrection(nn.Module):
    """PSC: the phase is stretched by 1 to 2, alike in all channels (eq. 14).

    Args:
        channels: C.
        bias: added to the last bias at the start; the stretch begins near 1 + sigmoid(bias).
    """

    def __init__(self, channels: int, *, bias: float) -> None:
        super().__init__()
        hidden = max(channels // REDUCTION, 1)
        self.gate = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.LeakyReLU(0.01, inplace=True), nn.Conv2d(hidden, 1, 1)
        )
        with torch.no_grad():
            self.gate.get_parameter("2.bias").add_(bias)

    def forward(self, phase: Tensor) -> Tensor:
        """P of (B, C, H, W // 2 + 1), radians, to P'."""
        stretch: Tensor = 1 + self.gate(phase).sigmoid()  # (B, 1, H, W // 2 + 1)
        return phase * stretch


class PADBlock(nn.Module):
    """Fuse the maps of one stage: SCF, FD, ASF and PSC, FR, plus the residual of SCF (eq. 5-18).

    Args:
        channels: C, the same for both maps.
        amplitude: ASF, or None to leave amplitudes as they are.
        phase: PSC, or None to leave phases as they are. Without both, FR undoes FD and the block gives F + R.
    """

    def __init__(self, channels: int, amplitude: AmplitudeFusion | None, phase: PhaseCorrection | None) -> None:
        super().__init__()
        self.spatial = SpatialFusion(channels)
        self.amplitude = amplitude
        self.phase = phase

    def forward(self, optical: Tensor, sar: Tensor) -> Fused:
        """Two maps (B, C, H, W) to one, with its amplitudes."""
        fused, residual = self.spatial(optical, sar)
        size = (fused.shape[-2], fused.shape[-1])
        # float32 whatever the autocast: half transforms take powers of two only, bfloat16 ones do not exist
        with torch.autocast(fused.device.type, enabled=False):
            amplitude, phase = decouple(at_least_float32(fused))
            edited = amplitude if self.amplitude is None else self.amplitude(amplitude, size)
            corrected = phase if self.phase is None else self.phase(phase)
            features = recouple(edited, corrected, size) + residual
        return Fused(features, amplitude, edited)


class PAD(FusionNetwork):
    """Phase-amplitude decoupling network (arXiv 2504.19136, figure 2; section III).

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        encoder: name in timm; both branches have it, with weights of their own.
        stages: levels of timm's `feature_info` that are fused; None for those at strides 4, 8, 16 and 32.
        pretrained: what both branches start from: "none", chance; "imagenet-lite0", the ImageNet weights of
            `tf_efficientnet_lite0` that come with rsfuse; "timm", those that timm names for the encoder, downloaded.
        encoder_weights: file of weights of timm's encoder (.safetensors, .pth, .bin) that both branches start from;
            goes before `pretrained`.
        channels: width of the UPer head.
        aux_channels: width of the auxiliary head.
        aux_stage: which of the fused stages the auxiliary head reads, from 0.
        spectrum: how the amplitude mask measures frequency; "paper" repeats the column order of the published code.
        radius: start of the mask's radius before its sigmoid, as published.
        phase_bias: start of the phase gate before its sigmoid; 0 is the published one, which stretches phases by about
            1.5 from the first step and so scrambles the maps; -4 starts near 1.
        amplitude_weights: of the stages in the amplitude penalty: "code" 1 each, "paper" rising from 0.5 to 1.
        drop_path: stochastic depth of the encoders (the published ConvNeXt-V2 Large has 0.4).
        dropout: before the last layer of each head.
        blocks: fusion blocks per stage; each further one fuses the map so far with itself.
        multi_stage: the ablation MSF; without it only the finest stage is fused by a block, the others are added.
        amplitude_fusion: the ablation ASF; without it amplitudes stay.
        phase_correction: the ablation PSC; without it phases stay.
    """

    def __init__(
        self,
        *,
        optical_channels: int,
        sar_channels: int,
        num_classes: int,
        encoder: str = "convnextv2_tiny",
        stages: tuple[int, ...] | None = None,
        pretrained: Pretrained = "none",
        encoder_weights: str | None = None,
        channels: int = 256,
        aux_channels: int = 128,
        aux_stage: int = 2,
        spectrum: Spectrum = "radial",
        radius: float = 0.1,
        phase_bias: float = -4.0,
        amplitude_weights: Literal["code", "paper"] = "code",
        drop_path: float = 0.1,
        dropout: float = 0.1,
        blocks: int = 1,
        multi_stage: bool = True,
        amplitude_fusion: bool = True,
        phase_correction: bool = True,
    ) -> None:
        optical_encoder, sar_encoder = (
            Encoder(encoder, count, stages=stages, drop_path=drop_path, start=Start(pretrained, encoder_weights))
            for count in (optical_channels, sar_channels)
        )
        widths, strides = optical_encoder.channels, optical_encoder.strides
        if not 0 <= aux_stage < len(widths):
            raise ValueError(f"aux_stage {aux_stage} is not among the {len(widths)} fused stages; count from 0")
        if blocks < 1:
            raise ValueError(f"blocks is {blocks}; each stage needs at least 1")

        super().__init__(optical_channels=optical_channels, sar_channels=sar_channels, multiple=max(strides))
        self.optical_encoder, self.sar_encoder = optical_encoder, sar_encoder

        def block(width: int) -> PADBlock:
            return PADBlock(
                width,
                AmplitudeFusion(width, radius=radius, spectrum=spectrum) if amplitude_fusion else None,
                PhaseCorrection(width, bias=phase_bias) if phase_correction else None,
            )

        self.fusion = nn.ModuleList(
            nn.ModuleList(block(width) for _ in range(blocks if multi_stage or stage == 0 else 0))
            for stage, width in enumerate(widths)
        )
        self.head = UPerHead(widths, num_classes, channels=channels, dropout=dropout)
        self.auxiliary_head = FCNHead(widths[aux_stage], num_classes, channels=aux_channels, dropout=dropout)
        self.aux_stage = aux_stage
        self.stage_weights = _ramp(len(widths)) if amplitude_weights == "paper" else (1.0,) * len(widths)
        self.block_weights = tuple(weight / sum(_ramp(blocks)) for weight in _ramp(blocks))

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        maps, _ = self._fuse(optical, sar)
        return resize(self.head(maps), optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, with auxiliary {"stage<aux_stage>"} and penalties {"amplitude"}; published weights 0.4 and 0.1."""
        maps, penalty = self._fuse(optical, sar)
        size = optical.shape[-2:]
        return TrainingOutput(
            scores=resize(self.head(maps), size),
            auxiliary={f"stage{self.aux_stage}": resize(self.auxiliary_head(maps[self.aux_stage]), size)},
            penalties={"amplitude": penalty},
        )

    def _fuse(self, optical: Tensor, sar: Tensor) -> tuple[list[Tensor], Tensor]:
        """The fused map of each stage, and the amplitude penalty of all blocks."""
        maps, penalties = [], []
        pairs = zip(self.optical_encoder(optical), self.sar_encoder(sar), strict=True)
        for blocks, weight, pair in zip(self.fusion, self.stage_weights, pairs, strict=True):
            steps = _fuse_stage(cast(nn.ModuleList, blocks), *pair)
            maps.append(steps[-1].features if steps else torch.add(*pair))
            penalties += [weight * share * step.penalty for share, step in zip(self.block_weights, steps, strict=False)]
        return maps, torch.stack(penalties).sum()


def _fuse_stage(blocks: Iterable[nn.Module], optical: Tensor, sar: Tensor) -> list[Fused]:
    steps: list[Fused] = []
    for block in blocks:
        steps.append(block(optical, sar))
        optical = sar = steps[-1].features
    return steps


def _ramp(count: int) -> tuple[float, ...]:
    """From 0.5 to 1 in even steps; 0.5 alone."""
    return tuple(0.5 + 0.5 * step / max(count - 1, 1) for step in range(count))
