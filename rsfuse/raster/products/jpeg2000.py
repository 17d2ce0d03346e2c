"""JPEG 2000 files: whether one is whole. GDAL reads what is lacking as zeros, and its caller does not learn of it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from rsfuse.errors import SceneError

_SIGNATURE = b"\x00\x00\x00\x0cjP  "  # the first box (ISO/IEC 15444-1, I.5.1)
_LAST_MARKER = b"\xff\xd9"  # of a code stream (A.4.4)


def check_whole(path: Path) -> None:
    """Raise a SceneError if a JPEG 2000 file ends too early; files of other kinds are left to GDAL."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            return
        end = _end_of_boxes(file, size)
        file.seek(size - len(_LAST_MARKER))
        is_whole = file.read() == _LAST_MARKER if end is None else end <= size
    if not is_whole:
        told = "its code stream has no end" if end is None else f"it has {size} bytes of {end}"
        raise SceneError(f"{path} is truncated: {told}", hint="copy or download it again")


def _end_of_boxes(file: BinaryIO, size: int) -> int | None:
    """Where the last box ends; None if it does not say so, which means that it goes on to the end of the file."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(16)
        length = int.from_bytes(head[8:] if head[:4] == b"\0\0\0\1" else head[:4], "big")
        if not length:
            return None
        end += length
    return end
