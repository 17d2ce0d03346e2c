"""What an encoder starts from: chance, weights that come in a package, timm's own, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from torch import nn

from rsfuse_models.layers.hub import fetch_weights
from rsfuse_models.layers.imagenet import load_lite0
from rsfuse_models.layers.trunks import create_plan
from rsfuse_models.layers.weight_files import load_weights

Pretrained = Literal["none", "imagenet-lite0", "timm"]

WEIGHT_FILES = ("encoder_weights", "optical_encoder_weights", "sar_encoder_weights")
"""Arguments of networks that name a file of weights that an encoder starts from."""

OPTIONS = ("pretrained", *WEIGHT_FILES)
"""Arguments of networks that say what their encoders start from, and nothing else."""


@dataclass(frozen=True)
class Start:
    """What an encoder starts from.

    Args:
        pretrained: "none": chance; "imagenet-lite0": ImageNet weights of `tf_efficientnet_lite0`, which come with
            rsfuse; "timm": the weights that timm names for the encoder, from the cache or downloaded.
        weights: file with the state of timm's encoder, .safetensors or written by torch; goes before `pretrained`.

    Raises:
        ValueError: if `pretrained` is none of these.
    """

    pretrained: Pretrained = "none"
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.pretrained not in get_args(Pretrained):
            raise ValueError(f"pretrained is {self.pretrained!r}; choose one of {', '.join(get_args(Pretrained))}")

    def fill(self, trunk: nn.Module, name: str, channels: int, options: Mapping[str, Any]) -> None:
        """Fill a feature encoder, or leave it as it is.

        Args:
            trunk: timm's feature encoder; may be cut short.
            name: its name in timm.
            channels: of the image.
            options: that it was made with beyond its channels and stages.

        Raises:
            ValueError: if the weights cannot be had or are those of another encoder.
            ImportError: if the package with the weights is not installed.
        """
        if self.weights is None and self.pretrained == "none":
            return
        if self.weights is None and self.pretrained == "imagenet-lite0":
            load_lite0(trunk, name)
            return
        classifier = create_plan(name, features=False, **options)
        path = fetch_weights(name, classifier.pretrained_cfg) if self.weights is None else Path(self.weights)
        load_weights(trunk, path.expanduser(), classifier=classifier, channels=channels)


CHANCE = Start()


def without_pretrained(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a network without those that say what its encoders start from: it starts from chance.

    For a network whose weights are at hand already, and whose files of start weights may be gone.

    Args:
        options: arguments of a network's constructor, with or without its name.
    """
    return {key: value for key, value in options.items() if key not in OPTIONS}


def missing_weights(options: Mapping[str, Any]) -> dict[str, Path]:
    """Files of weights that options of a network name and that are not there, by the option.

    Args:
        options: arguments of a network's constructor, with or without its name.
    """
    files = {key: Path(options[key]).expanduser() for key in WEIGHT_FILES if options.get(key) is not None}
    return {key: path for key, path in files.items() if not path.is_file()}
