"""The manifest of a tile set: what was cut from which scene, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rsfuse.errors import LegendMismatchError, TileSetError
from rsfuse.legend import Legend
from rsfuse.raster.statistics import SceneStatistics

TILES = "tiles.json"
"""Name of the manifest in its folder."""

VERSION = 1
Split = Literal["train", "val", "test"]
LAYERS = ("optical", "sar", "labels")
"""Folders of a tile set."""


class _Model(BaseModel):
    # a GSD that nobody knows is NaN, for which JSON has no number
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Source(_Model):
    """Names of the files that a tile set was cut from, without their folders."""

    optical: str
    sar: str | None
    labels: str | None


class TileEntry(_Model):
    """One tile.

    Args:
        name: of its files, without the ending.
        split: what it may be used for.
        window: first column, first row, width, height in the scene's pixels.
        valid: share of its pixels, 0 to 1, where every sensor has data.
        classes: code of each class in it, and how many pixels with data have it.
    """

    name: str
    split: Split
    window: tuple[int, int, int, int]
    valid: float
    classes: dict[int, int]


class Manifest(_Model):
    """All there is to know about a tile set.

    Args:
        version: of this format.
        software: what wrote it.
        source: the scene's files.
        size: side of a tile in pixels.
        gsd_m: ground sample distance in metres, NaN where nobody knows.
        crs: coordinate reference system of the scene as text, or None.
        statistics: of the whole scene, not only of the tiles.
        legend: as `Legend.to_dict` gives it.
        split: one sentence on how the splits were made.
        tiles: every tile.
    """

    version: Literal[1] = 1
    software: str
    source: Source
    size: int
    gsd_m: float
    crs: str | None
    statistics: SceneStatistics
    legend: dict[str, Any]
    split: str
    tiles: tuple[TileEntry, ...]

    @field_validator("legend")
    @classmethod
    def _is_legend(cls, legend: dict[str, Any]) -> dict[str, Any]:
        try:
            Legend.from_dict(legend)
        except LegendMismatchError as error:
            raise ValueError(str(error)) from error
        return legend

    @property
    def layers(self) -> tuple[str, ...]:
        """Which of the folders it has."""
        source = self.source
        return tuple(name for name in LAYERS if getattr(source, name) is not None)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a tile set.

    Raises:
        TileSetError: if there is none, it is damaged, or of a version that this rsfuse does not read.
    """
    path = folder / TILES
    if not path.is_file():
        raise TileSetError(f"{folder} is not a tile set: it has no {TILES}", hint="cut tiles first: rsfuse tile")
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        hint = "cut the tiles again: rsfuse tile --overwrite"
        if where == "version":
            raise TileSetError(
                f"{path} is of version {first['input']}, this rsfuse reads version {VERSION}", hint=hint
            ) from error
        raise TileSetError(f"{path}: {where}: {first['msg']}", hint=hint) from error
