"""A list of a user's own that says which optical and which SAR raster are mapped together.

As CSV, with a header, commas or semicolons between the cells, in UTF-8:

    optical,sar,name
    2021/north.tif,s1/north.tif,north-2021
    2021/south.tif,,

Columns may stand in any order; there must be optical or sar. An empty cell says that there is none, an empty name that
the outputs are called like the raster.

As GeoJSON, a FeatureCollection whose features have these as properties. Their geometry is not looked at.
"""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rsfuse.errors import SceneError, did_you_mean
from rsfuse.raster.pairs import Pair, unique_names

_log = logging.getLogger(__name__)

_SENSORS = ("optical", "sar")
_COLUMNS = (*_SENSORS, "name")
_GEOJSON = frozenset({".geojson", ".json"})
_HINT = f"write these columns: {','.join(_COLUMNS)}"


@dataclass(frozen=True)
class _Row:
    """One row as it stands in a list.

    Args:
        told: where, in words.
        cells: column to text; of the known columns only.
    """

    told: str
    cells: Mapping[str, str]


def holds_pairs(path: Path) -> bool:
    """Whether a file is a list of pairs, by the ending of its name: .csv, .geojson or .json."""
    return path.suffix.lower() in {".csv", *_GEOJSON}


def pairs_in_list(path: Path) -> list[Pair]:
    """The pairs of a list, in its order, named as it says or as `unique_names` does; no raster is opened.

    Args:
        path: of the list; paths in it are absolute, or relative to its folder.

    Raises:
        SceneError: if the list cannot be read, has other columns, names no raster or one that is not there, or gives
            two pairs one name.
    """
    rows = _features(path) if path.suffix.lower() in _GEOJSON else _lines(path)
    if not rows:
        raise SceneError(f"{path} lists no scene", hint="write a row for each scene")
    found = [{sensor: _path(path, row, sensor) for sensor in _SENSORS} for row in rows]
    lost = [
        f"{row.told}, {sensor}: {file} does not exist"
        for row, files in zip(rows, found, strict=True)
        for sensor, file in files.items()
        if file is not None and not file.exists()
    ]
    if lost:
        more = f" (the first of {len(lost)})" if len(lost) > 1 else ""
        raise SceneError(f"{lost[0]}{more}", hint=f"correct the path; it may be relative to {path.parent}")
    leading = [_leading(row, files) for row, files in zip(rows, found, strict=True)]
    names = unique_names(leading, given=[_name(row) for row in rows], told=[row.told for row in rows])
    return [Pair(files["optical"], files["sar"], math.nan, name) for files, name in zip(found, names, strict=True)]


def _path(listed: Path, row: _Row, sensor: str) -> Path | None:
    """A raster of a row."""
    text = row.cells.get(sensor, "")
    return listed.parent / text if text else None


def _leading(row: _Row, files: Mapping[str, Path | None]) -> Path:
    """The raster that lends its name."""
    path = files["optical"] or files["sar"]
    if path is None:
        raise SceneError(f"{row.told} names neither an optical nor a SAR raster", hint=_HINT)
    return path


def _name(row: _Row) -> str:
    """What the user calls the outputs of a row, "" where they do not say."""
    name = row.cells.get("name", "")
    if name and (name in {".", ".."} or "/" in name or "\0" in name):
        raise SceneError(
            f"{row.told}: {name!r} cannot name a file",
            hint="leave folders out: all outputs lie in one",
        )
    return name


def _lines(path: Path) -> list[_Row]:
    """The rows of a CSV; those without text are not counted."""
    text = _text(path)
    header = text.lstrip().partition("\n")[0]
    reader = csv.reader(
        StringIO(text),
        delimiter=";" if header.count(";") > header.count(",") else ",",
        skipinitialspace=True,
        strict=True,
    )
    try:
        numbered = [(reader.line_num, _stripped(cells)) for cells in reader]
    except csv.Error as error:
        raise SceneError(f"{path}, line {reader.line_num}: {error}", hint="mend its quotes") from error
    (number, first), *rest = [(number, cells) for number, cells in numbered if cells] or [(1, [])]
    columns = _columns(f"{path}, line {number}", first)
    for number, cells in rest:
        if len(cells) > len(columns):
            raise SceneError(
                f"{path}, line {number}, has {len(cells)} cells, the header {len(columns)}: {', '.join(columns)}",
                hint='put paths that hold a comma or semicolon into quotes: "a, b.tif"',
            )
    return [_Row(f"{path}, line {number}", dict(zip(columns, cells, strict=False))) for number, cells in rest]


def _stripped(cells: list[str]) -> list[str]:
    """Cells without space around them, and without empty ones at the end, which spreadsheets like to add."""
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _columns(told: str, header: list[str]) -> list[str]:
    """The names in a header."""
    columns = [name.lower() for name in header]
    for at, (name, column) in enumerate(zip(header, columns, strict=True)):
        if column not in _COLUMNS:
            raise SceneError(f"{told}: there is no column {name!r}", hint=_with_nearest(column))
        if column in columns[:at]:
            raise SceneError(f"{told}: there are two columns {name!r}", hint=_HINT)
    if not set(_SENSORS) & set(columns):
        raise SceneError(f"{told}: there is neither a column 'optical' nor 'sar'", hint=_HINT)
    return columns


def _with_nearest(*unknown: str) -> str:
    """A hint that names what may have been meant."""
    meant = next(filter(None, (did_you_mean(each, _COLUMNS) for each in unknown)), "")
    return f"{meant} {_HINT}".lstrip()


def _features(path: Path) -> list[_Row]:
    """The features of a GeoJSON as rows, counted from 1."""
    try:
        document = json.loads(_text(path))
    except ValueError as error:
        raise SceneError(f"{path} is no JSON: {error}", hint="write a GeoJSON FeatureCollection, or a CSV") from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise SceneError(f"{path} is not a GeoJSON FeatureCollection", hint="write one, or a CSV")
    other: dict[str, None] = {}
    rows = [_feature(f"{path}, feature {number}", feature, other) for number, feature in enumerate(features, 1)]
    if other:
        meant = " ".join(filter(None, [did_you_mean(each, _COLUMNS) for each in other]))
        _log.warning("%s: properties that are not looked at: %s %s", path, ", ".join(other), meant and f"({meant})")
    return rows


def _feature(told: str, feature: Any, other: dict[str, None]) -> _Row:
    """The row of a feature; names of properties that say nothing here are added to the others."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise SceneError(f"{told}, has no properties", hint=_HINT)
    known = {key.strip().lower(): value for key, value in properties.items()}
    unknown = [key for key in known if key not in _COLUMNS]
    if not set(_SENSORS) & set(known):
        there = ", ".join(map(repr, unknown)) or "none"
        raise SceneError(f"{told}: no property 'optical' nor 'sar'; there are {there}", hint=_with_nearest(*unknown))
    other.update(dict.fromkeys(unknown))
    for column in _COLUMNS:
        if not isinstance(known.get(column), str | None):
            raise SceneError(f"{told}: {column} is {known[column]!r}, not text", hint="write it in quotes, or null")
    return _Row(told, {column: (known.get(column) or "").strip() for column in _COLUMNS})


def _text(path: Path) -> str:
    if not path.exists():
        raise SceneError(f"{path} does not exist", hint="check the path")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"{path} cannot be read as text: {error}", hint="check it, or save it as UTF-8") from error
