"""What timm knows of an encoder: its feature levels, its plan as a classifier, and what either calls a tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import timm
import torch

WRAPPINGS = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.", "trunk.", "body.")
"""Prefixes of names that say where an encoder was kept, not what it is."""


def create_plan(name: str, *, features: bool, **options: Any) -> Any:
    """An encoder of timm without weights, on the meta device: shapes and names alone.

    Args:
        name: in timm.
        features: as feature encoder, or else as the classifier that timm's weights are stored for.
        options: of `timm.create_model`.

    Raises:
        ValueError: if timm has no such encoder, or it gives no features.
    """
    if ":" in name:
        raise ValueError(f"encoder {name!r} lies outside timm; take timm's own name, and encoder_weights for a file")
    if features:
        options["features_only"] = True  # False would be an option that few classifiers know
    try:
        with torch.device("meta"):
            return timm.create_model(name, pretrained=False, **options)
    except RuntimeError as error:
        raise ValueError(f"timm has no feature encoder {name!r}: {error}") from error


def feature_levels(name: str) -> list[tuple[int, int]]:
    """Channels and stride of each feature level of a timm encoder, finest first.

    Raises:
        ValueError: if timm has no such encoder, or it gives no maps.
    """
    trunk = create_plan(name, features=True)
    if layout(trunk) not in ("NCHW", "NHWC"):
        raise ValueError(f"encoder {name!r} gives {layout(trunk)}, not maps; choose one that gives NCHW or NHWC")
    return [(level["num_chs"], level["reduction"]) for level in trunk.feature_info.info]


def layout(trunk: Any) -> str:
    """Order of the dimensions of a feature encoder's maps, such as "NCHW"."""
    found = getattr(trunk, "output_fmt", "NCHW")
    return str(getattr(found, "value", found))


def known_names(classifier: Iterable[str]) -> dict[str, str]:
    """Names of a classifier's tensors by the form that they share with those of its feature encoder.

    timm's feature encoders hold the modules of `stages` as `stages_0`, `stages_1`, ..., or all of them under `model`.
    """
    return {_flat(name): name for name in classifier}


def plain_name(name: str, known: Mapping[str, str]) -> str:
    """What the classifier calls a tensor of its feature encoder, or of a file; without wrappings if it has none such.

    Args:
        name: such as "stages_0.blocks.0.norm.weight" or "module.backbone.stages.0.blocks.0.norm.weight".
        known: of `known_names`.
    """
    while _flat(name) not in known:
        wrapping = next((each for each in WRAPPINGS if name.startswith(each)), None)
        if wrapping is None:
            return name
        name = name.removeprefix(wrapping)
    return known[_flat(name)]


def _flat(name: str) -> str:
    return name.replace(".", "_")
