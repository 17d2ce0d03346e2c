"""Units of work hold every tile once, fit into memory, and leave a record that says what they found."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.coding import LabelCoding
from rsfuse.errors import OutputError, TileSetError
from rsfuse.legends import LEGENDS
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.tiling import cutting
from rsfuse.raster.tiling.cutting import Cutting, Piece, Unit, sampled_statistics, sampling_step, share_out
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.raster.tiling.tile_files import TileFiles, tile_dtype
from rsfuse.raster.tiling.tile_plan import PlannedTile
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
CODING = LabelCoding.of(LEGEND)
BANDS = ("red", "green"), ()


def piece(name, places, size=8, strips=False, files=None):
    tiles = [
        PlannedTile(f"{name}{number}", name, "train", (*place, size, size), True) for number, place in enumerate(places)
    ]
    source = SceneSource(files or SceneFiles(name, Path(f"{name}.tif")), CODING)
    return Piece(source, BANDS, tuple(tiles), strips)


def a_grid(columns, rows, size=8):
    return [(column * size, row * size) for row in range(rows) for column in range(columns)]


@given(
    grids=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5), strips=st.booleans(),
    size=st.integers(4, 9), depth=st.integers(1, 9), memory=st.integers(100, 20_000),
)  # fmt: skip
def test_units_hold_every_tile_once_and_no_more_pixels_than_fit(grids, strips, size, depth, memory):
    pieces = [piece(f"s{number}", a_grid(*grid, size), size, strips) for number, grid in enumerate(grids)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "_UNIT_BYTES", memory)
        units = share_out(pieces, depth)
    assert [unit.number for unit in units] == list(range(len(units)))
    cut = [tile for unit in units for part in unit.pieces for tile in part.tiles]
    assert sorted(tile.name for tile in cut) == sorted(tile.name for each in pieces for tile in each.tiles)
    for unit in units:
        parts = [(len(part.tiles), part.window.width * part.window.height) for part in unit.pieces]
        least = [(1, size * size)] if not strips else None
        if sum(pixels for _, pixels in parts) * depth > memory:  # what cannot be smaller
            assert len(parts) == 1
            assert parts == least or (strips and unit.pieces[0].window.height == size)
    if strips:
        for unit in units:
            for part in unit.pieces:
                whole = next(each for each in pieces if each.source == part.source)
                assert part.window.width == whole.window.width


def test_small_scenes_share_a_unit_and_large_ones_are_divided():
    small = share_out([piece(f"s{number}", a_grid(2, 2)) for number in range(20)], 4)
    assert len(small) == 1
    large = share_out([piece("large", a_grid(40, 40, 512), 512)], 10)
    assert len(large) > 10
    assert all(len(unit.pieces[0].tiles) > 9 for unit in large[:5])


def test_a_window_is_what_all_tiles_of_a_piece_need():
    window = piece("a", [(16, 8), (40, 0), (24, 30)]).window
    assert (window.col_off, window.row_off, window.width, window.height) == (16, 0, 32, 38)


@given(st.integers(0, 10**11))
def test_the_step_is_the_smallest_that_looks_at_few_enough_pixels(pixels):
    step, most = sampling_step(pixels), 2**20
    assert pixels // step**2 <= most
    assert step == 1 or pixels // (step - 1) ** 2 > most
    assert step <= math.isqrt(max(pixels // most, 1)) + 1


@pytest.fixture
def scene(write_raster, noise):
    """Two bands of 16 x 24 px, of which the first tile has no data but in one corner, and one class to a column."""
    pixels = noise((2, 16, 24), "uint16")
    pixels[:, :8, :8] = 0
    pixels[:, :2, :3] = 7
    codes = np.tile(np.arange(24) % 5, (16, 1)).astype(np.uint8)
    files = write_raster("a.tif", pixels, nodata=0), None, write_raster("l.tif", codes[None])
    return SceneFiles("a", *files), pixels, codes


def test_a_record_says_what_was_cut_and_holds_every_nth_pixel_of_what_trains(scene, tmp_path):
    files, pixels, codes = scene
    planned = piece("a", a_grid(3, 2), files=files)
    job = Cutting(tmp_path, LEGEND, None, 0.5, 3)
    job.run(Unit(4, (planned,)))
    assert [path.name for path in tmp_path.glob("*.npz")] == ["000004.npz"]
    assert not list(tmp_path.glob("*.part"))
    record = job.read(4)
    assert record.left_out == ("too few valid pixels",)
    assert [entry.name for entry in record.tiles] == ["a1", "a2", "a3", "a4", "a5"]
    expected = []
    for entry in record.tiles:
        left, top = entry.window[:2]
        here = codes[top : top + 8, left : left + 8]
        assert entry.classes == {code: int((here == code).sum()) for code in LEGEND.codes}
        assert entry.valid == 1.0
        expected += [pixels[:, top + row, left + column] for row in (0, 3, 6) for column in (0, 3, 6)]
    np.testing.assert_array_equal(record.values["optical"], np.array(expected).T)
    assert record.values["optical"].dtype == np.uint16


def test_what_has_little_data_is_kept_where_little_will_do(scene, tmp_path):
    job = Cutting(tmp_path, LEGEND, None, 6 / 64, 1)
    job.run(Unit(0, (piece("a", [(0, 0)], files=scene[0]),)))
    (tile,) = job.read(0).tiles
    assert tile.valid == pytest.approx(6 / 64, abs=1e-6)
    assert tile.classes == {0: 2, 1: 2, 2: 2}
    assert (job.read(0).values["optical"] == 7).all()


def test_statistics_of_no_training_pixel_are_refused(scene, tmp_path):
    job = Cutting(tmp_path, LEGEND, None, 0.5, 1)
    job.run(Unit(0, (piece("a", [(0, 0)], files=scene[0]),)))
    with pytest.raises(TileSetError, match="no training tile has a pixel where every sensor has data"):
        sampled_statistics([job.read(0)], BANDS, ("uint16", None), (("", ""), ()))


def test_statistics_are_named_and_those_of_all_records_together(scene, tmp_path):
    files, pixels, _ = scene
    job = Cutting(tmp_path, LEGEND, None, 0.5, 1)
    for number, place in enumerate([(8, 0), (8, 8)]):
        job.run(Unit(number, (piece("a", [place], files=files),)))
    found = sampled_statistics([job.read(0), job.read(1)], BANDS, ("uint16", None), (("", "counts"), ()))
    assert [(each.name, each.dtype, each.unit) for each in found.optical] == [
        ("red", "uint16", "DN"), ("green", "uint16", "counts")
    ]  # fmt: skip
    assert found.optical[1].mean == pytest.approx(pixels[1, :, 8:16].mean())
    assert found.sar == ()


def test_a_full_disk_is_told_what_was_finished_stays_and_a_second_run_ends(
    write_raster, noise, small_disk, monkeypatch, tmp_path
):
    blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32}
    monkeypatch.setattr(cutting, "_UNIT_BYTES", 3 * 32 * 32 * 4)
    optical = write_raster("a.tif", noise((3, 160, 256), "uint8"), **blocks)
    labels = write_raster("l.tif", noise((1, 160, 256)) % 5, **blocks)
    dataset = own_dataset([optical], [], [labels], LEGEND)
    settings = TileSettings(size=32, rule=SplitRule("none"), workers=1)
    disk = small_disk(1000)
    (disk / "ballast").write_bytes(bytes(700_000))
    with pytest.raises(OutputError, match=r"the disk is full: 0\.\d MB left to write .*tiles") as caught:
        tile(dataset, disk / "tiles", settings)
    assert "free some space" in caught.value.hint
    records = {path: path.stat().st_mtime_ns for path in (disk / "tiles/.journal").glob("*.npz")}
    assert len(records) > 1
    assert not (disk / "tiles/tiles.json").exists()
    (disk / "ballast").unlink()
    told = []
    assert not tile(dataset, disk / "tiles", settings, progress=lambda *progress: told.append(progress)).again
    tile(dataset, tmp_path / "whole", settings)
    undisturbed = {path.relative_to(tmp_path / "whole"): path for path in (tmp_path / "whole").rglob("*.*")}
    assert {path.relative_to(disk / "tiles") for path in (disk / "tiles").rglob("*.*")} == set(undisturbed)
    assert all((disk / "tiles" / name).read_bytes() == path.read_bytes() for name, path in undisturbed.items())
    units = len(share_out([piece("a", a_grid(8, 5, 32), 32)], 4))
    assert told[-1][1] == units - len(records) + 1  # what was done is not done again; one is for the scene's statistics


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "float32", "float64"])
def test_the_type_of_a_tile_holds_every_digit_that_training_sees(dtype):
    kept = tile_dtype(np.dtype(dtype))
    assert kept == (dtype if np.dtype(dtype).itemsize < 4 else "float32")


def test_the_files_of_a_tile_are_named_by_it_alone(scene, tmp_path):
    for layer in ("optical", "labels"):
        (tmp_path / "t" / layer).mkdir(parents=True)
    job = Cutting(tmp_path, LEGEND, TileFiles(tmp_path / "t", ("optical", "labels"), LEGEND, "zstd"), 0.5, 1)
    job.run(Unit(0, (piece("a", a_grid(3, 1), files=scene[0]),)))
    assert sorted(str(path.relative_to(tmp_path / "t")) for path in tmp_path.glob("t/*/*")) == [
        "labels/a1.tif", "labels/a2.tif", "optical/a1.tif", "optical/a2.tif"
    ]  # fmt: skip
