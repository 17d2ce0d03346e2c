"""Files of weights: read, and fitted to a feature encoder of timm."""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from timm.models import load_state_dict
from torch import Tensor, nn

from rsfuse_models.layers.first_convolution import adapt_first
from rsfuse_models.layers.trunks import known_names, plain_name

_log = logging.getLogger(__name__)
_SHOWN = 3


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file fit a feature encoder; names are those of timm's classifier.

    Args:
        state: what fits, by its name in the feature encoder.
        wanted: tensors that the encoder has.
        stored: tensors that the file has.
        missing: in the file.
        misshapen: with both shapes.
        left_over: belong into the encoder by their names, and it has no such tensors.
        foreign: belong to neither the encoder nor the classifier.
    """

    state: dict[str, Tensor]
    wanted: int
    stored: int
    missing: Sequence[str]
    misshapen: Sequence[str]
    left_over: Sequence[str]
    foreign: Sequence[str]

    @property
    def faults(self) -> int:
        """Tensors that keep the file from being that of the encoder."""
        return len(self.missing) + len(self.misshapen) + len(self.left_over)

    def __str__(self) -> str:
        """The faults in words: how many, and the first of each kind."""
        told = [
            (self.missing, f"of the encoder's {self.wanted} tensors {len(self.missing)} are missing in the file"),
            (self.misshapen, f"{len(self.misshapen)} have another shape"),
            (self.left_over, f"{len(self.left_over)} of the file's {self.stored} are not in the encoder"),
        ]
        return "; ".join(f"{text} ({_first(names)})" for names, text in told if names)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of one that torch wrote; nothing in it is executed.

    Of a checkpoint that holds more, those of its model: averaged ones first, if it has them.

    Raises:
        ValueError: if there is no such file, or it holds no tensors that can be read.
    """
    if not path.is_file():
        raise ValueError(f"there is no file of weights {path}")
    try:
        state = load_state_dict(str(path))
    except (OSError, EOFError, RuntimeError, SafetensorError, pickle.UnpicklingError, LookupError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as weights: {(str(error) or repr(error)).splitlines()[0]}") from error
    except (AttributeError, TypeError) as error:  # timm expects a dictionary in the file
        raise ValueError(f"{path} holds something else than tensors with names") from error
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{path} holds no tensors under its names ({_first([str(name) for name in state])})")
    return tensors


def load_weights(trunk: nn.Module, path: Path, *, classifier: Any, channels: int) -> None:
    """Fill a feature encoder from a file that holds the state of timm's encoder of that name.

    The file may hold the classifier or the feature encoder, bare or wrapped; also the forms that timm itself converts.
    A first convolution for other channels is adapted.

    Args:
        trunk: timm's feature encoder; may be cut short.
        path: of the file.
        classifier: the same encoder as a classifier, on the meta device.
        channels: of the image.

    Raises:
        ValueError: if the file cannot be read or is that of another encoder.
    """
    stored = read_weights(path)
    fit = fit_weights(stored, trunk, classifier=classifier, channels=channels)
    if fit.faults:
        converted = _convert(stored, classifier)
        if converted:
            other = fit_weights(converted, trunk, classifier=classifier, channels=channels)
            fit = min(fit, other, key=lambda each: each.faults)
    if fit.faults:
        raise ValueError(f"{path} does not fit encoder {classifier.pretrained_cfg['architecture']!r}: {fit}")
    if fit.foreign:
        _log.warning(
            "%s: %d tensors that no encoder has are left out (%s)", path, len(fit.foreign), _first(fit.foreign)
        )
    trunk.load_state_dict(fit.state, strict=False)


def fit_weights(stored: Mapping[str, Tensor], trunk: nn.Module, *, classifier: Any, channels: int) -> Fit:
    """Find a tensor for each of a feature encoder's.

    Args:
        stored: tensors by name.
        trunk: timm's feature encoder; may be cut short.
        classifier: the same encoder as a classifier, on the meta device.
        channels: of the image.
    """
    whole = classifier.state_dict()
    known = known_names(whole)
    wanted = {plain_name(name, known): (name, room) for name, room in trunk.state_dict().items()}
    given = {plain_name(name, known): tensor for name, tensor in stored.items()}
    for name in _first_convolutions(classifier):
        if name in given and name in wanted:
            given[name] = _adapt(given[name], wanted[name][1], channels)
    roots = {name.partition(".")[0] for name in wanted}
    beyond = [name for name in given if name not in whole]
    return Fit(
        state={name: given[plain] for plain, (name, room) in wanted.items() if _fits(given.get(plain), room)},
        wanted=len(wanted),
        stored=len(stored),
        # states older than PyTorch 0.4.1 do not count batches, and nothing reads the count
        missing=[name for name in wanted if name not in given and not name.endswith("num_batches_tracked")],
        misshapen=[
            f"{name}: {tuple(given[name].shape)} in the file, {tuple(room.shape)} in the encoder"
            for name, (_, room) in wanted.items()
            if name in given and not _fits(given[name], room)
        ],
        left_over=[name for name in beyond if name.partition(".")[0] in roots],
        foreign=[name for name in beyond if name.partition(".")[0] not in roots],
    )


def _fits(tensor: Tensor | None, room: Tensor) -> bool:
    return tensor is not None and tensor.shape == room.shape


def _first_convolutions(classifier: Any) -> list[str]:
    named = classifier.pretrained_cfg.get("first_conv") or ()
    return [f"{name}.weight" for name in ((named,) if isinstance(named, str) else named)]


def _adapt(weight: Tensor, room: Tensor, channels: int) -> Tensor:
    """A first convolution for the channels of the image; one that rearranges its input stays as it is."""
    plain = weight.ndim == 4 and room.ndim == 4 and room.shape[1] == channels
    return adapt_first(weight, channels) if plain else weight


def _convert(stored: dict[str, Tensor], classifier: Any) -> dict[str, Tensor]:
    """The tensors as timm converts those of its origins; nothing if it cannot."""
    known = known_names(classifier.state_dict())
    bare = {plain_name(name, known): tensor for name, tensor in stored.items()}
    convert = getattr(sys.modules[type(classifier).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return {}
    try:
        converted = convert(bare, classifier)
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return {}  # made for files of one origin, it stumbles over others
    return {name: tensor for name, tensor in converted.items() if isinstance(tensor, torch.Tensor)}


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")
