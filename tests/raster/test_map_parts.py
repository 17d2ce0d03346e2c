"""A map that was stopped is gone on with, and ends as if it had never been."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_layer import BLOCK, Layer
from rsfuse.raster.map_parts import MapParts
from rsfuse.raster.map_writer import MapWriter

LEGEND = LEGENDS["sentinel-5"]
HEIGHT, WIDTH = 4 * BLOCK + 100, 60
GRID = Grid(CRS.from_epsg(32722), Affine(10, 0, 480_000, 0, -10, 6_680_000), (HEIGHT, WIDTH))
ASKED = {"bundle": "demo", "overlap": 64, "bands": (1, 2)}
CHANCE = np.random.default_rng(0)
CODES = CHANCE.integers(0, 5, (HEIGHT, WIDTH), np.uint8)
SCORES = CHANCE.random((2, HEIGHT, WIDTH)).astype(np.float16)
NAMES = ["map.tif", "map.tif.aux.xml", "scores.tif"]


def layers_in(folder):
    return [
        Layer(folder / "map.tif", legend=LEGEND, tags={"bundle": "demo"}),
        Layer(folder / "scores.tif", bands=("water", "land"), dtype="float16", nodata=None),
    ]


class StoppedError(Exception):
    pass


def write(folder, *, until=HEIGHT, height=77, asked=ASKED, **options):
    """Go on with a map from where it is, in strips of a height, and stop after a row; where it was."""
    with MapWriter(layers_in(folder), GRID, asked=asked, **options) as writer:
        begun = writer.rows
        for top in range(begun, until, height):
            rows = slice(top, min(top + height, until))
            writer.write(top, CODES[rows], SCORES[:, rows])
        if until < HEIGHT:
            raise StoppedError
    return begun


def stop(folder, row, **options):
    with pytest.raises(StoppedError):
        write(folder, until=row, **options)


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def undisturbed(tmp_path):
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    write(folder)
    return files_in(folder)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def test_all_layers_hold_what_was_written(folder):
    write(folder)
    with rasterio.open(folder / "map.tif") as codes, rasterio.open(folder / "scores.tif") as scores:
        np.testing.assert_array_equal(codes.read(1), CODES)
        np.testing.assert_array_equal(scores.read(), SCORES.astype(np.float32))
        assert scores.dtypes == ("float32",) * 2
        assert scores.descriptions == ("water", "land")
        assert scores.nodata is None
        assert scores.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == codes.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert scores.transform == codes.transform == GRID.transform


@pytest.mark.parametrize("rows", [BLOCK + 1, 2 * BLOCK + 300, HEIGHT - 5])
def test_a_stopped_map_goes_on_after_its_last_row_of_blocks_and_ends_byte_for_byte_the_same(folder, undisturbed, rows):
    stop(folder, rows)
    assert write(folder, height=131) == rows // BLOCK * BLOCK
    assert files_in(folder) == undisturbed


def test_a_map_may_be_stopped_again_and_again(folder, undisturbed):
    for rows in (50, 600, 1100, 1200, 1900):
        stop(folder, rows)
    assert write(folder) == 3 * BLOCK
    assert files_in(folder) == undisturbed


def test_a_map_that_was_stopped_while_it_was_sealed_is_sealed_again(folder, undisturbed, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("rsfuse.raster.map_writer.category_names", lambda legend: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            write(folder)
    assert (folder / "scores.tif").exists()
    assert not (folder / "map.tif").exists()
    assert write(folder) == HEIGHT
    assert files_in(folder) == undisturbed


@pytest.mark.parametrize("torn", ["journal", "part", "last part missing", "pixels"])
def test_what_a_loss_of_power_has_torn_is_done_again(folder, undisturbed, torn):
    stop(folder, 3 * BLOCK)
    parts = folder / ".map.tif.parts"
    journal, part = parts / "done.jsonl", parts / "000001-0.tif"
    if torn == "journal":
        journal.write_bytes(journal.read_bytes()[:-9])
    elif torn == "part":
        part.write_bytes(part.read_bytes()[:1000])
    elif torn == "last part missing":
        part.unlink()
    else:
        part.write_bytes((parts / "000000-0.tif").read_bytes())
    assert write(folder) == (2 * BLOCK if torn == "journal" else BLOCK)
    assert files_in(folder) == undisturbed


def test_who_asks_for_something_else_is_told_what_differs_and_nothing_is_lost(folder, undisturbed):
    stop(folder, 2 * BLOCK)
    with pytest.raises(
        OutputError, match=r"map\.tif was begun with other options: overlap was 64, now it is 32"
    ) as told:
        write(folder, asked={**ASKED, "overlap": 32})
    assert "--overwrite" in told.value.hint
    assert write(folder) == 2 * BLOCK
    assert files_in(folder) == undisturbed


def test_with_leave_to_overwrite_something_else_begins_anew(folder):
    stop(folder, 2 * BLOCK)
    assert write(folder, asked={**ASKED, "overlap": 32}, overwrite=True) == 0
    assert sorted(files_in(folder)) == NAMES


def test_leave_to_overwrite_does_not_throw_away_what_the_same_run_has_done(folder, undisturbed):
    write(folder)
    stop(folder, 2 * BLOCK, overwrite=True)
    assert write(folder, overwrite=True) == 2 * BLOCK
    assert files_in(folder) == undisturbed


def test_where_nobody_may_go_on_nothing_is_left(folder):
    stop(folder, 2 * BLOCK, asked=None)
    assert files_in(folder) == {}


def test_before_the_first_row_of_blocks_nothing_is_left(folder):
    stop(folder, 100)
    assert files_in(folder) == {}


def draft_in(folder):
    return Layer(folder / "sure.tif", ("sure",))


def test_a_draft_is_there_until_the_map_is_sealed_and_becomes_no_file(folder, undisturbed):
    drafts = {"asked": ASKED, "drafts": [draft_in(folder)]}

    def write_half():
        with MapWriter(layers_in(folder), GRID, **drafts) as writer:
            writer.write(0, CODES[:700], SCORES[:, :700], 2 * CODES[:700])
            raise StoppedError

    with pytest.raises(StoppedError):
        write_half()
    with MapWriter(layers_in(folder), GRID, **drafts) as writer:
        assert writer.rows == BLOCK
        writer.write(BLOCK, CODES[BLOCK:], SCORES[:, BLOCK:], 2 * CODES[BLOCK:])
        found = np.concatenate([layers[2][0] for _, layers in writer.blocks()])
    np.testing.assert_array_equal(found, 2 * CODES)
    assert files_in(folder) == undisturbed


def test_files_of_others_are_checked_like_the_maps_own(folder):
    (folder / "map.json").write_text("precious")
    with pytest.raises(OutputError, match=r"map\.json exists already"):
        write(folder, beside=[folder / "map.json"])
    assert sorted(files_in(folder)) == ["map.json"]
    stop(folder, BLOCK, beside=[folder / "map.json"], overwrite=True)
    with pytest.raises(OutputError, match=r"map\.json exists already"):  # not all rows are there: nobody wrote it
        write(folder, beside=[folder / "map.json"])


def test_what_fails_after_the_map_is_sealed_is_gone_on_with(folder, undisturbed):
    def fail_late():
        with MapWriter(layers_in(folder), GRID, asked=ASKED) as writer:
            writer.write(0, CODES, SCORES)
            writer.seal()
            raise StoppedError

    with pytest.raises(StoppedError):
        fail_late()
    assert (folder / "map.tif").exists()
    assert write(folder) == HEIGHT
    assert files_in(folder) == undisturbed


def test_a_finished_map_is_found_finished_by_who_asks_for_the_same_and_by_nobody_else(folder, undisturbed):
    write(folder)
    with MapWriter(layers_in(folder), GRID, asked=ASKED) as writer:
        assert writer.finished
        assert writer.rows == HEIGHT
        np.testing.assert_array_equal(np.concatenate([codes[0] for _, (codes,) in writer.blocks()]), CODES)
    np.testing.assert_array_equal(writer.counts, np.bincount(CODES.ravel(), minlength=256))
    np.testing.assert_array_equal(writer.areas_m2, 100.0 * writer.counts)
    for asked in ({**ASKED, "overlap": 32}, None):
        with pytest.raises(OutputError, match=r"map\.tif exists already"):
            write(folder, asked=asked)
    assert write(folder, overwrite=True) == 0
    assert files_in(folder) == undisturbed
    (folder / "scores.tif").unlink()
    with pytest.raises(OutputError, match=r"map\.tif exists already"):
        write(folder)


def test_two_runs_do_not_write_one_map(folder):
    with MapWriter(layers_in(folder), GRID, asked=ASKED) as first:
        with pytest.raises(OutputError, match=r"another run is writing .*map\.tif"):
            MapParts(layers_in(folder), GRID, ASKED)
        first.write(0, CODES, SCORES)
    assert sorted(path.name for path in folder.iterdir()) == NAMES


def test_the_journal_can_be_read(folder):
    stop(folder, 3 * BLOCK)
    parts = folder / ".map.tif.parts"
    assert json.loads((parts / "asked.json").read_text()) == {**ASKED, "bands": [1, 2]}
    lines = [json.loads(line) for line in (parts / "done.jsonl").read_text().splitlines()]
    assert [line["part"] for line in lines] == [0, 1, 2]
