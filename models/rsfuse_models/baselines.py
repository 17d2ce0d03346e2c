"""What the networks of the papers are measured against: fusion at the very start, and fusion without any idea."""

from __future__ import annotations

from typing import Any, Literal

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from rsfuse_models.contract import FusionNetwork, TrainingOutput
from rsfuse_models.layers.encoders import Encoder
from rsfuse_models.layers.heads import FCNHead, MapNorm, UPerHead, resize
from rsfuse_models.layers.pretrained import CHANCE, Pretrained, Start

Sensors = Literal["both", "optical", "sar"]

STRIDE = 32


class EarlyFusion(FusionNetwork):
    """A network of segmentation_models_pytorch on the stacked bands of both sensors, or on those of one.

    The UNet rows of published tables (optical, SAR, optical + SAR) are architecture "unet" with the three `sensors`.

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        architecture: a name of `segmentation_models_pytorch.create_model`, such as "unet" or "segformer".
        encoder: a name of its encoders; "tu-" before a name of timm's takes that one, if it takes images of any size.
        sensors: whose bands the network sees.
        pretrained: what an encoder of timm's ("tu-...") starts from, see `PAD`; "none" for the library's own encoders.
        encoder_weights: file of weights of timm's encoder that it starts from; goes before `pretrained`.

    Raises:
        ValueError: if the library has no such architecture or encoder, the sensor has no bands, or the weights to start
            from cannot be had or do not fit.
    """

    def __init__(
        self,
        *,
        optical_channels: int,
        sar_channels: int,
        num_classes: int,
        architecture: str = "unet",
        encoder: str = "resnet34",
        sensors: Sensors = "both",
        pretrained: Pretrained = "none",
        encoder_weights: str | None = None,
    ) -> None:
        super().__init__(optical_channels=optical_channels, sar_channels=sar_channels, multiple=STRIDE)
        self.sensors: Sensors = sensors
        bands = {"both": optical_channels + sar_channels, "optical": optical_channels, "sar": sar_channels}[sensors]
        if bands == 0:
            raise ValueError(f"sensors={sensors!r} leaves no band to see")
        try:
            network = smp.create_model(
                architecture, encoder, encoder_weights=None, in_channels=bands, classes=num_classes
            )
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"no network {architecture!r} with encoder {encoder!r}: {error}") from error
        self.network: nn.Module = network
        _start(network.encoder, encoder, bands, Start(pretrained, encoder_weights))
        _train_on_one_image(self.network)

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        seen = {"both": lambda: torch.cat([optical, sar], dim=1), "optical": lambda: optical, "sar": lambda: sar}
        scores: Tensor = self.network(seen[self.sensors]())
        return resize(scores, optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, and nothing beside it."""
        return TrainingOutput(self.score(optical, sar))


def _start(encoder: Any, name: str, bands: int, start: Start) -> None:
    """Fill an encoder of segmentation_models_pytorch that holds one of timm's."""
    if start == CHANCE:
        return
    if not name.startswith("tu-"):
        raise ValueError(f"encoder {name!r} is not timm's and starts from chance; name one of timm's: 'tu-{name}'")
    start.fill(encoder.model, name.removeprefix("tu-"), bands, {})


def _train_on_one_image(network: nn.Module) -> None:
    """Give normalisations that would fail on one image pooled to one pixel the way out of `MapNorm`."""
    for name, child in network.named_children():
        if type(child) is nn.BatchNorm2d:
            norm = MapNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            norm.load_state_dict(child.state_dict())
            setattr(network, name, norm)
        else:
            _train_on_one_image(child)


class LateFusion(FusionNetwork):
    """Two encoders, the sum of their maps at each stage, and the UPer head of PAD and WHFNet: their honest control.

    Args:
        optical_channels: C.
        sar_channels: S.
        num_classes: K.
        encoder: name in timm; both branches have it, with weights of their own.
        stages: levels of timm's `feature_info` that are added; None for those at strides 4, 8, 16 and 32.
        pretrained: what both branches start from: "none", chance; "imagenet-lite0", the ImageNet weights of
            `tf_efficientnet_lite0` that come with rsfuse; "timm", those that timm names for the encoder, downloaded.
        encoder_weights: file of weights of timm's encoder (.safetensors, .pth, .bin) that both branches start from;
            goes before `pretrained`.
        channels: width of the UPer head.
        aux_channels: width of the auxiliary head.
        aux_stage: which of the stages the auxiliary head reads, from 0.
        drop_path: stochastic depth of the encoders.
        dropout: before the last layer of each head.

    Raises:
        ValueError: if the encoder lacks a stage.
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
        drop_path: float = 0.1,
        dropout: float = 0.1,
    ) -> None:
        optical_encoder, sar_encoder = (
            Encoder(encoder, count, stages=stages, drop_path=drop_path, start=Start(pretrained, encoder_weights))
            for count in (optical_channels, sar_channels)
        )
        widths = optical_encoder.channels
        if not 0 <= aux_stage < len(widths):
            raise ValueError(f"aux_stage {aux_stage} is not among the {len(widths)} fused stages; count from 0")
        super().__init__(
            optical_channels=optical_channels, sar_channels=sar_channels, multiple=max(optical_encoder.strides)
        )
        self.optical_encoder, self.sar_encoder = optical_encoder, sar_encoder
        self.head = UPerHead(widths, num_classes, channels=channels, dropout=dropout)
        self.auxiliary_head = FCNHead(widths[aux_stage], num_classes, channels=aux_channels, dropout=dropout)
        self.aux_stage = aux_stage

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, H, W) of optical (B, C, H, W) and SAR (B, S, H, W)."""
        return resize(self.head(self._add(optical, sar)), optical.shape[-2:])

    def score_training(self, optical: Tensor, sar: Tensor) -> TrainingOutput:
        """`score`, with auxiliary {"stage<aux_stage>"}."""
        maps, size = self._add(optical, sar), optical.shape[-2:]
        auxiliary = resize(self.auxiliary_head(maps[self.aux_stage]), size)
        return TrainingOutput(resize(self.head(maps), size), {f"stage{self.aux_stage}": auxiliary})

    def _add(self, optical: Tensor, sar: Tensor) -> list[Tensor]:
        return [
            first + second for first, second in zip(self.optical_encoder(optical), self.sar_encoder(sar), strict=True)
        ]
