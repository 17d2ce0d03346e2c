"""Data sets whose files say by the end of their names what they are: <name>_sat.jpg and <name>_mask.png.

Beside each other: <name>_sat.* and <name>_mask.* in one folder, or in train/, val/ (valid/, crossvali/), test/.
Apart:             img_dir/{train,val,test}/<name>_sat.*, ann_dir/{train,val,test}/<name>_mask.*
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import SceneFiles, Split, pair_up, scene_of
from rsfuse.raster.datasets.lists import SPLIT_OF_FOLDER, find_lists, read_lists, told

_TAGS = {"optical": "_sat", "labels": "_mask"}
_PICTURES = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
_LISTS: tuple[dict[Split, str], ...] = (
    {"train": "train.txt", "val": "crossvali.txt", "test": "test.txt"},
    {"train": "train.txt", "val": "val.txt", "test": "test.txt"},
)


@dataclass(frozen=True)
class Tagged:
    """What was found.

    Args:
        scenes: in the order of their names.
        apart: whether pictures and masks lie in folders of their own, where masks hold numbers.
        split_source: as `Dataset.split_source`.
        notes: on pictures that are not part.
    """

    scenes: tuple[SceneFiles, ...]
    apart: bool
    split_source: str = ""
    notes: tuple[str, ...] = ()


def find_tagged(root: Path) -> Tagged | None:
    """The pairs under a root; None where it is laid out in another way.

    Raises:
        TileSetError: if a picture or a mask has no partner, a file is neither, or a list does not fit.
    """
    if (root / "img_dir").is_dir():
        return _apart(root)
    folders = [folder for folder in _split_folders(root) if _pictures(folder)]
    if not _pictures(root):
        return _beside(root, folders) if folders else None
    if folders:
        raise TileSetError(
            f"{root} holds pictures itself and in {', '.join(folder.name for folder in folders)}",
            hint="name the folder of one of them as the root",
        )
    return _beside(root, [root])


def split_by_lists(root: Path, files: Mapping[str, Mapping[str, Path]]) -> tuple[dict[str, Split], str]:
    """Name to split by train.txt, crossvali.txt or val.txt, and test.txt, and whose split that is; empty without them.

    Raises:
        TileSetError: if a list does not fit.
    """
    lists = find_lists(root, _LISTS)
    return (read_lists(lists, files), told(lists)) if lists else ({}, "")


def _apart(root: Path) -> Tagged:
    scenes: list[SceneFiles] = []
    names = {folder.name for side in ("img_dir", "ann_dir") for folder in _split_folders(root / side)}
    for name in sorted(names):
        pictures, masks = root / "img_dir" / name, root / "ann_dir" / name
        lost = next((folder for folder in (pictures, masks) if not folder.is_dir()), None)
        if lost:
            raise TileSetError(f"there is no folder {lost}", hint="prepare the data set anew")
        files = _paired({"optical": _tagged(pictures)["optical"], "labels": _tagged(masks)["labels"]}, root)
        split = SPLIT_OF_FOLDER[_plain(pictures)]
        scenes += [scene_of(each, layers, split=split) for each, layers in files.items()]
    if not scenes:
        raise TileSetError(f"{root / 'img_dir'} has no folders train, val, test", hint="prepare the data set anew")
    return Tagged(_in_order(scenes), apart=True, split_source=f"the folders of {root / 'img_dir'}")


def _beside(root: Path, folders: list[Path]) -> Tagged:
    files: dict[Path, dict[str, dict[str, Path]]] = {}
    notes: list[str] = []
    for folder in folders:
        found = _tagged(folder)
        if not found["labels"] and folder != root and SPLIT_OF_FOLDER[_plain(folder)] != "train":
            notes.append(f"{len(found['optical'])} pictures in {folder} have no masks, and are not part.")
        else:
            files[folder] = _paired(found, folder)
    if not files:
        raise TileSetError(
            f"no picture under {root} has a mask: {' '.join(notes)}", hint="unpack the training folder, too"
        )
    if len(files) > 1:  # somebody has sorted them
        splits = {name: SPLIT_OF_FOLDER[_plain(folder)] for folder, named in files.items() for name in named}
        source = f"the folders of {root}"
    else:
        splits, source = split_by_lists(
            root, {name: layers for named in files.values() for name, layers in named.items()}
        )
    scenes = [
        scene_of(name, layers, split=splits.get(name)) for named in files.values() for name, layers in named.items()
    ]
    return Tagged(_in_order(scenes), apart=False, split_source=source, notes=tuple(notes))


def _split_folders(root: Path) -> list[Path]:
    """Folders called after a split: train, val, test and their like, or land-train and so on."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and _plain(path) in SPLIT_OF_FOLDER)


def _plain(folder: Path) -> str:
    return folder.name.lower().removeprefix("land-")


def _pictures(folder: Path) -> bool:
    return any(folder.glob(f"*{_TAGS['optical']}.*"))


def _tagged(folder: Path) -> dict[str, dict[str, Path]]:
    """Layer to name to file.

    Raises:
        TileSetError: if a picture is neither, or two have one name.
    """
    found: dict[str, dict[str, Path]] = {layer: {} for layer in _TAGS}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _PICTURES or path.name.startswith("."):
            continue  # lists and tables of classes
        layer = next((layer for layer, tag in _TAGS.items() if path.stem.endswith(tag)), None)
        name = path.stem.removesuffix(_TAGS[layer]) if layer else ""
        if layer is None or name in found[layer]:
            why = f"it is called neither {' nor '.join(f'*{tag}' for tag in _TAGS.values())}"
            raise TileSetError(
                f"{path} does not belong to this data set: {f'there is {found[layer][name].name}' if layer else why}",
                hint="move it away",
            )
        found[layer][name] = path
    return found


def _paired(files: dict[str, dict[str, Path]], root: Path) -> dict[str, dict[str, Path]]:
    return {name: {layer: named[name] for layer, named in files.items()} for name in pair_up(files, root)}


def _in_order(scenes: list[SceneFiles]) -> tuple[SceneFiles, ...]:
    return tuple(sorted(scenes, key=lambda scene: scene.name))
