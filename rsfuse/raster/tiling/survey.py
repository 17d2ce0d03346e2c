"""Survey: what the pixels of scenes are like, looked at side by side before tiles are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsfuse.errors import LegendMismatchError
from rsfuse.raster.drawn.polygon_labels import PolygonLabels
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.raster.tiling.cutting import Unit
from rsfuse.raster.tiling.inspection import SceneFacts, with_units


@dataclass(frozen=True)
class Unknown:
    """Values in label files that nobody can translate.

    Args:
        values: of each file and scene, each value, and how many there are.
        unit: of what: pixels, or polygons.
    """

    values: dict[tuple[Path, str], dict[str, int]] = field(default_factory=dict)
    unit: str = "px"


def scene_statistics(scene: tuple[SceneSource, SceneFacts]) -> SceneStatistics:
    """Statistics of the bands over a scene as a whole, from a sample of it, as in prediction.

    Raises:
        SceneError: if it has no data, or a file is damaged.
    """
    source, facts = scene
    with source.open() as opened:
        return with_units(opened.scene.statistics(), facts.bands, facts.units)


def unknown_labels(unit: Unit) -> Unknown:
    """What the labels of a unit's tiles hold that their coding does not know."""
    values: dict[tuple[Path, str], dict[str, int]] = {}
    what = "px"
    for piece in unit.pieces:
        with piece.source.open() as scene:
            if scene.labels is None:
                continue
            where = scene.labels.path, piece.source.files.name
            if isinstance(scene.labels, PolygonLabels):
                what = "polygons"
                values[where] = scene.labels.unknown_polygons  # of the whole scene: no sum over its pieces
            else:
                _, unknown = scene.labels.look(piece.window)
                values[where] = dict(Counter(values.get(where, {})) + Counter(unknown))
    return Unknown({where: found for where, found in values.items() if found}, what)


def check_labels(found: Sequence[Unknown]) -> None:
    """Refuse labels that nobody can translate.

    Raises:
        LegendMismatchError: with every unknown value, how many there are, and the first file that has one.
    """
    places: dict[tuple[Path, str], Counter[str]] = {}
    for each in found:
        for where, values in each.values.items():
            before = places.get(where, Counter()) if each.unit == "px" else Counter[str]()
            places[where] = before + Counter(values)
    if not places:
        return
    total: Counter[str] = sum(places.values(), Counter())
    files = list(dict.fromkeys(path for path, _ in places))
    unit = next(each.unit for each in found if each.values)
    told = ", ".join(f"{value} ({count} {unit})" for value, count in total.most_common())
    first = f"{files[0]}, the first of {len(files)} such file(s)" if len(files) > 1 else str(files[0])
    raise LegendMismatchError(
        f"labels hold values that the legend does not know: {told}; see {first}",
        hint="say what they mean in a legend: --legend legend.yaml, with from: [...] or unlabelled: [...] for each",
    )
