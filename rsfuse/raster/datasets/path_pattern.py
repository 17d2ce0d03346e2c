"""Patterns of paths with named fields: what "{area}/images/{image}.jpg" matches, and what it says of each file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class PathPattern:
    """A path relative to a root, with fields in braces: each stands for some text within one name, never for "/".

    A field that occurs twice is the same text twice. Where several readings are possible, as with "{a}_{b}", the
    first field takes as much as it can.

    Args:
        text: names joined by "/".

    Raises:
        ValueError: if it leads out of the root, has stray braces or wildcards.
    """

    text: str

    def __post_init__(self) -> None:
        names = self.text.split("/")
        if not all(names) or {".", ".."} & set(names):
            raise ValueError("a pattern is names joined by '/', relative to the root, without '.' or '..'")
        if re.search(r"[{}*?\\]", _FIELD.sub("", self.text)):
            raise ValueError("a pattern has fields like {image}: letters in braces; no '*', no '?', no '\\'")

    def __str__(self) -> str:
        return self.text

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in the order of their first occurrence."""
        return tuple(dict.fromkeys(_FIELD.findall(self.text)))

    @property
    def folders(self) -> tuple[str, ...]:
        """The names before the last."""
        return PurePosixPath(self.text).parts[:-1]

    @property
    def name(self) -> str:
        """The last name, that of the file."""
        return PurePosixPath(self.text).name

    def match(self, path: str) -> dict[str, str] | None:
        """Value of each field in a path relative to the root, with "/" between its names; None if it does not fit."""
        found = self._expression.fullmatch(path)
        return found.groupdict() if found else None

    def fill(self, values: Mapping[str, str]) -> str:
        """The path that these values of all fields give; others are not looked at."""
        return _FIELD.sub(lambda found: values[found[1]], self.text)

    def folders_under(self, root: Path) -> tuple[list[Path], list[Path]]:
        """Folders that hold the files, and folders that fit a field but have no folder of the next name in them."""
        ends, dead = [root], []
        for name in self.folders:
            if _FIELD.search(name):
                wanted = re.compile(_FIELD.sub("[^/]+", _escaped(name)))
                ends = [
                    inner
                    for folder in ends
                    for inner in sorted(folder.iterdir())
                    if not inner.name.startswith(".") and wanted.fullmatch(inner.name) and inner.is_dir()
                ]
            else:
                dead += [folder for folder in ends if folder != root and not (folder / name).is_dir()]
                ends = [folder / name for folder in ends if (folder / name).is_dir()]
        return ends, dead

    def files_under(self, root: Path) -> list[Path]:
        """Files in those folders, whether or not they fit; hidden ones aside.

        Where the last name has no field, that file alone, as the pattern says nothing of others beside it.
        """
        folders = self.folders_under(root)[0]
        if not _FIELD.search(self.name):
            return [folder / self.name for folder in folders if (folder / self.name).is_file()]
        return [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if not path.name.startswith(".") and path.is_file()
        ]

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        seen: set[str] = set()

        def group(found: re.Match[str]) -> str:
            first = found[1] not in seen
            seen.add(found[1])
            return f"(?P<{found[1]}>[^/]+)" if first else f"(?P={found[1]})"

        return re.compile(_FIELD.sub(group, _escaped(self.text)))


def _escaped(text: str) -> str:
    """Text as a regular expression, its fields as they are."""
    parts = _FIELD.split(text)  # text, field, text, field, ..., text
    return "".join("{" + part + "}" if number % 2 else re.escape(part) for number, part in enumerate(parts))
