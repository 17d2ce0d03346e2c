"""Stored blocks: pixels of a GeoTIFF as they lie packed in the file, for whoever wants the same pixels packed again.

A tile whose edges are edges of blocks needs no packing: its blocks are there. Packing is what costs most in cutting.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rasterio.enums import Compression
from rasterio.windows import Window

from rsfuse.raster.opening import Closing, open_raster, reading

_CODECS: dict[Any, dict[str, Any]] = {
    # what unpacks a block without knowing anything but the block; JPEG, for one, needs tables from elsewhere
    None: {},
    Compression.none: {},
    Compression.deflate: {"compress": "DEFLATE", "zlevel": 1},
    Compression.lzw: {"compress": "LZW"},
    Compression.zstd: {"compress": "ZSTD", "zstd_level": 1},
}
_TILE_OFFSETS, _TILE_BYTE_COUNTS = 324, 325  # tags of TIFF 6.0, section 15
_FORMATS = {3: "H", 4: "I"}  # its types SHORT and LONG; GDAL takes the first where no block can have more bytes


class StoredBlocks(Closing):
    """The blocks of some bands of one file. One thread at a time.

    Args:
        path: of the file.
        bands: counted from 1, in the order in which they are wanted.

    Raises:
        SceneError: if the file is missing or not a raster.
    """

    def __init__(self, path: Path, bands: tuple[int, ...]) -> None:
        self._path, self._bands = path, bands
        with ExitStack() as opened:
            self._file = opened.enter_context(open_raster(path))
            about = self._file.tags(ns="IMAGE_STRUCTURE")
            self._by_band = about.get("INTERLEAVE") == "BAND" or self._file.count == 1
            self.codec: dict[str, Any] | None = self._codec(about)
            """Creation options that pack alike; None if the file is packed in a way that is not taken over."""
            self._bytes = opened.enter_context(path.open("rb")) if self._is_plain(about) else None
            self._opened = opened.pop_all()

    @property
    def layout(self) -> dict[str, Any]:
        """Creation options of a file that is to hold these very blocks."""
        height, width = self._file.block_shapes[0]
        interleave = "band" if self._by_band else "pixel"
        return {**(self.codec or {}), "blockxsize": width, "blockysize": height, "interleave": interleave}

    def take(self, window: Window) -> list[bytes] | None:
        """The packed blocks of a window, in the order of a TIFF; None if they hold more or less than the window.

        Raises:
            SceneError: if the file is truncated.
        """
        if self._bytes is None or not self._fits(window):
            return None
        height, width = self._file.block_shapes[0]
        rows = range(int(window.row_off) // height, int(window.row_off + window.height) // height)
        columns = range(int(window.col_off) // width, int(window.col_off + window.width) // width)
        bands = self._bands if self._by_band else (1,)
        with reading(self._path, window):
            blocks = [self._block(band, row, column) for band in bands for row in rows for column in columns]
        return [block for block in blocks if block is not None] if None not in blocks else None

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()

    def _codec(self, about: dict[str, str]) -> dict[str, Any] | None:
        is_odd = any("NBITS" in self._file.tags(band, ns="IMAGE_STRUCTURE") for band in self._bands)
        codec = None if is_odd else _CODECS.get(self._file.compression)
        if not codec:
            return codec
        return codec | {"predictor": int(about.get("PREDICTOR", "1"))}

    def _is_plain(self, about: dict[str, str]) -> bool:
        """Whether the file is a GeoTIFF in blocks of its own whose bytes can be moved to another."""
        file = self._file
        in_order = self._by_band or self._bands == tuple(range(1, file.count + 1))
        blocks_can_be_tiles = all(side % 16 == 0 for side in file.block_shapes[0]) and file.profile.get("tiled", False)
        if file.driver != "GTiff" or self.codec is None or not (in_order and blocks_can_be_tiles):
            return False
        with self._path.open("rb") as start:
            return start.read(2) == b"II" and len(set(file.dtypes)) == 1 and not file.dtypes[0].startswith("complex")

    def _fits(self, window: Window) -> bool:
        height, width = self._file.block_shapes[0]
        right, bottom = window.col_off + window.width, window.row_off + window.height
        inside = right <= self._file.width and bottom <= self._file.height and min(window.col_off, window.row_off) >= 0
        return inside and not any(
            side % of
            for side, of in (
                (window.col_off, width),
                (window.row_off, height),
                (window.width, width),
                (window.height, height),
            )
        )

    def _block(self, band: int, row: int, column: int) -> bytes | None:
        place, size = (
            self._file.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")
        )
        if place is None or size is None or self._bytes is None:  # a hole, which GDAL fills with zeros
            return None
        self._bytes.seek(int(place))
        block = self._bytes.read(int(size))
        if len(block) != int(size):
            raise OSError(f"{len(block)} of {size} bytes of a block are there")
        return block


def with_blocks(empty: bytes, blocks: list[bytes]) -> bytes:
    """A GeoTIFF with packed blocks in place of its holes.

    Args:
        empty: a little-endian classic TIFF, tiled, without a single block (GDAL: SPARSE_OK), which ends with its
            directory.
        blocks: all of its tiles in their order.
    """
    file = bytearray(empty)
    if file[:4] != b"II*\0":
        raise ValueError("not a little-endian classic TIFF")
    start = len(file)
    offsets = []
    for block in blocks:
        offsets.append(start)
        start += len(block)
    _set_numbers(file, _TILE_OFFSETS, offsets)
    _set_numbers(file, _TILE_BYTE_COUNTS, [len(block) for block in blocks])
    return b"".join((bytes(file), *blocks))


def _set_numbers(file: bytearray, tag: int, values: list[int]) -> None:
    """Set an array of the first directory (TIFF 6.0, section 2)."""
    (directory,) = struct.unpack_from("<I", file, 4)
    (entries,) = struct.unpack_from("<H", file, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        found, kind, count, place = struct.unpack_from("<HHII", file, entry)
        if found == tag:
            if kind not in _FORMATS or count != len(values):
                raise ValueError(f"tag {tag} has {count} values of type {kind}, not {len(values)}")
            layout = f"<{count}{_FORMATS[kind]}"
            # up to four bytes stand in the entry itself
            struct.pack_into(layout, file, entry + 8 if struct.calcsize(layout) <= 4 else place, *values)
            return
    raise ValueError(f"the TIFF has no tag {tag}")
