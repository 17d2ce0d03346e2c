"""The split that a layout of folders says: by the values of a field, or by list files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import Split
from rsfuse.raster.datasets.folder_layout import FolderLayout, FolderSplit


@dataclass(frozen=True)
class FoundScene:
    """A scene that matches a layout.

    Args:
        name: unique.
        fields: value of each field in its path.
        files: of each layer, where it should be.
        group: as in `SceneFiles`.
    """

    name: str
    fields: Mapping[str, str]
    files: Mapping[str, Path]
    group: str


def splits_of(scenes: Sequence[FoundScene], plan: FolderLayout, root: Path, layout: Path) -> dict[str, Split]:
    """What each scene, by its name, is used for.

    Raises:
        TileSetError: if a scene has no split or two, a value or a line fits no scene, a list is missing, or scenes of
            one group have several splits.
    """
    if plan.split is None:
        return {}
    if plan.split.field is not None:
        splits = _by_field(scenes, plan.split, plan.split.field, layout)
    else:
        splits = _by_lists(scenes, list_files(plan, root, layout), root)
    used: dict[str, tuple[Split, str]] = {}  # by group, with the first scene that said so
    for each in scenes:
        other = used.setdefault(each.group, (splits[each.name], each.name)) if each.group else None
        if other and other[0] != splits[each.name]:
            raise TileSetError(
                f"the split of {layout} tears {plan.group} {each.group!r} apart: {other[1]!r} is for {other[0]}, "
                f"{each.name!r} for {splits[each.name]}",
                hint="give all scenes of a group to one split, or leave out `group`",
            )
    return splits


def list_files(plan: FolderLayout, root: Path, layout: Path) -> dict[Split, Path]:
    """The list file of each split: under the root, or else beside the layout. Empty if there are none."""
    if plan.split is None or plan.split.field is not None:
        return {}
    names = {split: values[0] for split, values in plan.split.parts.items()}
    return {split: root / name if (root / name).exists() else layout.parent / name for split, name in names.items()}


def split_source(plan: FolderLayout, layout: Path) -> str:
    """Whose split it is, in words."""
    if plan.split is None:
        return ""
    if plan.split.field is not None:
        return f"by {plan.split.field}, as {layout.name} says"
    return f"by the lists {', '.join(values[0] for values in plan.split.parts.values())}"


def _by_field(scenes: Sequence[FoundScene], split: FolderSplit, field: str, layout: Path) -> dict[str, Split]:
    split_of = {value: name for name, values in split.parts.items() for value in values}
    there = sorted({each.fields[field] for each in scenes})
    strange = [value for value in split_of if value not in there]
    if strange:
        raise TileSetError(
            f"{layout}: split.{split_of[strange[0]]} names {field} {', '.join(map(repr, strange))}, which no scene "
            f"has; there is {', '.join(map(repr, there[:10]))}{' ...' if len(there) > 10 else ''}",
            hint="write the values as they stand in the paths, in quotes",
        )
    _check_all_named([each for each in scenes if each.fields[field] not in split_of], f"{layout}: split")
    return {each.name: split_of[each.fields[field]] for each in scenes}


def _by_lists(scenes: Sequence[FoundScene], lists: Mapping[Split, Path], root: Path) -> dict[str, Split]:
    called: dict[str, set[str]] = defaultdict(set)
    for each in scenes:
        for path in each.files.values():
            called[path.relative_to(root).as_posix()].add(each.name)
        called[each.files["optical"].stem].add(each.name)
    called.update({each.name: {each.name} for each in scenes})  # a name goes before another scene's stem
    splits: dict[str, Split] = {}
    for split, path in lists.items():
        for name in _names_in(path, called):
            if splits.setdefault(name, split) != split:
                raise TileSetError(
                    f"scene {name!r} is in {path}, and also in {lists[splits[name]]}", hint="leave it in one list"
                )
    _check_all_named([each for each in scenes if each.name not in splits], ", ".join(map(str, lists.values())))
    return splits


def _names_in(path: Path, called: Mapping[str, set[str]]) -> list[str]:
    """Scenes that a list file names, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TileSetError(f"{path} cannot be read: {error}", hint="check `split` in the layout") from error
    told = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    wrong = [(number, line) for number, line in told if len(called.get(line, ())) != 1]
    if wrong:
        number, line = wrong[0]
        meant = sorted(called.get(line, ()))
        why = f"which stands for {len(meant)} scenes, such as {meant[0]!r}" if meant else "which is no scene"
        raise TileSetError(
            f"{len(wrong)} of {len(told)} lines of {path} do not name one scene: the first is line {number}, {line!r}, "
            f"{why}",
            hint="write a scene's name, the stem of its optical file, or a path relative to the root, one a line",
        )
    return [next(iter(called[line])) for _, line in told]


def _check_all_named(unnamed: Sequence[FoundScene], where: str) -> None:
    if unnamed:
        raise TileSetError(
            f"{where} leaves out {len(unnamed)} scenes, the first is {unnamed[0].name!r} "
            f"({unnamed[0].files['optical']})",
            hint="say for every scene whether it is for train, val or test, or leave out `split`",
        )
