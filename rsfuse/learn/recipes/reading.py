"""How recipes are found, read and checked; a key that is not there is told with the nearest that is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rsfuse.errors import RecipeError
from rsfuse.learn.recipes.recipe import AnyRecipe, Recipe, SharpeningRecipe, network_options, sharpens
from rsfuse.shipped import recipes_folder


def load_recipe(recipe: str | Path, settings: Sequence[str] = ()) -> AnyRecipe:
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
    nearest = difflib.get_close_matches(str(recipe), recipe_names(), 1, 0.5)
    meant = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise RecipeError(
        f"there is no recipe {str(recipe)!r}", hint=f"{meant}`rsfuse recipes` lists ours; or name a .yaml file"
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


def _validate(data: Mapping[str, Any], where: str) -> AnyRecipe:
    network = data.get("network")
    options = dict(network) if isinstance(network, dict) else {}
    name = str(options.pop("name", None) or "")
    if isinstance(network, dict):
        _validate_network(name, options)  # first: its name says which sections there are
    schema = SharpeningRecipe if sharpens(name) else Recipe
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise RecipeError(
            f"{where}: {describe(error, schema)}", hint="mend that key; `rsfuse recipes NAME` prints one of ours"
        ) from error


def _validate_network(name: str, options: Mapping[str, Any]) -> None:
    known = network_options(name)
    try:
        known.model_validate(options)
    except ValidationError as error:
        raise RecipeError(
            f"network {name!r}: {describe(error, known)}",
            hint="mend that option; `rsfuse recipes NAME` prints a recipe of ours",
        ) from error


def describe(error: ValidationError, schema: type[BaseModel]) -> str:
    """What pydantic found wrong, one clause for each key; a key that is not there with the nearest that is."""
    return "; ".join(_clause(each, schema) for each in error.errors())


def _clause(error: ErrorDetails, schema: type[BaseModel]) -> str:
    place, _ = _follow(schema, error["loc"])
    key = ".".join(place) or "top"
    if error["type"] == "extra_forbidden":
        _, sections = _follow(schema, error["loc"][:-1])
        names = sorted(name for section in sections for name in section.model_fields)
        return f"{key}: no such key; {_nearest(place[-1], names)}"
    if error["type"] == "union_tag_invalid":
        tag, tags = str(error["ctx"]["tag"]), re.findall(r"'(.+?)'", error["ctx"]["expected_tags"])
        return f"{key}.{error['ctx']['discriminator'].strip(chr(39))}: there is no {tag!r}; {_nearest(tag, tags)}"
    return f"{key}: {error['msg']} (given {error['input']!r:.60})"


def _nearest(given: str, names: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(given, names, 1, 0.5)
    return f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names)}"


def _follow(schema: type[BaseModel], place: Sequence[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """Keys of a place, without the labels that pydantic puts behind a choice, and the sections that lie there."""
    keys: list[str] = []
    sections, choice = [schema], False
    for step in map(str, place):
        if choice:
            sections, choice = [each for each in sections if step in _tags(each)], False
            continue
        if step != "[key]":
            keys.append(step)
        members = [member for each in sections for member in _members(each, step)]
        sections = [each for each in members if isinstance(each, type) and issubclass(each, BaseModel)]
        choice = len(members) > 1
    return keys, sections


def _members(section: type[BaseModel], key: str) -> list[Any]:
    """What a key of a section may hold: several types where there is a choice, None aside."""
    if key not in section.model_fields:
        return []
    annotation = section.model_fields[key].annotation
    choice = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return [each for each in choice if each is not NoneType]


def _tags(section: type[BaseModel]) -> set[str]:
    """Words by which a section is told from others that could stand in its place."""
    return {str(word) for field in section.model_fields.values() for word in get_args(field.annotation)}
