"""Recipes: how a network is trained, as data.

A recipe holds no paths, devices or worker counts. What may stand in it is what these classes name, and for the
network what its constructor names: everything else is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model, model_validator

from rsfuse.errors import RecipeError, did_you_mean
from rsfuse.learn.recipes.augmentation import Augmentation, SharpeningAugmentation
from rsfuse.learn.recipes.inputs import Inputs, MomentScaling, SettledInputs, SharpeningInputs
from rsfuse.learn.recipes.loss import Loss
from rsfuse.learn.recipes.training import Optimizer, Schedule, Training
from rsfuse.strict import Strict

FROM_DATA = ("optical_channels", "sar_channels", "num_classes", "bands")
"""Constructor arguments of a network that the tiles decide, not the recipe."""


class _Recipe(Strict):
    description: str
    network: dict[str, Any]
    """`name`, and any argument of that network's constructor but those that the tiles decide."""
    training: Training
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    storage: Literal["float32", "float16"] = "float32"
    """Precision of the weights in the bundle."""


class Recipe(_Recipe):
    """How a network that maps land cover is trained."""

    inputs: Inputs
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()

    @model_validator(mode="after")
    def _agree(self) -> Recipe:
        if self.augmentation.anchor and isinstance(self.inputs.scaling, MomentScaling):
            raise ValueError(
                f"augmentation.anchor {self.augmentation.anchor:g} moves percentiles, but inputs.scaling is by moments"
            )
        return self


class SharpeningRecipe(_Recipe):
    """How a network that sharpens is trained: to the mean absolute difference from the reference."""

    inputs: SharpeningInputs = SharpeningInputs()
    augmentation: SharpeningAugmentation = SharpeningAugmentation()

    def settled(self, bands: tuple[str, ...], maximum: int) -> SettledRecipe:
        """The recipe for patches of some bands, whose largest digital number is the maximum."""
        inputs = SettledInputs(ms=self.inputs.ms or bands, divisor=self.inputs.divisor or maximum)
        return SettledRecipe.model_validate(dict(self) | {"inputs": inputs})


class SettledRecipe(SharpeningRecipe):
    """The same with nothing left to the patches."""

    inputs: SettledInputs


AnyRecipe = Recipe | SharpeningRecipe


def network_options(name: str) -> type[BaseModel]:
    """The options of a network as a pydantic model, made from its constructor's signature.

    Raises:
        RecipeError: if no network has that name, or it is empty.
    """
    parameters = inspect.signature(_constructor(name), eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        each.name: (each.annotation, ... if each.default is each.empty else each.default)
        for each in parameters
        if each.name not in FROM_DATA
    }
    return create_model(f"{name}_options", __config__=ConfigDict(extra="forbid"), **fields)


def sharpens(name: str) -> bool:
    """Whether a network of that name sharpens."""
    from rsfuse_models import sharpener_names

    return name in sharpener_names()


def _constructor(name: str) -> Callable[..., Any]:
    from rsfuse_models import network_class, network_names, sharpener_class, sharpener_names

    if name in network_names():
        return network_class(name)
    if name in sharpener_names():
        return sharpener_class(name)
    names = (*network_names(), *sharpener_names())
    if not name:
        raise RecipeError("the recipe's network has no name", hint=f"--set network.name to one of: {', '.join(names)}")
    hint = f"{did_you_mean(name, names)} choose one of: {', '.join(names)}".lstrip()
    raise RecipeError(f"no network is called {name!r}", hint=hint)
