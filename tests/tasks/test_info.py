"""`info` says what a thing is, in plain data that JSON can hold."""

import json
from runpy import run_path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image

from rsfuse.errors import OutputError, RsfuseError, TileSetError
from rsfuse.legends import LEGENDS
from rsfuse.raster.sharpening.patches import write_sharpening_set
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.tile_plan import SplitRule
from rsfuse.tasks.info import PICTURED, draw_sheet, info
from rsfuse.tasks.tile import TileSettings, tile

RANDOM = SplitRule(by="random")


@pytest.fixture
def dataset(write_raster):
    chance = np.random.default_rng(0)
    layers = {
        "scene": chance.integers(1, 1023, (4, 128, 192), np.uint16),
        "sar": chance.normal(-12, 3, (1, 128, 192)).astype(np.float32),
        "labels": chance.choice([0, 1, 2, 3, 4, 255], (1, 128, 192)).astype(np.uint8),
    }
    files = {name: [write_raster(f"{name}.tif", pixels)] for name, pixels in layers.items()}
    return own_dataset(files["scene"], files["sar"], files["labels"], LEGENDS["sentinel-5"])


@pytest.fixture
def folder(dataset, tmp_path):
    tile(dataset, tmp_path / "tiles", TileSettings(size=32, rule=RANDOM, workers=1))
    return tmp_path / "tiles"


@pytest.fixture
def patches(tmp_path):
    """A set of two training patches, one for validation and one of full resolution."""
    root, chance = tmp_path / "gf2", np.random.default_rng(0)
    root.mkdir()
    for name, count in {"train_gf2.h5": 2, "valid_gf2.h5": 1, "test_gf2_OrigScale_multiExm1.h5": 1}.items():
        held = {"ms": (count, 4, 4, 4), "lms": (count, 4, 16, 16), "pan": (count, 1, 16, 16)}
        with h5py.File(root / name, "w") as file:
            for key, shape in (held if "Orig" in name else held | {"gt": (count, 4, 16, 16)}).items():
                file[key] = chance.uniform(1, 1000, shape)
    write_sharpening_set(root, tmp_path / "set")
    return tmp_path / "set"


def plain(thing):
    """What comes back from JSON, which must hold no NaN."""
    return json.loads(json.dumps(info(str(thing)), allow_nan=False))


def test_tiles_are_told_as_the_manifest_has_them(folder):
    found, manifest = plain(folder), TileSet(folder).manifest
    assert found["kind"] in PICTURED
    assert found["tiles"] == 24 == sum(found["splits"].values())
    assert all(found["splits"].values())
    assert found["sizes"] == [{"width": 32, "height": 32, "tiles": 24}]
    assert found["gsd_m"] == pytest.approx(10, abs=0.02)
    assert found["split"] == manifest.split
    assert [scene["name"] for scene in found["scenes"]] == ["scene"]


def test_bands_have_their_statistics(folder):
    found, statistics = plain(folder), TileSet(folder).manifest.statistics
    told = [(band["sensor"], band["unit"], band["mean"]) for band in found["bands"]]
    assert told == [
        *(("optical", "DN", band.mean) for band in statistics.optical),
        ("SAR", "dB", statistics.sar[0].mean),
    ]


def test_the_balance_counts_every_labelled_pixel(folder):
    tiles, balance = TileSet(folder), plain(folder)["balance"]
    for split, counts in balance.items():
        codes = np.concatenate([tiles.read(entry).labels.ravel() for entry in tiles.select(split)])
        assert counts == {str(code): int((codes == code).sum()) for code in range(5)}


def test_what_nobody_has_counted_is_not_told(dataset, tmp_path):
    tile(dataset, tmp_path / "tiles", TileSettings(size=32, rule=RANDOM, copy=False, survey=False, workers=1))
    assert plain(tmp_path / "tiles")["balance"] is None


def test_patches_for_sharpening_are_told(patches):
    found = plain(patches)
    assert (found["kind"], found["sensor"], found["maximum"], found["ratio"]) == ("sharpening", "gf2", 1023, 4)
    assert found["splits"] == {"train": 2, "val": 1, "test": 0, "full": 1}
    assert found["patches"] == 4
    assert found["band_names"] == ["blue", "green", "red", "nir"]
    assert [band["name"] for band in found["bands"]] == ["blue", "green", "red", "nir", "pan"]
    assert found["sizes"][0] == {"split": "train", "width": 16, "height": 16, "patches": 2}
    (patches.parent / "gf2/train_gf2.h5").unlink()
    with pytest.raises(TileSetError, match=r"train_gf2\.h5"):
        info(str(patches))


def test_a_set_without_training_patches_has_no_statistics(patches, tmp_path):
    (tmp_path / "gf2/train_gf2.h5").unlink()
    write_sharpening_set(tmp_path / "gf2", tmp_path / "tests")
    assert plain(tmp_path / "tests")["bands"] == []
    draw_sheet(tmp_path / "tests", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[1] > 192


def test_a_raster_is_told(write_raster):
    values = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40)
    found = plain(write_raster("scene.tif", values))
    assert (found["kind"], found["height"], found["width"], found["crs"]) == ("raster", 30, 40, "EPSG:32650")
    assert [band["mean"] for band in found["bands"]] == [values[0].mean(), values[1].mean()]


def test_a_recipe_is_told():
    assert plain("pad_demo")["kind"] == "recipe"


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(RsfuseError, match=r"neither a bundle .* nor tiles"):
        info(str(tmp_path))


@pytest.mark.parametrize("kind", ["folder", "patches"])
def test_a_sheet_is_drawn_and_replaced_on_request_only(kind, request, tmp_path):
    folder, path = request.getfixturevalue(kind), tmp_path / "sheet.png"
    draw_sheet(folder, path)
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.mode) == ("PNG", "RGB")
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"sheet\.png exists already") as caught:
        draw_sheet(folder, path)
    assert "--sheet" in caught.value.hint
    assert path.read_text() == "precious"
    draw_sheet(folder, path, overwrite=True)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(("name", "told"), [("sheet.jpg", "is not named like one"), ("no/sheet.png", "no folder")])
def test_a_sheet_has_its_place(folder, tmp_path, name, told):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=told):
        draw_sheet(folder, tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_raster_that_polynomials_tie_to_the_ground_says_so(tmp_path, repository):
    products = SimpleNamespace(**run_path(str(repository / "tests" / "gaofen_products.py")))
    image = next(products.write_wfv(tmp_path).path.glob("*.tiff"))
    for ending in (".tiff", ".rpb"):
        image.with_suffix(ending).rename(tmp_path / f"plain{ending}")
    told = info(str(tmp_path / "plain.tiff"))
    assert told["crs"] is None
    assert "RPC" in told["geometry"]
