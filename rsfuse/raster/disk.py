"""What can go wrong where results are written, told before the work or in the user's words."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsfuse.errors import OutputError
from rsfuse.raster.opening import GDAL_ERRORS

_ALMOST_FULL = 2**20  # bytes; GDAL does not say why it could not write, and what fills a disk leaves a little


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that is taken, or whose folder is missing, before any work is done.

    Raises:
        OutputError: saying which.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder", hint="name a file to write")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already", hint="choose another --out, or add --overwrite")
    if not path.parent.is_dir():
        raise OutputError(f"there is no folder {path.parent}", hint=f"make it first: mkdir -p {path.parent}")


def check_space(path: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold. GDAL's own way of telling is a mess on standard error.

    Args:
        path: what is to be written.
        needed: bytes that it takes at most.

    Raises:
        OutputError: with the bytes that are left.
    """
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise _full(path, free, needed)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is written into an error of the user's.

    Raises:
        OutputError: naming the file, and the space that is left where the disk is full.
    """
    try:
        yield
    except GDAL_ERRORS as error:
        free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else _ALMOST_FULL
        if free < _ALMOST_FULL or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
            raise _full(path, free) from error
        raise OutputError(f"{path} cannot be written: {error}", hint="check that you may write there") from error


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one go: one that is there is replaced, or stays as it is."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _full(path: Path, free: int, needed: int | None = None) -> OutputError:
    wants = "" if needed is None else f", up to {needed / 1e6:.1f} MB more needed"
    return OutputError(
        f"the disk is full: {free / 1e6:.1f} MB left{wants} to write {path}",
        hint="free some space, or choose --out on another disk",
    )
