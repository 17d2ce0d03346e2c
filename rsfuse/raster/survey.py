"""Survey: what the pixels of scenes are like, looked at side by side before tiles are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rsfuse.errors import LegendMismatchError
from rsfuse.raster.cutting import Unit
from rsfuse.raster.inspection import SceneFacts, with_units
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.polygon_labels import PolygonLabels
from rsfuse.raster.statistics import SceneStatistics


@dataclass(frozen=True)
class Unknown:
    """Values in label files that nobody can translate.

    Args:
        values: of each file, each value, and how many there are.
        unit: of what: pixels, or polygons.
    """

    values: dict[Path, dict[str, int]] = field(default_factory=dict)
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
    values: dict[Path, dict[str, int]] = {}
    what = "px"
    for piece in unit.pieces:
        with piece.source.open() as scene:
            if scene.labels is None:
                continue
            if isinstance(scene.labels, PolygonLabels):
                what, unknown = "polygons", scene.labels.unknown_polygons
                values[scene.labels.path] = unknown  # of the whole scene: no sum over its pieces
                continue
            _, unknown = scene.labels.look(piece.window)
            if unknown:
                values[scene.labels.path] = dict(Counter(values.get(scene.labels.path, {})) + Counter(unknown))
    return Unknown({path: found for path, found in values.items() if found}, what)


def check_labels(found: Sequence[Unknown]) -> None:
    """Refuse labels that nobody can translate.

    Raises:
        LegendMismatchError: with every unknown value, how many there are, and the first file that has one.
    """
    files: dict[Path, Counter[str]] = {}
    for each in found:
        for path, values in each.values.items():
            if each.unit == "px":
                files[path] = files.get(path, Counter()) + Counter(values)
            else:
                files[path] = Counter(values)
    if not files:
        return
    total: Counter[str] = sum(files.values(), Counter())
    unit = next(each.unit for each in found if each.values)
    told = ", ".join(f"{value} ({count} {unit})" for value, count in total.most_common())
    first = f"{next(iter(files))}, the first of {len(files)} such file(s)"
    raise LegendMismatchError(
        f"labels hold values that the legend does not know: {told}; see {first}",
        hint="say what they mean in a legend: --legend legend.yaml, with from: [...] or unlabelled: [...] for each",
    )
