"""Which labels judge which map, where folders of both are given."""

from __future__ import annotations

from pathlib import Path

from rsfuse.errors import SceneError
from rsfuse.raster.drawn.polygons import holds_polygons
from rsfuse.raster.pairs import RASTERS

_OF_MAPS = "_landcover"  # what predict adds to the name of a scene
_BESIDE = ("_confidence", "_probabilities", "_validity")
"""Layers that predict writes beside a map."""

MapPair = tuple[Path, Path]
"""A map and its labels."""


def map_pairs(maps: Path, labels: Path) -> list[MapPair]:
    """A map and its labels, or all of two folders whose files have the same names.

    A map may have "_landcover" behind the name of its labels, and layers beside it, which are left out.

    Raises:
        SceneError: if only one is a folder, or a map has no labels there, or there is no map.
    """
    if not maps.is_dir() and not labels.is_dir():
        return [(maps, labels)]
    if not (maps.is_dir() and labels.is_dir()):
        folder, file = (maps, labels) if maps.is_dir() else (labels, maps)
        raise SceneError(f"{folder} is a folder, and {file} is none", hint="give two files, or two folders")
    judges = {path.stem: path for path in sorted(labels.iterdir()) if _is_raster(path) or holds_polygons(path)}
    found, lonely = [], []
    for path in sorted(filter(_is_raster, maps.iterdir())):
        if path.stem.endswith(_BESIDE):
            continue
        judge = judges.get(path.stem) or judges.get(path.stem.removesuffix(_OF_MAPS))
        if judge is None:
            lonely.append(path)
        else:
            found.append((path, judge))
    if lonely:
        raise SceneError(
            f"{len(lonely)} of {len(lonely) + len(found)} maps in {maps} have no labels in {labels}; "
            f"the first is {lonely[0].name}",
            hint="give labels the names of their maps, with or without _landcover, or move maps without labels away",
        )
    if not found:
        raise SceneError(f"{maps} holds no map", hint=f"maps end with: {', '.join(sorted(RASTERS))}")
    return found


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in RASTERS
