"""How recipes are found, read and checked; a key that is not there is told with the nearest that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rsfuse.errors import RecipeError, did_you_mean
from rsfuse.learn.recipes.recipe import AnyRecipe, Recipe, SharpeningRecipe, network_options, sharpens
from rsfuse.shipped import recipes_folder
from rsfuse.strict import checked, read_mapping


def load_recipe(recipe: str | Path, settings: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe that ships (by name) or a YAML file, with `key=value` settings laid over it.

    Args:
        recipe: name as `rsfuse recipes` lists it, or path of a YAML file.
        settings: each like "training.steps=200"; the value is read as YAML.

    Raises:
        RecipeError: if there is no such recipe, it is not YAML, or a key or value in it cannot be.
    """
    path, data = _found(recipe)
    for setting in settings:
        _lay_over(data, setting)
    if isinstance(data.get("network"), dict):  # first: its name says which sections there are
        _check_network(data["network"])
    return _validate(data, str(path))


def read_recipe(recipe: str | Path) -> AnyRecipe:
    """The same for people who look at it: options of its network, which torch has to load for, are not checked.

    Raises:
        RecipeError: as `load_recipe`.
    """
    path, data = _found(recipe)
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
    meant = did_you_mean(str(recipe), recipe_names())
    hint = f"{meant} `rsfuse recipes` lists ours; or name a .yaml file".lstrip()
    raise RecipeError(f"there is no recipe {str(recipe)!r}", hint=hint)


def recipe_names() -> list[str]:
    """Names of the recipes that ship."""
    return sorted(path.stem for path in recipes_folder().glob("*.yaml"))


def read_recipe_text(recipe: str) -> str:
    """A recipe as it is written, comments and all.

    Raises:
        RecipeError: if there is none.
    """
    return find_recipe(recipe).read_text(encoding="utf-8").rstrip()


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


def _found(recipe: str | Path) -> tuple[Path, dict[str, Any]]:
    path = find_recipe(recipe)
    return path, read_mapping(path, RecipeError, "mend the file, or start from one of `rsfuse recipes`")


def _check_network(network: Mapping[str, Any]) -> None:
    options, name = {key: value for key, value in network.items() if key != "name"}, _name(network)
    hint = "mend that option; `rsfuse recipes NAME` prints a recipe of ours"
    checked(network_options(name), options, f"network {name!r}", kind=RecipeError, hint=hint)


def _validate(data: Mapping[str, Any], where: str) -> AnyRecipe:
    schema: type[AnyRecipe] = SharpeningRecipe if sharpens(_name(data.get("network"))) else Recipe
    hint = "mend that key; `rsfuse recipes NAME` prints one of ours"
    return checked(schema, data, where, kind=RecipeError, hint=hint)


def _name(network: Any) -> str:
    return str(network.get("name") or "") if isinstance(network, dict) else ""
