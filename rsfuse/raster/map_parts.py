"""The parts of a map in the making: rows that are on the disk for good, and a journal that says so.

They lie in a hidden folder beside the map. A run that was stopped at any moment is gone on with by asking for the same
again: a part counts once the journal has its line and its pixels are those that the line tells.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np
import rasterio
from numpy.typing import NDArray

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.asked import compare, plain
from rsfuse.raster.disk import check_space, replace_text, writing
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.opening import GDAL_ERRORS, quiet
from rsfuse.raster.virtual import virtual

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ASKED, _DONE, _LOCK = "asked.json", "done.jsonl", "lock"


class MapParts:
    """What is written of a map, row of blocks by row of blocks.

    Args:
        layers: of the map; the folder of the parts stands beside the first.
        grid: where its pixels lie.
        asked: what the rows depend on, as plain data; None if nobody may go on with them.
        overwrite: whether parts that were begun with something else may go.

    Raises:
        OutputError: if an earlier run was begun with something else, or one is at work.
    """

    def __init__(
        self, layers: Sequence[Layer], grid: Grid, asked: Mapping[str, Any] | None, *, overwrite: bool = False
    ) -> None:
        self._layers, self._grid = layers, grid
        first = layers[0].path
        self.folder = parts_of(first)
        self._asked = None if asked is None else plain(asked)
        self.checksums: list[tuple[int, ...]] = []
        """Of each row of blocks that is done, one a layer."""
        with writing(first):
            self._lock = self._take()
            try:
                if self._is_begun(overwrite):
                    self._find_done()
                else:
                    self._begin()
            except BaseException:
                self._lock.close()
                raise

    @property
    def rows(self) -> int:
        """How many rows of the map are done, from the top."""
        return min(len(self.checksums) * BLOCK, self._grid.height)

    def add(self, rows: Sequence[NDArray[Any]]) -> None:
        """Put the next row of blocks on the disk for good.

        Args:
            rows: of each layer, (bands, h, W) with h of a whole row of blocks but for the last.

        Raises:
            OutputError: if the disk is full.
        """
        number = len(self.checksums)
        for at, (layer, pixels) in enumerate(zip(self._layers, rows, strict=True)):
            check_space(layer.path, pixels.nbytes)
            with writing(layer.path):
                self._write(self._part(number, at), layer, pixels)
        checksums = tuple(checksum(pixels) for pixels in rows)
        with writing(self._layers[0].path), (self.folder / _DONE).open("a", encoding="utf-8") as journal:
            journal.write(json.dumps({"part": number, "checksums": checksums}) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self.checksums.append(checksums)

    def blocks(self) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """The rows of blocks that are done: the first row, and (bands, h, W) of each layer."""
        for number in range(len(self.checksums)):
            with ExitStack() as opened:
                parts = [self._part(number, at) for at in range(len(self._layers))]
                with quiet():
                    files = [opened.enter_context(rasterio.open(part)) for part in parts]
                pixels = [file.read() for file in files]
            yield number * BLOCK, pixels

    def joined(self, at: int) -> Path:
        """A virtual raster of all parts of a layer."""
        path = self.folder / f"{at}.vrt"
        path.write_text(virtual(self._layers[at], self._grid, self._files(at)), encoding="utf-8")
        return path

    def size(self, at: int) -> int:
        """Bytes of all parts of a layer."""
        return sum(path.stat().st_size for path in self._files(at))

    def close(self, *, keep: bool, more: bool = False) -> None:
        """Let go of the folder; without leave to keep it, or with neither parts nor more in it, it goes."""
        try:
            if not keep or self._asked is None or not (self.checksums or more):
                (self.folder / _ASKED).unlink(missing_ok=True)  # stopped after this, nobody takes the rest for parts
                shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            self._lock.close()

    def _take(self) -> IO[str]:
        self.folder.mkdir(exist_ok=True)
        lock = (self.folder / _LOCK).open("w", encoding="utf-8")
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # falls with the process, however it ends
            except BlockingIOError:
                lock.close()
                raise OutputError(
                    f"another run is writing {self._layers[0].path}", hint="wait for it, or choose another --out"
                ) from None
        return lock

    def _is_begun(self, overwrite: bool) -> bool:
        """Whether an earlier run has left something to go on with."""
        try:
            before = json.loads((self.folder / _ASKED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if self._asked is None or (overwrite and before != self._asked):
            return False
        compare(self._layers[0].path, before, self._asked, kind=OutputError)
        return True

    def _begin(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()
        replace_text(self.folder / _ASKED, json.dumps(self._asked, indent=1))

    def _find_done(self) -> None:
        """Take what the journal tells for as long as the parts are what it tells."""
        journal = self.folder / _DONE
        lines = journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []
        for number, line in enumerate(lines):
            try:
                told = json.loads(line)
            except ValueError:  # power was lost while it was written
                break
            found = tuple(self._checksum(number, at) for at in range(len(self._layers)))
            if told.get("part") != number or tuple(told.get("checksums", ())) != found:
                break
            self.checksums.append(tuple(told["checksums"]))
        journal.write_text("".join(f"{line}\n" for line in lines[: len(self.checksums)]), encoding="utf-8")

    def _checksum(self, number: int, at: int) -> int | None:
        try:
            with quiet(), rasterio.open(self._part(number, at)) as file:
                return checksum(file.read())
        except GDAL_ERRORS:
            return None

    def _files(self, at: int) -> list[Path]:
        return [self._part(number, at) for number in range(len(self.checksums))]

    def _part(self, number: int, at: int) -> Path:
        return self.folder / f"{number:06}-{at}.tif"

    def _write(self, path: Path, layer: Layer, pixels: NDArray[Any]) -> None:
        height, width = pixels.shape[1:]
        shape = {"count": len(pixels), "height": height, "width": width}
        part = _PACKED_PART if layer.packed else _PART
        with quiet(), rasterio.open(path, "w", **shape, dtype=layer.stored_dtype, **part) as file:
            file.write(pixels.astype(layer.stored_dtype, copy=False))
        with path.open("rb") as written:
            os.fsync(written.fileno())


def parts_of(path: Path) -> Path:
    """The folder in which a raster lies until it is finished."""
    return path.with_name(f".{path.name}.parts")


def checksum(pixels: NDArray[Any]) -> int:
    """Of numbers as a file gives them back."""
    return crc32(np.ascontiguousarray(pixels, np.float32 if pixels.dtype == np.float16 else None).data)


_PART = {
    "driver": "GTiff",
    "tiled": True,
    "blockxsize": BLOCK,
    "blockysize": BLOCK,
    "interleave": "band",
    "bigtiff": "IF_SAFER",
}
_PACKED_PART = {**_PART, "compress": "DEFLATE", "zlevel": 1, "num_threads": "ALL_CPUS"}  # it lives for minutes
