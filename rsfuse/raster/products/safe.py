"""SAFE: the folders in which scenes of the Sentinel satellites are delivered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

from rsfuse.raster.products.archive import FolderFiles
from rsfuse.raster.products.metadata import parse_xml


def scene_folder(path: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The folder of a scene, None where there is no such scene.

    Args:
        path: the folder itself, one that holds nothing but it (some programs unpack so), or a file on top of it.
        holds: whether a folder is what is looked for.
    """
    if path.is_file():
        is_on_top = path.suffix.lower() in (".safe", ".xml") and holds(path.parent)
        return path.parent if is_on_top else None
    if not path.is_dir():
        return None
    inside = [each for each in path.iterdir() if each.is_dir()]
    return next((each for each in (path, *(inside if len(inside) == 1 else ())) if holds(each)), None)


def scene_name(root: Path) -> str:
    """Of the scene in a folder: the folder's, without .SAFE."""
    return re.sub(r"\.SAFE$", "", root.name, flags=re.IGNORECASE)


def read_first(folder: Path, *patterns: str) -> tuple[str, Element]:
    """Name and content of the first XML in a folder that has such a name; ("", an empty tag) where there is none."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return (found[0].name, read_xml(found[0])) if found else ("", Element("nothing"))


def read_xml(path: Path) -> Element:
    """The outermost tag of an XML.

    Raises:
        SceneError: if it cannot be read.
    """
    return parse_xml(FolderFiles(path.parent, (path.name,)).read(path.name), path.name)
