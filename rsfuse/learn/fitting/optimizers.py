"""Optimizer and schedule of a recipe, with a learning rate for each stage of an encoder."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.lr_scheduler import LambdaLR

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.recipes.training import Optimizer, Schedule
from rsfuse_models.layers.encoders import Encoder


def create_optimizer(recipe: Optimizer, network: nn.Module) -> TorchOptimizer:
    """The optimizer of a recipe over all weights that learn."""
    groups = parameter_groups(recipe, network)
    if recipe.name == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=recipe.lr, betas=recipe.betas)


def parameter_groups(recipe: Optimizer, network: nn.Module) -> list[dict[str, Any]]:
    """Weights that share learning rate and weight decay, a group each."""
    encoders = {name: module for name, module in network.named_modules() if isinstance(module, Encoder)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            decay = recipe.weight_decay if recipe.decay_norms or weight.ndim > 1 else 0.0
            groups[recipe.lr * _factor(recipe, name, encoders), decay].append(weight)
    return [{"params": weights, "lr": lr, "weight_decay": decay} for (lr, decay), weights in groups.items()]


def _factor(recipe: Optimizer, name: str, encoders: dict[str, Encoder]) -> float:
    for place, encoder in encoders.items():
        if name.startswith(f"{place}."):
            below_top = encoder.depth - encoder.stage_of(name.removeprefix(f"{place}."))
            return recipe.encoder_lr * recipe.layer_decay**below_top
    return recipe.encoder_lr if "encoder" in name else 1.0


def create_schedule(recipe: Schedule, optimizer: TorchOptimizer, length: Length) -> LambdaLR:
    """The schedule of a recipe, to be moved on once a step.

    Groups keep the ratios of their learning rates; `lowest` is that of the group with the highest.
    """
    top = max(group["lr"] for group in optimizer.param_groups)
    return LambdaLR(optimizer, partial(rate, recipe, length=length, lowest=recipe.lowest / top))


def rate(recipe: Schedule, step: int, *, length: Length, lowest: float) -> float:
    """Share of the learning rate at a step, from 0: warm-up, then the schedule over what is left."""
    if step < recipe.warmup:
        return recipe.warmup_from + (1 - recipe.warmup_from) * step / recipe.warmup
    if recipe.name == "constant":
        return 1.0
    if recipe.name == "multistep":
        return recipe.gamma ** sum(step >= milestone * length.unit for milestone in recipe.milestones)
    gone = min((step - recipe.warmup) / max(length.steps - recipe.warmup, 1), 1.0)
    share = (1 + math.cos(math.pi * gone)) / 2 if recipe.name == "cosine" else (1 - gone) ** recipe.power
    return lowest + (1 - lowest) * share
