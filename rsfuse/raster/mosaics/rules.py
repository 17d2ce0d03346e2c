"""The rules by which a mosaic can be made, and what each needs of its rasters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsfuse.errors import SceneError
from rsfuse.geometry.overlaps import Feathered, First, Heaviest, Majority, Rule
from rsfuse.raster.map_layer import beside
from rsfuse.raster.mosaics.source import Source

Name = Literal["first", "last", "majority", "confidence", "edge", "feather"]


@dataclass(frozen=True)
class Way:
    """How a rule is followed.

    Args:
        rule: what is done where several rasters have data.
        weight: what tells how much each has to say: the confidence of a map, or how deep a pixel lies in its data.
        backwards: whether the raster given last comes first.
    """

    rule: type[Rule]
    weight: Literal["confidence", "depth"] | None = None
    backwards: bool = False


WAYS: dict[Name, Way] = {
    "first": Way(First),
    "last": Way(First, backwards=True),
    "majority": Way(Majority),
    "confidence": Way(Heaviest, "confidence"),
    "edge": Way(Heaviest, "depth"),
    "feather": Way(Feathered, "depth"),
}

_LAYERS: dict[Name, str] = {"confidence": "confidence", "feather": "probabilities"}
"""What must lie beside every map."""


def choose_rule(sources: Sequence[Source], asked: Name | None, *, are_maps: bool) -> Name:
    """The rule that was asked for, or the one that suits the rasters best.

    Maps go by confidence if each has it beside it, else by distance to the edge; images are feathered.

    Raises:
        SceneError: if the rasters cannot be mosaicked by the rule that was asked for.
    """
    if asked is None:
        if not are_maps:
            return "feather"
        return "edge" if _without(sources, "confidence") else "confidence"
    if are_maps and asked in _LAYERS:
        missing = _without(sources, _LAYERS[asked])
        if missing:
            raise SceneError(
                f"{len(missing)} of {len(sources)} maps have no layer of {_LAYERS[asked]} beside them; "
                f"there is no {missing[0]}",
                hint=f"predict them with --{_LAYERS[asked]}, or choose another --rule, such as edge",
            )
    if not are_maps and asked in ("majority", "confidence"):
        raise SceneError(
            f"{sources[0].path} has no legend: it is taken for an image, and images have no {asked}",
            hint="if it is a map, name its legend: --legend whu-opt-sar; if not, choose --rule feather, edge or first",
        )
    return asked


def _without(sources: Sequence[Source], what: str) -> list[Path]:
    paths = [beside(source.path, what) for source in sources]
    return [path for path in paths if not path.is_file()]
