"""`rsfuse info tiles/` shows bands, statistics, class balance and a contact sheet."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tiles(rsfuse, raster, tmp_path):
    """A set of 36 tiles in the folder "tiles"."""
    codes = np.random.default_rng(0).choice([0, 1, 2, 3, 255], (1, 192, 192)).astype(np.uint8)
    scene, sar = raster("scene.tif", side=192), raster("sar.tif", bands=1, side=192)
    labels = raster("labels.tif", side=192, values=codes)
    cut = ["--labels", labels, "--legend", "sentinel-5", "--size", "32", "--split-by", "random", "-o", "tiles"]
    assert rsfuse("tile", scene, "--sar", sar, *cut).exit_code == 0
    return tmp_path / "tiles"


def words(result):
    """Standard output without the lines of tables."""
    assert result.exit_code == 0, result.stderr
    return " ".join("".join(each if each.isprintable() and each not in "│┃" else " " for each in result.stdout).split())


def test_it_shows_what_there_is(rsfuse, tiles):
    told = words(rsfuse("info", "tiles"))
    for part in (
        "36: 26 train, 5 val, 5 test",
        "1 scene: scene",
        "32 x 32 px, 10 m a pixel",
        "optical, SAR, labels: GeoTIFF",
        "EPSG:32650",
        "at least 10% of a tile with data",
        "by chance",
        "optical (uint8, DN), over",
        "SAR (uint8, DN), over",
        "band min 1 % mean median std 99 % max",
        "labelled pixels",
        "low vegetation",
        "contact sheet: tiles_contact.png",
    ):
        assert part in told
    with Image.open(tiles.parent / "tiles_contact.png") as sheet:
        assert sheet.size[0] > 1000


def test_the_numbers_of_a_band_are_those_of_the_manifest(rsfuse, tiles):
    band = json.loads((tiles / "tiles.json").read_text())["rsfuse"]["statistics"]["sar"][0]
    row = next(line for line in reversed(rsfuse("info", "tiles").stdout.splitlines()) if "band 1" in line)
    _, low, _, mean, median, std, _, high = (cell.strip() for cell in row.strip("│ ").split("│"))
    told = [float(each) for each in (low, mean, median, std, high)]
    expected = [band["minimum"], band["mean"], band["percentiles"]["50"], band["std"], band["maximum"]]
    assert told == pytest.approx(expected, rel=1e-3)


def test_the_tiles_are_left_as_they_are(rsfuse, tiles, monkeypatch):
    before = sorted(tiles.rglob("*"))
    words(rsfuse("info", "tiles"))
    monkeypatch.chdir(tiles)
    result = rsfuse("info", ".")
    assert "contact sheet" not in words(result)
    assert "--sheet" in result.stderr
    assert sorted(tiles.rglob("*")) == before


def test_a_sheet_that_is_there_stays_and_everything_else_is_shown(rsfuse, tiles, tmp_path):
    (tmp_path / "tiles_contact.png").write_text("precious")
    result = rsfuse("info", "tiles")
    assert "labelled pixels" in words(result)
    assert "tiles_contact.png exists already" in result.stderr
    assert (tmp_path / "tiles_contact.png").read_text() == "precious"
    assert "contact sheet: tiles_contact.png" in words(rsfuse("info", "tiles", "--overwrite"))
    assert (tmp_path / "tiles_contact.png").stat().st_size > 1000


def test_a_sheet_that_was_asked_for_must_be_drawn(rsfuse, tiles, tmp_path):
    assert "contact sheet: mine.png" in words(rsfuse("info", "tiles", "--sheet", "mine.png"))
    (tmp_path / "mine.png").write_text("precious")
    result = rsfuse("info", "tiles", "--sheet", "mine.png")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "mine.png exists already" in result.stderr
    assert (tmp_path / "mine.png").read_text() == "precious"
    assert not (tmp_path / "tiles_contact.png").exists()


def test_json_is_one_document_that_names_the_sheet(rsfuse, tiles, tmp_path):
    found = json.loads(rsfuse("info", "tiles", "--json").stdout)
    assert (found["kind"], found["sheet"]) == ("tiles", "tiles_contact.png")
    assert (tmp_path / found["sheet"]).is_file()
    again = rsfuse("info", "tiles", "--json")
    assert json.loads(again.stdout)["sheet"] is None
    assert "exists already" in again.stderr


def test_no_sheet_is_drawn_where_none_is_wanted(rsfuse, tiles, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert "contact sheet" not in words(rsfuse("info", "tiles", "--no-sheet"))
    assert json.loads(rsfuse("info", "tiles", "--no-sheet", "--json").stdout)["sheet"] is None
    assert sorted(tmp_path.iterdir()) == before
    assert rsfuse("info", "tiles", "--no-sheet", "--sheet", "a.png").exit_code == 2


def test_there_is_no_sheet_of_a_raster(rsfuse, raster, tmp_path):
    scene = raster("scene.tif", side=64)
    before = sorted(tmp_path.iterdir())
    assert "bands, sampled over the whole raster" in words(rsfuse("info", scene))
    result = rsfuse("info", scene, "--sheet", "a.png")
    assert result.exit_code == 2
    assert "raster" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_windows_of_scenes_are_called_so(rsfuse, raster):
    labels = raster("labels.tif", side=128, values=np.zeros((1, 128, 128), np.uint8))
    cut = ["--size", "32", "--split", "train", "--legend", "sentinel-5", "--manifest-only", "--no-survey", "-o", "plan"]
    assert rsfuse("tile", raster("scene.tif", side=128), "--labels", labels, *cut, "--halo", "4").exit_code == 0
    told = words(rsfuse("info", "plan"))
    assert "windows of the scenes, no pixel was copied" in told
    assert "4 px shared with each neighbour" in told
    assert "0 water, 1 built-up, 2 trees, 3 low vegetation, 4 bare; not counted yet" in told
    assert "of a tile with data" not in told


def test_patches_for_sharpening_are_understood(rsfuse, tmp_path):
    chance = np.random.default_rng(0)
    with h5py.File(tmp_path / "train_wv2.h5", "w") as file:
        shapes = {"gt": (3, 8, 16, 16), "ms": (3, 8, 4, 4), "lms": (3, 8, 16, 16), "pan": (3, 1, 16, 16)}
        for key, shape in shapes.items():
            file[key] = chance.uniform(1, 2000, shape)
    assert rsfuse("tile", "--dataset", "pancollection", tmp_path, "-o", "set").exit_code == 0
    told = words(rsfuse("info", "set"))
    for part in ("3: 3 train", "sensor wv2", "coastal, blue, green, yellow, red", "2047", "ms (float64, DN), over"):
        assert part in told
    assert "contact sheet: set_contact.png" in told
    assert (tmp_path / "set_contact.png").is_file()
