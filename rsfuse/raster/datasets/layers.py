"""Data sets that keep optical, SAR and labels in a folder each, with files of one name in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import files_under, pair_up

PICTURES = ("*.tif", "*.tiff", "*.png", "*.jpg", "*.jpeg")
RASTERS = ("*.tif", "*.tiff", "*.png")
"""Of labels: what a JPEG does to codes cannot be undone."""


@dataclass(frozen=True)
class Layers:
    """How the folders of a data set are called.

    Args:
        folders: "optical", "sar", "labels" as far as the data set has them -> names the folder may have, in lower case.
    """

    folders: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return " + ".join("|".join(f"{name}/" for name in names) for names in self.folders.values())

    def of(self, folder: Path) -> dict[str, Path]:
        """Layer to folder inside a folder; empty where one is missing.

        Raises:
            TileSetError: if two folders may be the same layer.
        """
        inside = _folders_in(folder)
        found = {
            layer: [path for path in inside if path.name.lower() in names] for layer, names in self.folders.items()
        }
        if not all(found.values()):
            return {}
        for layer, paths in found.items():
            if len(paths) > 1:
                raise TileSetError(
                    f"{folder} has {len(paths)} folders for {layer}: {', '.join(path.name for path in paths)}",
                    hint="move all but one of them away",
                )
        return {layer: paths[0] for layer, paths in found.items()}

    def under(self, root: Path, depth: int = 3) -> list[Path]:
        """Folders with all layers in them: the root, or those up to `depth` folders below it, in order.

        Raises:
            TileSetError: if two folders may be the same layer.
        """
        if self.of(root):
            return [root]
        if depth == 0:
            return []
        return [found for folder in _folders_in(root) for found in self.under(folder, depth - 1)]

    def files(self, folder: Path) -> dict[str, dict[str, Path]]:
        """Stem to layer to file, in order of the stems, of a folder that has all layers.

        Raises:
            TileSetError: if a layer lacks a file that another has, or holds one that is no picture.
        """
        found = {
            layer: files_under(path, RASTERS if layer == "labels" else PICTURES)
            for layer, path in self.of(folder).items()
        }
        return {name: {layer: files[name] for layer, files in found.items()} for name in pair_up(found, folder)}


def not_found(root: Path, *layouts: object) -> TileSetError:
    """The error of a root that holds none of the layouts of a data set: names what was looked for and what is there."""
    there = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
    shown = ", ".join(there[:6]) + (f" and {len(there) - 6} more" if len(there) > 6 else "")
    return TileSetError(
        f"{root} holds no {'; no '.join(map(str, layouts))}: there is {shown or 'nothing'}",
        hint="name the root folder of the data set, unpacked",
    )


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
