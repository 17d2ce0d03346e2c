"""Which stage of an encoder a parameter belongs to, for learning rates that fall from stage to stage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from timm.models import group_parameters
from torch import nn

from rsfuse_models.layers.trunks import create_plan, known_names, plain_name

_MATCHER = {"stem": r"^stem|^patch_embed", "blocks": r"^(?:\w+_)?stages\.(\d+)"}
"""For the few encoders of timm that do not tell their stages themselves."""
_UNMATCHED = "of_no_stage"


def parameter_stages(name: str, parameters: Iterable[str]) -> dict[str, int]:
    """Stage of each parameter of a feature encoder: 0 for the stem, k + 1 for stage k, as timm counts them.

    Layers that halve the map between two stages belong to the later one; what stands behind the last stage, to it.

    Args:
        name: in timm.
        parameters: their names in the feature encoder.
    """
    classifier = create_plan(name, features=False)
    # What a matcher does not match becomes one last group; this tells which.
    classifier.register_parameter(_UNMATCHED, nn.Parameter(torch.empty(0, device="meta")))
    stages: dict[str, int] = group_parameters(classifier, _matcher(classifier), reverse=True)
    known = known_names(stages)
    behind = stages.pop(_UNMATCHED)
    return {each: min(stages[plain_name(each, known)], behind - 1) for each in parameters}


def level_stages(info: list[dict[str, Any]], stages: dict[str, int]) -> list[int]:
    """Stage that each feature level ends.

    Args:
        info: timm's `feature_info.info`, up to the last level in use.
        stages: of the parameters of the feature encoder, cut behind that level.
    """
    depth = max(stages.values())
    # A level may end in an activation, or be called by a name that no module has; levels and stages end together.
    return [
        max(_below(level["module"], stages), default=max(depth - (len(info) - 1 - index), 0))
        for index, level in enumerate(info)
    ]


def _below(module: str, stages: dict[str, int]) -> list[int]:
    """Stages of the parameters of a module, told by its name in the classifier."""
    flat = module.replace(".", "_") + "_"
    return [stage for name, stage in stages.items() if name.replace(".", "_").removeprefix("model_").startswith(flat)]


def _matcher(classifier: Any) -> Any:
    try:
        return classifier.group_matcher(coarse=True)
    except (AttributeError, AssertionError):  # some have none, some none that is coarse
        return _MATCHER
