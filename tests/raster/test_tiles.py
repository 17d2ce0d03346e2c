"""TileSet: copies and scenes read the same, from any thread and process, and what is missing is told."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, SceneError, TileSetError
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster import tiles as tiles_module
from rsfuse.raster.crop import Crop
from rsfuse.raster.scene import Bands
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
LEGEND = LEGENDS["sentinel-5"]
SHAPE = 70, 100
SETTINGS = TileSettings(size=32, halo=3, rule=SplitRule("none"), workers=1)


@pytest.fixture
def draw(tmp_path):
    """A function from a name, shapes in pixels and their classes to a file of polygons in degrees."""

    def make(name, shapes, classes=None):
        on_map = [shapely.transform(each, lambda at: np.stack(PLACE * (at[:, 0], at[:, 1]), 1)) for each in shapes]
        columns = [np.array(classes, object)] if classes else []
        wkb = shapely.to_wkb(np.array(on_map, object))
        fields = ["class"] if classes else []
        pyogrio.raw.write(tmp_path / name, wkb, columns, fields, geometry_type="Polygon", crs="EPSG:32722")
        return tmp_path / name

    return make


@pytest.fixture
def paths(write_raster, noise, draw):
    """Two rasters of one place, each with a hole, a SAR on another grid, and labels of all kinds."""
    pixels = noise((3, *SHAPE), "uint16")
    pixels[:, 5:9, 40:50] = 0
    sar = noise((2, *SHAPE), "float32") / 7
    sar[:, 50:60, 3:30] = np.nan
    codes = np.random.default_rng(1).choice([*LEGEND.codes, NODATA], (1, *SHAPE)).astype(np.uint8)
    shapes = [shapely.box(4, 6, 40, 50), shapely.Point(60, 40).buffer(20)]
    return {
        "optical": write_raster("optical.tif", pixels, nodata=0, descriptions=("red", "green", "blue")),
        "sar": write_raster("sar.tif", sar),
        "warped": write_raster("warped.tif", noise((1, 90, 130)), transform=PLACE * Affine.translation(-3.3, -4.6)),
        "labels": write_raster("labels.tif", codes),
        "coarse": write_raster("coarse.tif", codes[:, ::2, ::2], transform=PLACE * Affine.scale(2)),
        "numbers": write_raster("numbers.tif", np.where(codes == NODATA, 0, codes.astype(np.int16) * 100 + 100)),
        "polygons": draw("drawn.gpkg", shapes, ["water", "Trees"]),
        "area": draw("area.gpkg", [shapely.Polygon([(10, 10), (90, 20), (80, 66), (20, 60)])]),
    }


TIMES_100 = LabelCoding({0: NODATA, **{100 * code + 100: code for code in LEGEND.codes}})


def both(paths, tmp_path, layers, coding=None, **settings):
    """The same tiles as copies and as windows."""
    files = ([paths[each]] if each else [] for each in ("optical", *layers))
    dataset = own_dataset(*files, LEGEND, coding)
    for name, copy in (("copies", True), ("windows", False)):
        tile(dataset, tmp_path / name, replace(SETTINGS, copy=copy, **settings))
    return TileSet(tmp_path / "copies"), TileSet(tmp_path / "windows")


def assert_same(one, two, atol=0.0):
    """Whether two samples are the same; where a sensor has no data the copies are 0 in all of them."""
    here = one.sample.valid
    np.testing.assert_array_equal(here, two.sample.valid)
    np.testing.assert_array_equal(one.sample.optical, np.where(here, two.sample.optical, 0))
    np.testing.assert_allclose(one.sample.sar, np.where(here, two.sample.sar, 0), atol=atol)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.sample.optical.dtype == two.sample.optical.dtype == np.float32


CASES = {
    "sar": (("sar", "labels"), {}),
    "no sar": (("", "labels"), {}),
    "warped sar": (("warped", "labels"), {}),
    "labels on another grid": (("sar", "coarse"), {}),
    "other numbers": (("", "numbers"), {"coding": TIMES_100}),
    "polygons": (("", "polygons"), {}),
    "polygons, field": (("sar", "polygons"), {"label_field": "class"}),
    "crop by polygon": (("warped", "labels"), {"crop": Crop(polygons="area")}),
    "crop by pixels": (("sar", "polygons"), {"crop": Crop(pixels=(13, 7, 80, 60))}),
    "bands": (("sar", "labels"), {"bands": Bands((3, 1), (2,))}),
    "shifted": (("sar", "labels"), {"edge": "shift"}),
}


@pytest.mark.parametrize("case", CASES)
def test_windows_of_scenes_read_like_copies(paths, tmp_path, case):
    layers, settings = CASES[case]
    if settings.get("crop") == Crop(polygons="area"):
        settings = {"crop": Crop(polygons=paths["area"])}
    copies, windows = both(paths, tmp_path, layers, **settings)
    assert sorted(path.name for path in (tmp_path / "windows").iterdir()) == ["tiles.json"]
    assert copies.manifest.tiles == windows.manifest.tiles
    assert copies.manifest.statistics == windows.manifest.statistics
    atol = 1e-3 if "warped" in layers else 0  # a warp of a larger window rounds elsewhere
    for entry in copies.manifest.tiles:
        one, two = copies.read(entry), windows.read(entry)
        assert_same(one, two, atol)
        here = Window(3, 5, 20, 11)
        part = windows.read(entry, here)
        assert_same(copies.read(entry, here), part, atol)
        np.testing.assert_array_equal(part.labels, two.labels[5:16, 3:23])
        np.testing.assert_array_equal(part.sample.optical, two.sample.optical[:, 5:16, 3:23])
        labels = one.labels[one.sample.valid]
        counted = {code: int((labels == code).sum()) for code in LEGEND.codes if (labels == code).any()}
        assert copies.count(entry) == windows.count(entry) == counted
    assert any(entry.classes for entry in copies.manifest.tiles)


def test_a_tile_larger_than_its_scene_reads_the_same(paths, tmp_path):
    copies, windows = both(paths, tmp_path, ("sar", "labels"), size=128, edge="shift")
    (entry,) = copies.manifest.tiles
    assert entry.window == (0, 0, 128, 128)
    assert_same(copies.read(entry), windows.read(entry))
    assert_same(copies.read(entry, Window(80, 50, 32, 32)), windows.read(entry, Window(80, 50, 32, 32)))


def test_a_part_of_a_tile_that_lies_outside_its_scene_is_not_valid(paths, tmp_path):
    copies, windows = both(paths, tmp_path, ("", "labels"), size=128, edge="shift")
    (entry,) = copies.manifest.tiles
    assert not copies.read(entry, Window(104, 80, 16, 16)).sample.valid.any()
    assert not windows.read(entry, Window(104, 80, 16, 16)).sample.valid.any()


def summed(tiles, entry):
    read = tiles.read(entry)
    return float(read.sample.optical.sum()), float(read.sample.sar.sum()), int(read.labels.sum())


@pytest.mark.parametrize("name", ["copies", "windows"])
def test_threads_and_processes_read_the_same(paths, tmp_path, name):
    tiles = dict(zip(("copies", "windows"), both(paths, tmp_path, ("warped", "labels")), strict=True))[name]
    entries = list(tiles.manifest.tiles) * 3
    expected = [summed(tiles, entry) for entry in entries]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(summed, [tiles] * len(entries), entries)) == expected
    some = entries[:3]
    # no forks: PROJ's data base may be locked at that moment, and is so in the child for good
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        assert list(processes.map(summed, [tiles] * 3, some)) == expected[:3]
    assert summed(pickle.loads(pickle.dumps(tiles)), entries[0]) == expected[0]


def test_more_scenes_than_may_be_open_are_read(write_raster, noise, tmp_path, monkeypatch):
    monkeypatch.setattr(tiles_module, "_OPEN_SCENES", 2)
    place = [PLACE * Affine.translation(100 * number, 0) for number in range(4)]
    optical = [write_raster(f"o{n}.tif", noise((1, 32, 32), seed=n), transform=at) for n, at in enumerate(place)]
    labels = [write_raster(f"l{n}.tif", noise((1, 32, 32), seed=n) % 5, transform=at) for n, at in enumerate(place)]
    tile(own_dataset(optical, [], labels, LEGEND), tmp_path / "tiles", replace(SETTINGS, halo=0, copy=False))
    tiles = TileSet(tmp_path / "tiles")
    for number in (0, 1, 2, 0, 3, 1):
        read = tiles.read(tiles.manifest.tiles[number])
        np.testing.assert_array_equal(read.sample.optical, noise((1, 32, 32), seed=number))


def test_without_a_survey_classes_are_counted_when_asked(paths, tmp_path):
    dataset = own_dataset([paths["optical"]], [paths["sar"]], [paths["labels"]], LEGEND)
    told = []
    report = tile(
        dataset, tmp_path / "quick", replace(SETTINGS, copy=False, survey=False), progress=lambda *at: told.append(at)
    )
    tile(dataset, tmp_path / "thorough", replace(SETTINGS, copy=False))
    quick, thorough = TileSet(tmp_path / "quick"), TileSet(tmp_path / "thorough")
    assert [(entry.valid, entry.classes) for entry in quick.manifest.tiles] == [(None, None)] * len(
        report.manifest.tiles
    )
    assert [quick.count(entry) for entry in quick.manifest.tiles] == [
        thorough.count(entry) for entry in thorough.manifest.tiles
    ]
    assert quick.manifest.statistics == quick.manifest.scenes[0].statistics == thorough.manifest.scenes[0].statistics
    assert quick.manifest.statistics_of == "a sample of whole scenes"
    assert quick.manifest.balance == {"train": dict.fromkeys(LEGEND.codes, 0)}


def test_an_unknown_code_that_nobody_looked_for_is_told_when_it_is_read(paths, tmp_path, write_raster):
    codes = np.full((1, *SHAPE), 77, np.uint8)
    dataset = own_dataset([paths["optical"]], [], [write_raster("odd.tif", codes)], LEGEND)
    tile(dataset, tmp_path / "tiles", replace(SETTINGS, copy=False, survey=False))
    tiles = TileSet(tmp_path / "tiles")
    with pytest.raises(LegendMismatchError, match=r"odd\.tif.* 77 \("):
        tiles.count(tiles.manifest.tiles[0])


@pytest.mark.parametrize("layer", ["optical", "sar", "labels"])
def test_a_scene_that_is_gone_or_changed_is_told(paths, tmp_path, layer):
    _, windows = both(paths, tmp_path, ("sar", "labels"))
    size = windows.manifest.scenes[0].bytes
    with paths[layer].open("ab") as file:
        file.write(b"1234")
    with pytest.raises(
        TileSetError, match=f"scene 'optical' had {size} bytes when .*windows was planned, and have {size + 4}"
    ):
        TileSet(tmp_path / "windows")
    paths[layer].unlink()
    with pytest.raises(TileSetError, match=rf"reads from .*{layer}\.tif, which is not there any more") as caught:
        TileSet(tmp_path / "windows")
    assert "--manifest-only" in caught.value.hint
    assert len(TileSet(tmp_path / "copies").manifest.tiles) > 1  # copies need no scene


def test_tiles_that_are_missing_or_damaged_are_told(paths, tmp_path):
    copies, _ = both(paths, tmp_path, ("sar", "labels"))
    (tmp_path / "copies/sar/optical_r000c001.tif").write_bytes(b"II*\0 and no more")
    with pytest.raises(SceneError, match=r"sar/optical_r000c001\.tif"):
        copies.read(copies.manifest.tiles[1])
    (tmp_path / "copies/sar/optical_r000c001.tif").unlink()
    with pytest.raises(
        TileSetError, match=r"sar lacks 1 of \d+ tiles, the first of them optical_r000c001\.tif"
    ) as caught:
        TileSet(tmp_path / "copies")
    assert "--overwrite" in caught.value.hint


def test_a_folder_that_is_none_is_told(tmp_path):
    with pytest.raises(TileSetError, match=r"is not a tile set: it has no tiles\.json"):
        TileSet(tmp_path)


def test_tiles_are_selected_by_split(paths, tmp_path):
    dataset = own_dataset([paths["optical"]], [], [paths["labels"]], LEGEND)
    tile(dataset, tmp_path / "tiles", replace(SETTINGS, size=16, halo=0, rule=SplitRule("random")))
    tiles = TileSet(tmp_path / "tiles")
    parts = [tiles.select(split) for split in ("train", "val", "test")]
    assert all(
        entry.split == split for part, split in zip(parts, ("train", "val", "test"), strict=True) for entry in part
    )
    assert sum(map(len, parts)) == len(tiles.manifest.tiles) == 24
    assert all(parts)
