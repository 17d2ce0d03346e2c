"""Recipes: how a network is trained, as data.

A recipe holds no paths, devices or worker counts. What may stand in it is what these classes name, and for the
network what its constructor names: everything else is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, create_model

from rsfuse.errors import RecipeError
from rsfuse.shipped import recipes_folder

Sensors = Literal["both", "optical", "sar"]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]

FROM_DATA = ("optical_channels", "sar_channels", "num_classes")
"""Constructor arguments of a network that the tiles decide, not the recipe."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scaling(_Section):
    """How pixel values become numbers around 0; what a network was trained with it must be run with."""

    kind: Literal["scene-percentiles", "fixed-percentiles"] = "scene-percentiles"
    """Whose percentiles: those of the scene at hand (sampled from the whole of it, once), or of the training tiles."""
    low: Literal[1, 2] = 2
    """Percentile that becomes -1."""
    high: Literal[98, 99] = 98
    """Percentile that becomes +1."""
    optical_curve: NotNegative = 0.0
    """k of log(1 + k u) / log(1 + k), which bends optical values u between the percentiles; 0 leaves them straight.
    Most of a scene is dark, and trees and grass differ by a few counts of it."""
    limit: Annotated[float, Field(ge=1)] = 2.0
    """Scaled values are clipped to plus and minus this."""


class Inputs(_Section):
    """What goes into the network."""

    optical: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the optical bands, in the order of the channels."""
    sar: tuple[str, ...] = ()
    """Names of the SAR bands, in the order of the channels; none for a network that takes optical alone."""
    sensors: Sensors = "both"
    """Which sensors the network sees; the other is zero in training and prediction alike."""
    scaling: Scaling = Scaling()


class Augmentation(_Section):
    """What is varied at random in training, jointly over optical, SAR and labels where it moves pixels."""

    flips: bool = True
    """Mirror left-right and up-down, and turn by multiples of 90 degrees."""
    zoom: NotNegative = 0.0
    """Resize by a factor between 1 / (1 + zoom) and 1 + zoom."""
    optical_gain: NotNegative = 0.0
    """Standard deviation of the logarithm of each optical band's gain."""
    optical_offset: NotNegative = 0.0
    """Standard deviation of the value added to each optical band; the scene's percentiles lie at -1 and +1."""
    optical_gamma: NotNegative = 0.0
    """Raise optical values to a power between 1 / (1 + gamma) and 1 + gamma."""
    optical_saturation: Fraction = 0.0
    """Stretch or shrink the difference of the bands from their mean by a factor within this of 1."""
    optical_detail: NotNegative = 0.0
    """Multiply what is finer than a few pixels by 1 / (1 + detail) to 1 + detail: blurred to crisp."""
    sar_gain: NotNegative = 0.0
    """As `optical_gain`, for SAR."""
    sar_offset: NotNegative = 0.0
    """As `optical_offset`, for SAR."""
    sar_gamma: NotNegative = 0.0
    """As `optical_gamma`, for SAR: from power-like to decibel-like values."""
    speckle: NotNegative = 0.0
    """Largest relative standard deviation of multiplicative gamma noise on SAR values."""
    shift_px: Annotated[int, Field(ge=0)] = 0
    """Move SAR against optical by up to this many pixels along each axis."""
    drop_optical: Fraction = 0.0
    """Share of samples without optical."""
    drop_sar: Fraction = 0.0
    """Share of samples without SAR."""
    mix: Fraction = 0.0
    """Share of samples with a rectangle from another sample in them (CutMix, arXiv 1905.04899)."""


class Loss(_Section):
    """What the network is trained to make small."""

    label_smoothing: Fraction = 0.0
    class_weights: Literal["none", "inverse-root"] = "none"
    """Weigh each class by one over the square root of its share of the training pixels (mean weight 1)."""
    auxiliary: NotNegative | dict[str, NotNegative] = 0.4
    """Weight of the cross-entropy of each auxiliary head, or of each by its name; a head left out is refused."""
    penalties: dict[str, NotNegative] = {}
    """Weight of each penalty that the network returns, by name; a penalty without a weight is refused."""


class Training(_Section):
    """How long, how fast, on what."""

    steps: PositiveInt
    validate_every: PositiveInt
    """Steps between two validations; checkpoints are written then."""
    batch: PositiveInt
    crop: PositiveInt
    """Side of a training sample in pixels; also the patch size in prediction."""
    halo: Annotated[int, Field(ge=0)]
    """Context in prediction, in pixels on each side of a patch."""
    balance: bool = False
    """Draw a scene, a class in it and a tile that shows it, so that rare classes are seen as often as common ones."""
    lr: Annotated[float, Field(gt=0)]
    encoder_lr: Annotated[float, Field(gt=0)] = 1.0
    """Factor on the learning rate of the encoders."""
    weight_decay: NotNegative = 0.05
    warmup: Annotated[int, Field(ge=0)] = 0
    """Steps of linear warm-up; then a cosine down to 0."""
    clip: NotNegative = 0.0
    """Largest norm of the gradient; 0 for no clipping."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of a moving average of the weights, which is what is validated and kept; 0 for none."""
    seed: int = 42


class Recipe(_Section):
    """How a network is trained: the network and its options, its inputs, what is varied, what is made small."""

    description: str
    network: dict[str, Any]
    """`name`, and any argument of that network's constructor but those that the tiles decide."""
    inputs: Inputs
    training: Training
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    storage: Literal["float32", "float16"] = "float32"
    """Precision of the weights in the bundle."""


def load_recipe(recipe: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe that ships (by name) or a YAML file, with `key=value` settings laid over it.

    Args:
        recipe: name as `rsfuse recipes` lists it, or path of a YAML file.
        settings: each like "training.steps=200"; the value is read as YAML.

    Raises:
        RecipeError: if there is no such recipe, it is not YAML, or a key or value in it cannot be.
    """
    path = find_recipe(recipe)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path} cannot be read: {error}", hint="mend the file; `rsfuse recipes` lists ours"
        ) from error
    if not isinstance(data, dict):
        raise RecipeError(f"{path} holds no recipe", hint="start from one of `rsfuse recipes`")
    for setting in settings:
        _lay_over(data, setting)
    return _validate(data, str(path))


def find_recipe(recipe: str | Path) -> Path:
    """Path of a recipe given by name or path.

    Raises:
        RecipeError: if there is none.
    """
    given = Path(recipe)
    if given.suffix in {".yaml", ".yml"} and given.is_file():
        return given
    shipped = recipes_folder() / f"{recipe}.yaml"
    if shipped.is_file():
        return shipped
    raise RecipeError(
        f"there is no recipe {str(recipe)!r}", hint=f"choose one of: {', '.join(recipe_names())}; or name a .yaml file"
    )


def recipe_names() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(path.stem for path in recipes_folder().glob("*.yaml"))


def read_recipe_text(recipe: str) -> str:
    """A recipe as it is written, comments and all.

    Raises:
        RecipeError: if there is none.
    """
    return find_recipe(recipe).read_text(encoding="utf-8").rstrip()


def network_options(name: str) -> type[BaseModel]:
    """The options of a network as a pydantic model, made from its constructor's signature.

    Raises:
        RecipeError: if no network has that name.
    """
    from rsfuse_models import network_class, network_names

    if name not in network_names():
        raise RecipeError(f"no network is called {name!r}", hint=f"choose one of: {', '.join(network_names())}")
    parameters = inspect.signature(network_class(name), eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        each.name: (each.annotation, ... if each.default is each.empty else each.default)
        for each in parameters
        if each.name not in FROM_DATA
    }
    return create_model(f"{name}_options", __config__=ConfigDict(extra="forbid"), **fields)


def _lay_over(data: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    *path, last = key.split(".")
    place: Any = data
    for step in path:
        place = place.setdefault(step, {}) if isinstance(place, dict) else None
    if not equals or not isinstance(place, dict):
        raise RecipeError(f"--set {setting} cannot be laid over the recipe", hint="write --set section.key=value")
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {setting}: {error}", hint="write the value as YAML, such as 0.1 or [1, 2]") from error


def _validate(data: Mapping[str, Any], where: str) -> Recipe:
    try:
        recipe = Recipe.model_validate(data)
        options = dict(recipe.network)
        network_options(options.pop("name", "")).model_validate(options)
    except ValidationError as error:
        raise RecipeError(
            f"{where}: {describe(error)}", hint="mend that key; `rsfuse recipes NAME` prints one of ours"
        ) from error
    return recipe


def describe(error: ValidationError) -> str:
    """What pydantic found wrong, one clause for each key."""
    return "; ".join(
        f"{'.'.join(str(step) for step in each['loc']) or 'top'}: {each['msg']} (given {each['input']!r:.60})"
        for each in error.errors()
    )
