"""Blocks that are taken over as they are packed hold the pixels of the window, and nothing else is taken over."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.raster.tiling.stored_blocks import StoredBlocks, with_blocks

PLACE = {"crs": "EPSG:32650", "transform": Affine(5, 0, 500_000, 0, -5, 3_400_000)}
SIDE, BLOCK = 320, 64


@pytest.fixture
def raster(tmp_path):
    """A function that writes a raster of smooth noise in blocks, and tells path and pixels."""

    def write(dtype="uint16", bands=3, **options):
        chance = np.random.default_rng(bands)
        pixels = chance.normal(100, 20, (bands, SIDE, SIDE)).clip(0, 250).astype(dtype)
        shape = {"count": bands, "height": SIDE, "width": SIDE, "dtype": dtype, "photometric": "MINISBLACK"}
        blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
        path = tmp_path / "scene.tif"
        with rasterio.open(path, "w", driver="GTiff", **shape, **PLACE, **blocks | options) as file:
            file.write(pixels)
        return path, pixels

    return write


def unpacked(blocks, layout, shape, dtype):
    """What GDAL reads from a file that was put together of blocks."""
    bands, height, width = shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": dtype, **PLACE}
    with MemoryFile() as empty:
        with empty.open(**profile, tiled=True, sparse_ok=True, photometric="MINISBLACK", **layout):
            pass
        whole = with_blocks(bytes(empty.getbuffer()), blocks)
    with MemoryFile(whole) as memory, memory.open() as file:
        return file.read()


@pytest.mark.parametrize("interleave", ["band", "pixel"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize(
    "packing",
    [
        {},
        {"compress": "DEFLATE", "predictor": 2},
        {"compress": "DEFLATE", "zlevel": 9},
        {"compress": "LZW", "predictor": 2},
        {"compress": "ZSTD"},
        {"compress": "DEFLATE", "bigtiff": "YES"},
    ],
    ids=str,
)
def test_blocks_of_any_window_that_ends_with_blocks_hold_its_pixels(raster, packing, dtype, interleave):
    path, pixels = raster(dtype, interleave=interleave, **packing)
    window = Window(BLOCK, 2 * BLOCK, 2 * BLOCK, 3 * BLOCK)
    with StoredBlocks(path, (1, 2, 3)) as stored:
        read = unpacked(stored.take(window), stored.layout, (3, 3 * BLOCK, 2 * BLOCK), dtype)
    assert (read == pixels[:, 2 * BLOCK : 5 * BLOCK, BLOCK : 3 * BLOCK]).all()


def test_bands_are_chosen_and_ordered_where_they_are_stored_apart(raster):
    path, pixels = raster(bands=4, interleave="band", compress="DEFLATE", predictor=2)
    with StoredBlocks(path, (3, 1)) as stored:
        read = unpacked(stored.take(Window(0, 0, BLOCK, BLOCK)), stored.layout, (2, BLOCK, BLOCK), "uint16")
    assert (read == pixels[[2, 0], :BLOCK, :BLOCK]).all()


def test_bands_that_are_stored_together_are_taken_over_in_their_order_or_not_at_all(raster):
    path, _ = raster(bands=4, interleave="pixel")
    for bands, taken in (((1, 2, 3, 4), True), ((1, 2, 3), False), ((2, 1, 3, 4), False)):
        with StoredBlocks(path, bands) as stored:
            assert (stored.take(Window(0, 0, BLOCK, BLOCK)) is not None) == taken


@pytest.mark.parametrize(
    "window",
    [
        Window(1, 0, BLOCK, BLOCK),
        Window(0, 3, BLOCK, BLOCK),
        Window(0, 0, BLOCK + 16, BLOCK),
        Window(0, 0, BLOCK, BLOCK // 2),
        Window(SIDE - BLOCK, SIDE - BLOCK, 2 * BLOCK, BLOCK),
        Window(-BLOCK, 0, BLOCK, BLOCK),
    ],
    ids=str,
)
def test_a_window_that_cuts_a_block_or_leaves_the_scene_has_none(raster, window):
    path, _ = raster()
    with StoredBlocks(path, (1, 2, 3)) as stored:
        assert stored.take(Window(0, 0, BLOCK, BLOCK)) is not None
        assert stored.take(window) is None


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"compress": "JPEG", "dtype": "uint8"}, False),
        ({"compress": "LERC"}, False),
        ({"nbits": 12, "compress": "DEFLATE"}, False),
        ({"endianness": "BIG", "compress": "DEFLATE"}, True),
        ({"tiled": False, "blockxsize": None, "blockysize": 16, "compress": "LZW"}, True),
    ],
    ids=str,
)
def test_what_is_packed_in_another_way_is_not_taken_over(raster, options, known):
    path, _ = raster(**{key: value for key, value in options.items() if value is not None})
    with StoredBlocks(path, (1, 2, 3)) as stored:
        assert stored.take(Window(0, 0, BLOCK, BLOCK)) is None
        assert (stored.codec is not None) == known


def test_a_hole_in_a_file_is_not_taken_over(tmp_path):
    path = tmp_path / "holes.tif"
    shape = {"count": 1, "height": SIDE, "width": SIDE, "dtype": "uint8", "driver": "GTiff"}
    blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "sparse_ok": True}
    with rasterio.open(path, "w", **shape, **blocks, **PLACE) as file:
        file.write(np.ones((1, BLOCK, BLOCK), np.uint8), window=Window(0, 0, BLOCK, BLOCK))
    with StoredBlocks(path, (1,)) as stored:
        assert stored.take(Window(0, 0, BLOCK, BLOCK)) is not None
        assert stored.take(Window(0, 0, 2 * BLOCK, BLOCK)) is None


def test_a_truncated_file_is_told_with_its_name(raster):
    path, _ = raster(interleave="band")
    with StoredBlocks(path, (1, 2, 3)) as stored:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        with pytest.raises(SceneError, match=r"scene\.tif cannot be read"):
            stored.take(Window(SIDE - BLOCK, SIDE - BLOCK, BLOCK, BLOCK))


def test_only_a_file_without_blocks_of_as_many_tiles_is_filled(raster):
    path, _ = raster(interleave="band")
    with pytest.raises(ValueError, match="75 values"):
        with_blocks(path.read_bytes(), [b""])
    with pytest.raises(ValueError, match="classic"):
        with_blocks(b"MM\0*0000", [])
