"""Dataset: what a reader found under the root of a data set, before a pixel is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from rsfuse.coding import LabelCoding
from rsfuse.errors import TileSetError
from rsfuse.legend import Legend

Split = Literal["train", "val", "test"]
Edge = Literal["drop", "shift"]
"""What becomes of pixels at the right and lower edge that do not fill a tile: they are left out, or the last tile is
shifted back so that it ends with the scene (and overlaps its neighbour)."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Args:
        name: unique in its data set; names of tiles begin with it. Letters, digits, "-", "_" and "." only.
        optical: its optical raster.
        sar: its SAR raster, or None.
        labels: its label raster, or a file of polygons, or None.
        split: what the data set's own lists use it for; None where they say nothing.
        group: scenes of one group are never torn apart by a split; empty for the scene alone.
    """

    name: str
    optical: Path
    sar: Path | None = None
    labels: Path | None = None
    split: Split | None = None
    group: str = ""


@dataclass(frozen=True)
class Dataset:
    """A data set on disk.

    Args:
        name: of the data set.
        scenes: in the order of their names.
        legend: of its classes.
        coding: how its label files say them.
        optical_bands: names of the optical bands, in the order of the files.
        sar_bands: likewise; empty where there is no SAR.
        size: side of a tile where nobody chooses another, in pixels.
        edge: likewise.
        by_size: whether SAR and labels without a CRS lie on the optical raster if they have its size.
        chips: whether the scenes are small cuts of larger images, with statistics for all of them together.
        split_source: whose split `SceneFiles.split` is, in words; empty where the data set has none.
        notes: what a user should know before trusting it, a sentence each.
    """

    name: str
    scenes: tuple[SceneFiles, ...]
    legend: Legend
    coding: LabelCoding
    optical_bands: tuple[str, ...]
    sar_bands: tuple[str, ...] = ()
    size: int = 512
    edge: Edge = "drop"
    by_size: bool = True
    chips: bool = False
    split_source: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(scene.name for scene in self.scenes).items() if count > 1]
        if twice:
            raise TileSetError(
                f"{len(twice)} names of scenes stand for several files, the first of them {twice[0]!r}",
                hint="give every scene a name of its own",
            )


def scene_of(name: str, files: Mapping[str, Path], *, split: Split | None = None, group: str = "") -> SceneFiles:
    """A scene from the files of its layers ("optical", "sar", "labels").

    Args:
        name: as its files say it; what a name must not hold becomes "-".
        files: layer to file.
        split: as `SceneFiles.split`.
        group: as `SceneFiles.group`.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return SceneFiles(plain, files["optical"], files.get("sar"), files.get("labels"), split, group)


def pair_up(layers: dict[str, dict[str, Path]], root: Path) -> list[str]:
    """Names that every layer has a file for, in order.

    Args:
        layers: "optical", "sar", "labels" as far as the data set has them, each from name to file.
        root: of the data set, for the message.

    Raises:
        TileSetError: if there is no file at all, or a layer lacks a file that another has: both kinds are named.
    """
    names = sorted(set().union(*layers.values()))
    if not names:
        raise TileSetError(
            f"{root} holds none of the files of this data set", hint="name its root folder; see rsfuse tile --help"
        )
    lonely = [(name, layer) for name in names for layer, files in layers.items() if name not in files]
    if lonely:
        name, layer = lonely[0]
        there = next(files[name] for files in layers.values() if name in files)
        raise TileSetError(
            f"{len(lonely)} files are missing under {root}: the first is {layer} of {name!r}, which goes with {there}",
            hint="download what is missing, or move away what has no partner",
        )
    return names


_BESIDE = (".aux.xml", ".tif.xml", ".ovr", ".tfw", ".jgw", ".pgw", "thumbs.db", "desktop.ini")
"""What GDAL, Esri and Windows lay beside pictures."""


def files_under(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Stem to file for what lies in a folder; hidden files and those that programs lay beside pictures aside.

    Args:
        folder: not searched deeper.
        patterns: like "*.tif"; capitals do not count.

    Raises:
        TileSetError: if the folder is missing, holds a file that no pattern fits, or two files of one stem.
    """
    if not folder.is_dir():
        raise TileSetError(f"there is no folder {folder}", hint="name the root folder of the data set")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        lower = path.name.lower()
        if lower.startswith(".") or lower.endswith(_BESIDE):
            continue
        if not any(fnmatchcase(lower, pattern.lower()) for pattern in patterns) or path.stem in found:
            why = f"it goes by the name of {found[path.stem].name}" if path.stem in found else f"not {patterns[0]}"
            raise TileSetError(f"{path} does not belong to this data set: {why}", hint="move it away")
        found[path.stem] = path
    return found
