"""Asked for again a tile set stays as it is, asked for otherwise it says what differs, and nothing else is removed."""

from dataclasses import replace

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, OutputError, RsfuseError, TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.legend import NODATA, Legend
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.scene import Bands
from rsfuse.raster.tiling import cutting
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
BLOCKS = SplitRule("blocks", Shares(0.2), block=32)
SIDE = 160


@pytest.fixture
def paths(tmp_path):
    chance = np.random.default_rng(0)
    layers = {
        "optical": chance.integers(1, 255, (3, SIDE, SIDE)).astype(np.uint8),
        "sar": chance.integers(1, 255, (1, SIDE, SIDE)).astype(np.uint8),
        "labels": chance.choice([*LEGEND.codes, 255], (1, SIDE, SIDE)).astype(np.uint8),
    }
    for name, pixels in layers.items():
        profile = {"driver": "GTiff", "count": len(pixels), "height": SIDE, "width": SIDE, "dtype": "uint8"}
        profile |= {"tiled": True, "blockxsize": 16, "blockysize": 16}
        place = Affine(10, 0, 500_000, 0, -10, 4_000_000)
        with rasterio.open(tmp_path / f"{name}.tif", "w", crs="EPSG:32650", transform=place, **profile) as file:
            file.write(pixels)
    return {name: tmp_path / f"{name}.tif" for name in layers}


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(cutting, "_UNIT_BYTES", 16 * 16 * 4 * 3)  # a tile or a few at once


def as_dataset(paths, **coding):
    return own_dataset(*([paths[key]] for key in ("optical", "sar", "labels")), LEGEND, **coding)


def cut(paths, folder, dataset=None, **settings):
    dataset = dataset or as_dataset(paths)
    return tile(dataset, folder, TileSettings(**{"size": 16, "rule": BLOCKS, "workers": 1, **settings}))


def everything(folder):
    """Every file and folder of a folder, and the bytes of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def half_finished(paths, folder, **settings):
    """A run that is over after the first unit."""

    def interrupt(done, _):
        if done == 2:  # the first is the statistics of the scene
            raise KeyboardInterrupt

    asked = TileSettings(**{"size": 16, "rule": BLOCKS, "workers": 1, **settings})
    with pytest.raises(KeyboardInterrupt):
        tile(as_dataset(paths), folder, asked, progress=interrupt)


CHANGES = {
    "size": {"size": 24},
    "halo": {"halo": 2},
    "edge": {"edge": "shift"},
    "split-by": {"rule": replace(BLOCKS, by="random")},
    "val": {"rule": replace(BLOCKS, shares=Shares(0.3))},
    "test": {"rule": replace(BLOCKS, shares=Shares(0.2, 0.1))},
    "split": {"rule": SplitRule("none", Shares(0.2), block=32)},
    "list": {"rule": replace(BLOCKS, by="list", names={"optical": "train"})},
    "seed": {"rule": replace(BLOCKS, seed=7)},
    "block": {"rule": replace(BLOCKS, block=48)},
    "guard": {"rule": replace(BLOCKS, gap=17)},
    "crop": {"crop": Crop(pixels=(0, 0, 96, 160))},
    "optical-bands": {"bands": Bands((3, 2, 1))},
    "sar-bands": {"bands": Bands(None, (1,))},
    "label-field": {"label_field": "class"},
    "min-valid": {"min_valid": 0.2},
    "manifest-only": {"copy": False},
    "compress": {"compression": "deflate"},
}


def test_every_option_that_decides_what_the_tiles_hold_is_among_these_changes(paths):
    options = TileSettings().options(as_dataset(paths), BLOCKS)
    assert {name.replace("_", "-") for name in options} == {
        *CHANGES,
        "dataset",
        "survey",
        "label-values",
    }  # which have tests below


@pytest.mark.parametrize("finished", [False, True])
def test_a_changed_option_is_told_and_the_same_one_goes_on(paths, tmp_path, finished):
    folder = tmp_path / "tiles"
    (cut if finished else half_finished)(paths, folder)
    before = everything(folder)
    for name, change in CHANGES.items():
        with pytest.raises(TileSetError, match="was begun with other options: ") as caught:
            cut(paths, folder, **change)
        told = str(caught.value).partition("other options: ")[2]
        assert name in {told.partition(" was ")[0], *told.replace("_", "-").rstrip(")").replace(": ", ", ").split(", ")}
        assert "--overwrite" in caught.value.hint
    with pytest.raises(TileSetError, match="dataset was , now it is whu"):
        cut(paths, folder, replace(as_dataset(paths), name="whu"))
    assert everything(folder) == before
    assert cut(paths, folder, workers=2).again is finished
    assert cut(paths, folder).again
    cut(paths, tmp_path / "whole")
    assert everything(folder) == everything(tmp_path / "whole")


def test_a_survey_that_was_left_out_or_not_is_an_option(paths, tmp_path):
    cut(paths, tmp_path / "tiles", copy=False)
    with pytest.raises(TileSetError, match="survey was True, now it is False"):
        cut(paths, tmp_path / "tiles", copy=False, survey=False)


@pytest.mark.parametrize("finished", [False, True])
def test_another_legend_or_a_changed_scene_is_told(paths, tmp_path, finished):
    folder = tmp_path / "tiles"
    (cut if finished else half_finished)(paths, folder)
    other = replace(as_dataset(paths), legend=Legend(LEGEND.classes, (NODATA, 77)))
    with pytest.raises(TileSetError, match="legend was "):
        cut(paths, folder, other)
    size = sum(path.stat().st_size for path in paths.values())
    with paths["sar"].open("ab") as file:
        file.write(b"one more")
    with pytest.raises(TileSetError, match=rf"scenes was optical \({size} bytes\), now it is optical \({size + 8} "):
        cut(paths, folder)


def test_another_meaning_of_the_labels_is_told(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    coding = LabelCoding.of(LEGEND).extended(codes={0: 4, 4: 0})
    with pytest.raises(TileSetError, match="other options: label-values was codes: 0: 0, now it is codes: 0: 4"):
        cut(paths, tmp_path / "tiles", as_dataset(paths, coding=coding))


def test_other_official_lists_are_told(paths, tmp_path):
    scene = as_dataset(paths).scenes[0]
    datasets = [
        replace(as_dataset(paths), scenes=(replace(scene, split=split),), split_source="authors")
        for split in ("train", "val")
    ]
    cut(paths, tmp_path / "tiles", datasets[0], rule=SplitRule())
    with pytest.raises(TileSetError, match="other options: list was optical: train, now it is optical: val"):
        cut(paths, tmp_path / "tiles", datasets[1], rule=SplitRule())


def test_overwriting_begins_anew_and_leaves_what_is_not_tiles(paths, tmp_path):
    folder = tmp_path / "tiles"
    cut(paths, folder)
    (folder / "notes.txt").write_text("mine")
    assert not cut(paths, folder, size=24, overwrite=True).again
    cut(paths, tmp_path / "whole", size=24)
    left = everything(folder)
    assert left.pop("notes.txt") == b"mine"
    assert left == everything(tmp_path / "whole")
    half_finished(paths, tmp_path / "half")
    cut(paths, tmp_path / "half", size=24, overwrite=True)
    assert everything(tmp_path / "half") == everything(tmp_path / "whole")


def test_a_folder_of_somebody_else_is_refused(paths, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty, and holds no tiles") as caught:
        cut(paths, tmp_path / "mine")
    assert "--overwrite" in caught.value.hint
    with pytest.raises(OutputError, match=r"notes\.txt is a file"):
        cut(paths, tmp_path / "mine/notes.txt")
    assert everything(tmp_path / "mine") == {"notes.txt": b"mine"}


def test_overwriting_never_removes_the_scenes(paths, tmp_path):
    for name, path in paths.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        paths[name] = path.rename(tmp_path / "data" / name / "a.tif")
    before = everything(tmp_path / "data")
    with pytest.raises(RsfuseError):
        cut(paths, tmp_path / "data", overwrite=True)
    assert {**everything(tmp_path / "data"), **before} == everything(tmp_path / "data")


def test_overwriting_with_labels_that_are_refused_leaves_what_was_there(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    before = everything(tmp_path / "tiles")
    with rasterio.open(paths["labels"], "r+") as file:
        file.write(np.full((1, SIDE, SIDE), 99, np.uint8))
    with pytest.raises(LegendMismatchError, match="99"):
        cut(paths, tmp_path / "tiles", overwrite=True)
    assert everything(tmp_path / "tiles") == before


def test_labels_that_were_corrected_are_told_though_their_file_is_as_large_as_before(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    size = paths["labels"].stat().st_size
    with rasterio.open(paths["labels"], "r+") as file:
        file.write(np.full((1, SIDE, SIDE), 2, np.uint8))
    assert paths["labels"].stat().st_size == size
    with pytest.raises(TileSetError, match="was begun with other options: scenes"):
        cut(paths, tmp_path / "tiles")


def test_other_polygons_of_a_crop_are_told(paths, tmp_path):
    def draw(side):
        shape = shapely.box(500_000, 4_000_000 - 10 * side, 500_000 + 10 * side, 4_000_000)
        wkb = shapely.to_wkb(np.array([shape], object))
        pyogrio.raw.write(tmp_path / "part.fgb", wkb, [], [], geometry_type="Polygon", crs="EPSG:32650")
        return Crop(polygons=tmp_path / "part.fgb")

    cut(paths, tmp_path / "tiles", rule=SplitRule("none"), crop=draw(70))
    with pytest.raises(TileSetError, match="was begun with other options: "):
        cut(paths, tmp_path / "tiles", rule=SplitRule("none"), crop=draw(79))
