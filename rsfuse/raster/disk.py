"""What can go wrong where results are written, told before the work or in the user's words."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasterio.errors import RasterioError

from rsfuse.errors import OutputError

_ALMOST_FULL = 4 * 2**20  # what GDAL could not write is seldom more than one row of blocks


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


@contextmanager
def writing(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn what goes wrong while a file is written into an error of the user's.

    Args:
        path: what is written.
        needed: bytes that it takes, about, where that is known.

    Raises:
        OutputError: naming the file, and the space that is left where the disk is full.
    """
    try:
        yield
    except (RasterioError, OSError) as error:
        raise write_error(path, error, needed) from error


def write_error(path: Path, error: Exception, needed: int | None = None) -> OutputError:
    """The error of `writing`: a full disk told as such, anything else in the words of the system."""
    free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else None
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or (free is not None and free < max(needed or 0, _ALMOST_FULL)):
        wants = "" if needed is None else f" and about {needed / 1e6:.1f} MB needed"
        return OutputError(
            f"the disk is full: {(free or 0) / 1e6:.1f} MB left{wants} to write {path}",
            hint="free some space, or choose --out on another disk",
        )
    return OutputError(f"{path} cannot be written: {error}", hint="check that you may write there")
