"""Data from files, every key of which is known: a mistake is told with the file, the key and the nearest there is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from rsfuse.errors import RsfuseError, did_you_mean


class Strict(BaseModel):
    """A mapping in which every key is known, fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Model = TypeVar("_Model", bound=BaseModel)
_FEW = 8  # mistakes told at once: a table may hold one in each of a million rows


def read_mapping(path: Path, kind: type[RsfuseError], hint: str) -> dict[str, Any]:
    """What a YAML file holds.

    Args:
        path: of the file.
        kind: of the error.
        hint: what to do about a file that holds nothing of use.

    Raises:
        RsfuseError: of that kind, if it cannot be read or holds no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise kind(f"{path} cannot be read: {error}", hint=hint) from error
    if not isinstance(data, dict):
        raise kind(f"{path} holds no keys with values", hint=hint)
    return data


def checked(model: type[_Model], data: Mapping[str, Any], where: str, *, kind: type[RsfuseError], hint: str) -> _Model:
    """Plain data as a model.

    Args:
        model: what the data must be.
        data: as YAML gives it.
        where: the data stand, for the message.
        kind: of the error.
        hint: what to write instead.

    Raises:
        RsfuseError: of that kind, naming each key that is unknown, missing or has a value that cannot be.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        told = [_told(each, model) for each in error.errors()[:_FEW]]
        more = [f"and {error.error_count() - _FEW} more"] if error.error_count() > _FEW else []
        raise kind(f"{where}: {'; '.join(told + more)}", hint=hint) from error


def _told(error: ErrorDetails, model: type[BaseModel]) -> str:
    place, _ = _follow(model, error["loc"])
    key = ".".join(place) or "keys"
    match error["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            _, models = _follow(model, error["loc"][:-1])
            return f"{key}: no such key; {_nearest(place[-1], sorted(name for each in models for name in _keys(each)))}"
        case "union_tag_invalid":
            tag, tags = str(error["ctx"]["tag"]), re.findall(r"'(.+?)'", error["ctx"]["expected_tags"])
            return f"{key}.{error['ctx']['discriminator'].strip(chr(39))}: there is no {tag!r}; {_nearest(tag, tags)}"
    given = "" if isinstance(error["input"], dict) else f" (given {error['input']!r:.80})"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}{given}"


def _nearest(given: str, names: Sequence[str]) -> str:
    return did_you_mean(given, names) or f"there are {', '.join(names)}"


def _follow(model: type[BaseModel], place: Sequence[int | str]) -> tuple[list[str], list[type[BaseModel]]]:
    """Keys of a place, without the labels that pydantic puts behind a choice, and the models that lie there."""
    keys: list[str] = []
    models, choice = [model], False
    for step in map(str, place):
        if choice:
            models, choice = [each for each in models if step in _tags(each)], False
            continue
        if step == "[key]":
            continue
        keys.append(step)
        fields = [field for each in models for name, field in _keys(each).items() if name == step]
        if fields:  # otherwise an item of a list
            members = [member for field in fields for member in _members(field.annotation)]
            models, choice = [found for member in members for found in _models(member)], len(members) > 1
    return keys, models


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """Fields of a model by the keys that stand for them in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _members(annotation: Any) -> tuple[Any, ...]:
    """What a field may hold: several types where there is a choice, None aside."""
    choice = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return tuple(each for each in choice if each is not NoneType)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """A model, or the models in a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for each in get_args(annotation) for found in _models(each)]


def _tags(model: type[BaseModel]) -> set[str]:
    """Words by which a model is told from others that could stand in its place."""
    return {str(word) for field in model.model_fields.values() for word in get_args(field.annotation)}
