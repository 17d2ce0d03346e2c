"""Feature encoders: any of timm's that gives maps, for any number of channels, cut to the stages in use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import timm
import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from rsfuse_models.layers.pretrained import CHANCE, Start
from rsfuse_models.layers.stages import level_stages, parameter_stages
from rsfuse_models.layers.trunks import create_plan, feature_levels, layout


class Encoder(nn.Module):
    """One branch: maps of chosen stages, each normalised over its channels place by place.

    ConvNeXt leaves its stages unnormalised, and the published network adds a LayerNorm to each; here every encoder gets
    one, because what follows compares the amplitudes of two of them.

    Args:
        name: an encoder of timm that offers `features_only`, convolutional or of windows (Swin).
        channels_in: channels of the image; the first convolution has as many.
        stages: places in timm's `feature_info`, ascending; None for the four at strides 4, 8, 16 and 32.
        drop_path: chance of the last residual branch to be skipped in training, rising to it from 0 over the depth.
        start: what it starts from.
        window: side of the windows of a Swin encoder, in places; None for that of its name.

    Attributes:
        channels: of each stage in use.
        strides: of each stage in use, input pixels per place.

    Raises:
        ValueError: if timm has no such encoder, a stage is not there, the image has no channels, or the weights to
            start from cannot be had or do not fit.
    """

    def __init__(
        self,
        name: str,
        channels_in: int,
        *,
        stages: tuple[int, ...] | None = None,
        drop_path: float = 0.0,
        start: Start = CHANCE,
        window: int | None = None,
    ) -> None:
        if channels_in < 1:
            raise ValueError(f"an image of {channels_in} channels cannot be encoded; this network needs both sensors")
        super().__init__()
        levels = feature_levels(name)
        stages = choose_stages(name, levels, stages)
        options: dict[str, Any] = _any_size(name)
        if drop_path:  # not every encoder knows the option
            options["drop_path_rate"] = drop_path
        if window is not None:
            options["window_size"] = window
        trunk: Any = timm.create_model(
            name, features_only=True, pretrained=False, in_chans=channels_in, out_indices=stages, **options
        )
        self.name, self.stages = name, stages
        self.channels_last = layout(trunk) == "NHWC"
        self.trunk = _cut(trunk)
        start.fill(self.trunk, name, channels_in, options)
        self.channels = tuple(levels[stage][0] for stage in stages)
        self.strides = tuple(levels[stage][1] for stage in stages)
        self.norms = nn.ModuleList(LayerNorm2d(count) for count in self.channels)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, C, H, W) to one (B, C_i, H / stride_i, W / stride_i) per stage in use, finest first."""
        maps: list[Tensor] = self._look(image)
        if self.channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return [norm(features) for norm, features in zip(self.norms, maps, strict=True)]

    @property
    def depth(self) -> int:
        """How many stages it has, the stem not counted; timm counts them, and may find more than feature levels."""
        return max(self._parameter_stages.values())

    def stage_of(self, parameter: str) -> int:
        """Stage of a parameter: 0 for the stem, k + 1 for stage k, up to `depth`.

        A layer that halves the map before stage k belongs to it, and so does the norm of its maps. (The learning rates
        published with ASANet put the halving layers of a ConvNeXt at 0.)

        Args:
            parameter: its name in `named_parameters`.

        Raises:
            ValueError: if there is no such parameter.
        """
        if parameter not in self._parameter_stages:
            raise ValueError(f"encoder {self.name!r} has no parameter {parameter!r}")
        return self._parameter_stages[parameter]

    @cached_property
    def _parameter_stages(self) -> dict[str, int]:
        trunk: Any = self.trunk
        inside = parameter_stages(self.name, [name for name, _ in trunk.named_parameters()])
        levels = level_stages(trunk.feature_info.info[: self.stages[-1] + 1], inside)
        norms = {
            f"norms.{index}.{name}": levels[stage]
            for index, stage in enumerate(self.stages)
            for name, _ in self.norms[index].named_parameters()
        }
        return {f"trunk.{name}": stage for name, stage in inside.items()} | norms

    def _look(self, image: Tensor) -> list[Tensor]:
        half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.float16
        if self.channels_last and image.device.type == "cpu" and half:
            # Swin V2 divides keys by their length; that of a padded place is 0, and the guard against it vanishes in
            # half precision. CUDA's autocast takes lengths in float32 by itself.
            with torch.autocast("cpu", enabled=False):
                return self.trunk(image.float())  # type: ignore[no-any-return]
        return self.trunk(image)  # type: ignore[no-any-return]


def _any_size(name: str) -> dict[str, Any]:
    """Options of encoders that would take images of one size alone; windows that shift on maps of one window, too."""
    if "swin" in name and hasattr(create_plan(name, features=True), "patch_embed"):
        return {"strict_img_size": False, "always_partition": True}
    return {}


def choose_stages(name: str, levels: list[tuple[int, int]], stages: tuple[int, ...] | None) -> tuple[int, ...]:
    """Check the stages asked for, or find the four at strides 4, 8, 16 and 32.

    Raises:
        ValueError: if they are not in the encoder, not ascending or none at all.
    """
    strides = [stride for _, stride in levels]
    if stages is None:
        if not {4, 8, 16, 32} <= set(strides):
            raise ValueError(f"encoder {name!r} has strides {strides}, not 4, 8, 16, 32; name its stages")
        return tuple(strides.index(stride) for stride in (4, 8, 16, 32))
    stages = tuple(stages)
    if not stages or list(stages) != sorted(set(stages)) or not 0 <= stages[0] <= stages[-1] < len(levels):
        raise ValueError(f"stages {list(stages)} must ascend and lie in 0 ... {len(levels) - 1} (strides {strides})")
    return stages


def _cut(trunk: Any) -> nn.Module:
    """Drop blocks after the last stage in use; timm cuts most encoders by itself, the EfficientNet family not."""
    blocks = getattr(trunk, "blocks", None)
    if isinstance(blocks, nn.Sequential):
        last = trunk.feature_info.module_name()[-1]
        trunk.blocks = blocks[: int(last.split(".")[1]) + 1]
    cut: nn.Module = trunk
    return cut
