"""What will be written, held against what is read and against itself, before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rsfuse.errors import OutputError, SceneError
from rsfuse.raster.opening import open_raster

Named = tuple[str, Path]
"""What a file is to the user, in words, and where it lies."""


def check_outputs(outputs: Sequence[Named], inputs: Iterable[Named]) -> None:
    """Refuse outputs that are inputs, or each other; overwriting is no excuse.

    Raises:
        OutputError: naming the file and what it is.
    """
    first: dict[Path, str] = {}
    for told, path in outputs:
        if path.resolve() in first:
            other = first[path.resolve()]
            raise OutputError(f"{path} would be {other} and {told}", hint="give each of them a name of its own")
        first[path.resolve()] = told
    there = {_identity(path): (told, path) for told, path in outputs if path.is_file()}
    if not there:
        return
    for is_told, source in inputs:
        if source.is_file() and _identity(source) in there:
            told, path = there[_identity(source)]
            same = "" if path == source else f", {source}"
            raise OutputError(
                f"{path} would be written as {told}, and it is {is_told}{same}",
                hint="choose another name for it: what is read is never written over",
            )


def files_of(raster: Path) -> set[Path]:
    """A raster and the files beside or below it: a VRT's sources, a header."""
    found = {raster}
    with suppress(SceneError), open_raster(raster) as file:  # what cannot be opened is told where it is mapped
        found.update(Path(name) for name in file.files)
    return found


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of a file, links among them."""
    there = path.stat()
    return there.st_dev, there.st_ino
