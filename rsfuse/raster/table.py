"""A table with a header in one JSON file: `pandas.read_json(path, orient="table")` opens the table.

The file is a Table Schema document (Frictionless Data) with one more key, which pandas passes over:

    {"schema": {"fields": [{"name": "split", "type": "string"}, ...], "pandas_version": "1.4.0"},
     "data": [one record a line],
     "rsfuse": {the header}}

NaN, for which JSON has no number, is written as null and comes back as None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsfuse.errors import TileSetError
from rsfuse.raster.disk import replace_text, writing

TYPES = ("any", "boolean", "integer", "number", "string")
"""What a field may hold; "any" is for lists and mappings."""

_PANDAS = "1.4.0"  # version of pandas' dialect of Table Schema; without it pandas does not know its own types
_HINT = "write it again: rsfuse tile --overwrite"


def write_table(
    path: Path, header: Mapping[str, Any], records: Sequence[Mapping[str, Any]], fields: Mapping[str, str]
) -> None:
    """Write a table in one go: whoever reads the path finds the old file or the new one, never a part of it.

    Args:
        path: of the JSON file; its folder exists.
        header: plain data on the table as a whole.
        records: the rows, each with exactly the keys of `fields`.
        fields: name of each column to its type, one of `TYPES`.

    Raises:
        OutputError: if the disk is full, or the folder is not there.
        ValueError: if a type is unknown, a record has other keys, or a number is infinite.
    """
    lines = "".join(_lines(header, records, fields))
    with writing(path):
        replace_text(path, lines)


def read_table(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and records of what `write_table` wrote; keys of mappings are text, sequences are lists.

    Raises:
        TileSetError: if the file is missing or damaged, or is no such table.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise TileSetError(f"{path} cannot be read: {error}", hint="check the path") from error
    except ValueError as error:
        raise TileSetError(f"{path} is damaged: {error}", hint=_HINT) from error
    parts = {"schema": dict, "data": list, "rsfuse": dict}
    for key, kind in parts.items():
        if not isinstance(document, dict) or not isinstance(document.get(key), kind):
            raise TileSetError(f"{path} is not a table of rsfuse: it has no {key!r}", hint=_HINT)
    _check_rows(path, document)
    return document["rsfuse"], document["data"]


def _check_rows(path: Path, document: dict[str, Any]) -> None:
    try:
        columns = [field["name"] for field in document["schema"]["fields"]]
    except (KeyError, TypeError) as error:
        raise TileSetError(f"{path} does not name its columns: {error!r}", hint=_HINT) from error
    for row, record in enumerate(document["data"]):
        if not isinstance(record, dict) or list(record) != columns:
            told = ", ".join(record) if isinstance(record, dict) else repr(record)
            raise TileSetError(f"{path}: row {row} has {told}; the columns are {', '.join(columns)}", hint=_HINT)


def _lines(header: Mapping[str, Any], records: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> Iterator[str]:
    """The document: one record a line, so that a comparison of two files shows which rows differ."""
    strange = {name: kind for name, kind in fields.items() if kind not in TYPES}
    if strange:
        raise ValueError(f"unknown types {strange}; a field is one of {', '.join(TYPES)}")
    schema = {"fields": [{"name": name, "type": kind} for name, kind in fields.items()], "pandas_version": _PANDAS}
    yield f'{{\n"schema": {_dump(schema)},\n"data": ['
    for row, record in enumerate(records):
        if record.keys() != fields.keys():
            raise ValueError(f"record {row} has {sorted(record)}; the fields are {sorted(fields)}")
        yield f"{',' if row else ''}\n{_dump({name: record[name] for name in fields})}"
    yield f'\n],\n"rsfuse": {_dump(header, indent=1)}\n}}\n'


def _dump(data: Any, indent: int | None = None) -> str:
    return json.dumps(_without_nan(data), allow_nan=False, ensure_ascii=False, indent=indent)


def _without_nan(data: Any) -> Any:
    if isinstance(data, float):
        return None if math.isnan(data) else data
    if isinstance(data, Mapping):
        return {key: _without_nan(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_without_nan(value) for value in data]
    return data
