"""Splits that come with a data set, as files of text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PureWindowsPath

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import Split

SPLIT_OF_FOLDER: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "crossvali": "val",
    "test": "test",
}
"""What folders of a data set that is split already are called."""

_SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}


def find_lists(folder: Path, namings: Sequence[Mapping[Split, str]]) -> dict[Split, Path]:
    """Split to list file in a folder or, where there is none, in one right below it; empty where there is none.

    Args:
        folder: where to look.
        namings: patterns of the names of the files, one for each split; of several namings that one of which most
            files are there, else the first.

    Raises:
        TileSetError: if it cannot be told which of several files is meant.
    """
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    for place in ([folder], below):
        found = {inside: lists for inside in place if (lists := _lists_in(inside, namings))}
        if len(found) > 1:
            raise TileSetError(
                f"{len(found)} folders hold lists of a split: {', '.join(map(str, found))}",
                hint="keep the lists of one split only",
            )
        for lists in found.values():
            return lists
    return {}


def _lists_in(folder: Path, namings: Sequence[Mapping[Split, str]]) -> dict[Split, Path]:
    best: dict[Split, Path] = {}
    for naming in namings:
        lists: dict[Split, Path] = {}
        for split, pattern in naming.items():
            paths = sorted(folder.glob(pattern))
            if len(paths) > 1:
                raise TileSetError(
                    f"{folder} has {len(paths)} lists for {split}: {', '.join(path.name for path in paths)}",
                    hint="keep the list of one split only",
                )
            if paths:
                lists[split] = paths[0]
        if len(lists) > len(best):
            best = lists
    return best


def read_lists(lists: Mapping[Split, Path], names: Collection[str]) -> dict[str, Split]:
    """Name to split. Every line says one name: alone, as a file, or as paths of all layers on somebody's machine.

    Raises:
        TileSetError: if a list cannot be read, names what is not there, or what another list names too, or if no list
            names one of `names`.
    """
    splits: dict[str, Split] = {}
    for split, path in lists.items():
        listed = [_name_in(line, number, path, names) for number, line in _lines(path)]
        _check_there(path, listed, names)
        both = [name for name in listed if splits.get(name, split) != split]
        if both:
            raise TileSetError(
                f"{len(both)} names of {path} are in {lists[splits[both[0]]]} too: the first is {both[0]!r}",
                hint="keep each of them in one of the lists",
            )
        splits.update(dict.fromkeys(listed, split))
    _check_all(splits, names, told(lists))
    return splits


def read_sections(path: Path, names: Collection[str]) -> dict[str, Split]:
    """Name to split from one file: names below a heading with "train", "val" or "test" in it, or beside the word.

    Raises:
        TileSetError: if a line is neither, or the names are not just those that are there.
    """
    splits: dict[str, Split] = {}
    current: Split | None = None
    for number, line in _lines(path):
        sheets = re.findall(r"[A-Z]{2}\d{2}[A-Z]\d{6}", line)  # of the Chinese map series, 1 : 50 000
        word = re.search("train|val|test", re.sub(r"[A-Z]{2}\d{2}[A-Z]\d{6}(\.tif)?", "", line), re.IGNORECASE)
        current = SPLIT_OF_FOLDER[word[0].lower()] if word else current
        if current is None or not (sheets or word) or any(splits.get(sheet, current) != current for sheet in sheets):
            raise TileSetError(
                f"{path}, line {number}, says neither a split nor a scene of one split: {line!r}",
                hint='write "train:", the names of its scenes on a line each, "test:", and theirs',
            )
        splits.update(dict.fromkeys(sheets, current))
    _check_there(path, list(splits), names)
    _check_all(splits, names, str(path))
    return splits


def told(lists: Mapping[Split, Path]) -> str:
    """The list files in words."""
    paths = list(lists.values())
    return f"{' and '.join(path.name for path in paths)} in {paths[0].parent}"


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TileSetError(f"{path} cannot be read as text: {error}", hint="save it as UTF-8") from error
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _name_in(line: str, number: int, path: Path, names: Collection[str]) -> str:
    words = [word for word in re.split(r"[\s,;]+", line) if word] or [line]
    stems = dict.fromkeys(_stem(word, names) for word in words)
    known = [stem for stem in stems if stem in names] or list(stems)[:1]
    if len(known) > 1:
        raise TileSetError(
            f"{path}, line {number}, names {len(known)} of them: {', '.join(known)}", hint="write one name a line"
        )
    return known[0]


def _stem(word: str, names: Collection[str]) -> str:
    name = PureWindowsPath(word)  # knows both kinds of slash
    stem = name.stem if name.suffix.lower() in _SUFFIXES else name.name
    return stem if stem in names else re.sub("_(sat|mask)$", "", stem)


def _check_there(path: Path, listed: Sequence[str], names: Collection[str]) -> None:
    lost = [name for name in listed if name not in names]
    if lost:
        raise TileSetError(
            f"{path} names {len(lost)} files that are not there: the first is {lost[0]!r}",
            hint="download what is missing; to do without this split, move its lists away",
        )


def _check_all(splits: Mapping[str, Split], names: Collection[str], lists: str) -> None:
    left = [name for name in names if name not in splits]
    if left:
        raise TileSetError(
            f"{len(left)} files are not in {lists}: the first is {left[0]!r}",
            hint="complete the lists; to do without this split, move them away",
        )
