"""Lists of a user's own that say which scene is for what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import SceneFiles, Split


def read_scene_lists(lists: Sequence[str], scenes: Sequence[SceneFiles]) -> dict[str, Split]:
    """Scene to split.

    Args:
        lists: like "train=train.txt"; each line of a file names a scene, by its name or by its optical file.
        scenes: that there are.

    Raises:
        TileSetError: if a file cannot be read, names a scene that is not there, or one that another list names, too.
    """
    meant: dict[str, set[str]] = {}
    for scene in scenes:
        for name in (scene.optical.stem, scene.optical.name, scene.name):
            meant.setdefault(name, set()).add(scene.name)
    found: dict[str, Split] = {}
    for each in lists:
        split, path = _parted(each)
        for number, line in enumerate(_lines(path), 1):
            if not line:
                continue
            names = meant.get(line) or meant.get(Path(line).name) or set()
            name = min(names, default="")
            if len(names) != 1 or found.get(name, split) != split:
                why = (
                    f"it is in the list for {found[name]}, too"
                    if len(names) == 1
                    else f"{len(names) or 'no'} such scenes"
                )
                raise TileSetError(
                    f"{path}, line {number}: {line!r}: {why}",
                    hint=f"name each of the {len(scenes)} scenes once, such as {scenes[0].name!r}",
                )
            found[name] = split
    return found


def _parted(text: str) -> tuple[Split, Path]:
    name, _, path = text.partition("=")
    for split in get_args(Split):
        if split == name and path:
            return split, Path(path)
    raise TileSetError(f"{text!r} is no list", hint="write --list train=FILE, --list val=FILE, --list test=FILE")


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise TileSetError(f"{path} cannot be read: {error}", hint="name a text file of scenes, one a line") from error
