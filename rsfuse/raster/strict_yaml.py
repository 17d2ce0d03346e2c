"""YAML files of which every key is known: a mistake is told with the file, the key and the nearest key there is."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from rsfuse.errors import RsfuseError


class Strict(BaseModel):
    """A mapping in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


_Model = TypeVar("_Model", bound=Strict)


def read_mapping(path: Path, kind: type[RsfuseError], hint: str) -> dict[str, Any]:
    """What a YAML file holds.

    Args:
        path: of the file.
        kind: of the error.
        hint: what to write into the file.

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
        told = "; ".join(_told(each, model) for each in error.errors())
        raise kind(f"{where}: {told}", hint=hint) from error


def _told(error: ErrorDetails, model: type[BaseModel]) -> str:
    *place, last = error["loc"] or ("keys",)
    key = ".".join(map(str, (*place, last)))
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        known = _keys(model, place)
        near = get_close_matches(str(last), known, 1)
        return f"there is no key {key}, " + (f"the nearest is {near[0]}" if near else f"only {', '.join(known)}")
    given = "" if isinstance(error["input"], dict) else f" (given {error['input']!r:.80})"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}{given}"


def _keys(model: type[BaseModel], place: list[int | str]) -> list[str]:
    """Keys of the mapping that stands at a place in a model."""
    for step in place:
        inner = [_model_in(field.annotation) for name, field in model.model_fields.items() if name == step]
        model = next((found for found in inner if found is not None), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
