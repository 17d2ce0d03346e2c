"""Tiles hold the scene's pixels unchanged, lie where they say, and are described by their manifest."""

import json
import math

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, SceneError, TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import Bands, Scene
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling import cutting
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
PLACE = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 4_000_000.0)
ALL = SplitRule(by="none")
SHAPE = 150, 200


def write(path, pixels, mask=None, descriptions=None, units=None, **profile):
    """An array (bands, h, w) as a raster at PLACE, or elsewhere."""
    profile = {"crs": "EPSG:32650", "transform": PLACE, "photometric": "MINISBLACK", "dtype": pixels.dtype} | profile
    count, height, width = pixels.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, **profile) as file,
    ):
        file.write(pixels)
        if descriptions:
            file.descriptions = descriptions
        if units:
            file.units = units
        if mask is not None:
            file.write_mask(mask)
    return path


@pytest.fixture
def paths(tmp_path):
    """Four bands of a satellite of 10 bits with a hole, SAR in dB with another, codes of all classes and none."""
    chance = np.random.default_rng(0)
    optical = chance.integers(1, 1023, (4, *SHAPE)).astype(np.uint16)
    optical[:, 5:9, 40:50] = 0
    seen = np.ones(SHAPE, np.bool_)
    seen[60:70, 100:140] = False
    sar = chance.normal(-12, 3, (2, *SHAPE)).astype(np.float32)
    codes = chance.choice([0, 1, 2, 3, 4, 255], (1, *SHAPE)).astype(np.uint8)
    return {
        "optical": write(tmp_path / "optical.tif", optical, nodata=0, descriptions=("blue", "green", "red", "nir")),
        "sar": write(tmp_path / "sar.tif", sar, seen, ("VV", "VH")),
        "labels": write(tmp_path / "labels.tif", codes),
    }


def cut(paths, folder, legend=LEGEND, coding=None, **settings):
    dataset = own_dataset(
        *([paths[key]] if key in paths else [] for key in ("optical", "sar", "labels")), legend, coding
    )
    return tile(dataset, folder, TileSettings(**{"size": 32, "rule": ALL, "workers": 1, **settings}))


def stored(path, window=None):
    with rasterio.open(path) as file:
        return file.read(window=window)


@pytest.mark.parametrize("compression", ["none", "zstd", "deflate"])
def test_tiles_hold_the_pixels_types_and_place_of_the_scene(paths, tmp_path, compression):
    report = cut(paths, tmp_path / "tiles", compression=compression)
    tiles = TileSet(tmp_path / "tiles")
    assert report.splits == {"train": 4 * 6}
    assert not report.again
    places = {(column * 32, row * 32, 32, 32) for row in range(4) for column in range(6)}
    assert {entry.window for entry in tiles.manifest.tiles} == places
    both = (stored(paths["optical"]) > 0).any(0) & (rasterio.open(paths["sar"]).dataset_mask() > 0)
    for entry in tiles.manifest.tiles:
        window = Window(*entry.window)
        for kind in ("optical", "sar", "labels"):
            with rasterio.open(paths[kind]) as source, rasterio.open(tiles.folder / kind / f"{entry.name}.tif") as part:
                here = both[window.toslices()] if kind != "labels" else np.ones((32, 32), np.bool_)
                np.testing.assert_array_equal(part.read()[:, here], source.read(window=window)[:, here])
                assert part.dtypes == source.dtypes
                assert part.crs == source.crs
                assert part.transform.almost_equals(source.window_transform(window))
                assert kind == "labels" or part.descriptions == source.descriptions
                assert part.block_shapes[0] == (32, 32)
                assert (part.compression is not None) == (compression != "none")
                if kind != "labels":
                    np.testing.assert_array_equal(part.dataset_mask() > 0, here)


@pytest.mark.parametrize(
    ("dtype", "tile_dtype"),
    [("uint8", "uint8"), ("uint16", "uint16"), ("int16", "int16"), ("float32", "float32"), ("float64", "float32"),
     ("int32", "float32"), ("uint32", "float32")],
)  # fmt: skip
@pytest.mark.parametrize("sar", [True, False])
def test_what_is_read_from_tiles_is_what_is_read_from_the_scene(paths, tmp_path, dtype, tile_dtype, sar):
    values = np.random.default_rng(1).integers(1, 120, (3, *SHAPE)).astype(dtype)
    values[:, 10:30, 10:20] = 0
    paths["optical"] = write(tmp_path / "typed.tif", values, nodata=0)
    if not sar:
        del paths["sar"]
    cut(paths, tmp_path / "tiles", crop=Crop(pixels=(0, 0, 150, 80)))
    tiles = TileSet(tmp_path / "tiles")
    assert tiles.manifest.layers == (("optical", "sar", "labels") if sar else ("optical", "labels"))
    assert tiles.manifest.statistics.optical[0].dtype == dtype
    codes = stored(paths["labels"])[0]
    with Scene(paths["optical"], paths.get("sar")) as scene:
        for entry in tiles.manifest.tiles:
            window, read = Window(*entry.window), tiles.read(entry)
            expected = scene.read(window)
            np.testing.assert_array_equal(read.sample.valid, expected.valid)
            np.testing.assert_array_equal(read.sample.optical, np.where(expected.valid, expected.optical, 0))
            np.testing.assert_array_equal(read.sample.sar, np.where(expected.valid, expected.sar, 0))
            np.testing.assert_array_equal(read.labels, codes[window.toslices()])
            with rasterio.open(tiles.folder / "optical" / f"{entry.name}.tif") as file:
                assert file.dtypes[0] == tile_dtype


def test_a_sar_on_another_grid_is_cut_as_the_scene_reads_it(paths, tmp_path):
    chance = np.random.default_rng(3)
    values = chance.integers(1, 200, (1, 180, 230)).astype(np.uint8)
    paths["sar"] = write(tmp_path / "s.tif", values, transform=PLACE * Affine.translation(-3.3, -4.6))
    cut(paths, tmp_path / "tiles", size=50, halo=5)
    tiles = TileSet(tmp_path / "tiles")
    with Scene(paths["optical"], paths["sar"]) as scene:
        for entry in tiles.manifest.tiles:
            expected, read = scene.read(Window(*entry.window)), tiles.read(entry)
            np.testing.assert_array_equal(read.sample.valid, expected.valid)
            np.testing.assert_allclose(read.sample.sar, np.where(expected.valid, expected.sar, 0), atol=1e-3)


def test_classes_and_valid_pixels_in_the_manifest_are_those_of_the_scene(paths, tmp_path):
    cut(paths, tmp_path / "tiles", size=40, halo=4)
    manifest = TileSet(tmp_path / "tiles").manifest
    codes = stored(paths["labels"])[0]
    both = (stored(paths["optical"]) > 0).any(0) & (rasterio.open(paths["sar"]).dataset_mask() > 0)
    for entry in manifest.tiles:
        here = Window(*entry.window).toslices()
        assert entry.valid == pytest.approx(both[here].mean(), abs=1e-6)
        counted = {code: int(((codes[here] == code) & both[here]).sum()) for code in LEGEND.codes}
        assert entry.classes == {code: count for code, count in counted.items() if count}
    assert manifest.gsd_m == pytest.approx(10, rel=0.005)
    assert [scene.crs for scene in manifest.scenes] == ["EPSG:32650"]
    json.loads((tmp_path / "tiles/tiles.json").read_text(), parse_constant=pytest.fail)  # NaN would not be JSON


def training_values(tiles, path, step):
    """Values (bands, n) of valid pixels of training tiles, tile by tile, every so many rows and columns."""
    scene = stored(path)
    pixels = [[] for _ in scene]
    for entry in tiles.select("train"):
        valid = tiles.read(entry).sample.valid
        left, top, width, height = entry.window
        for row in range(0, height, step):
            for column in range(0, width, step):
                if valid[row, column]:
                    for band, value in enumerate(scene[:, top + row, left + column]):
                        pixels[band].append(value)
    return np.array(pixels, np.float64)


@pytest.mark.parametrize(("sampled", "step"), [(2**21, 1), (150, 5)])
def test_statistics_are_those_of_the_valid_training_pixels(paths, tmp_path, monkeypatch, sampled, step):
    monkeypatch.setattr(cutting, "_SAMPLED_PIXELS", sampled)
    crop = Crop(pixels=(80, 40, 112, 80))  # over the hole in the SAR
    cut(paths, tmp_path / "tiles", size=16, rule=SplitRule("blocks", Shares(0.2), block=32), crop=crop)
    tiles = TileSet(tmp_path / "tiles")
    pixels = 16 * 16 * len(tiles.select("train"))
    assert step == 1 or pixels / step**2 <= sampled < pixels / (step - 1) ** 2
    which = "all" if step == 1 else "every 5 rows and columns"
    assert tiles.manifest.statistics_of == f"{which} of the valid pixels of training tiles"
    for bands, key, names, unit in (
        (tiles.manifest.statistics.optical, "optical", ["blue", "green", "red", "nir"], "DN"),
        (tiles.manifest.statistics.sar, "sar", ["VV", "VH"], "dB"),
    ):
        values = training_values(tiles, paths[key], step)
        assert [band.name for band in bands] == names
        assert {band.unit for band in bands} == {unit}
        for band, expected in zip(bands, values, strict=True):
            assert (band.minimum, band.maximum) == (expected.min(), expected.max())
            assert band.mean == pytest.approx(expected.mean(), rel=1e-6)
            assert band.std == pytest.approx(expected.std(), rel=1e-6)
            assert list(band.percentiles) == [1, 2, 50, 98, 99]
            np.testing.assert_allclose(
                list(band.percentiles.values()), np.percentile(expected, [1, 2, 50, 98, 99]), rtol=1e-5
            )


def test_a_scene_of_ones_own_has_the_statistics_that_prediction_takes(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    tiles = TileSet(tmp_path / "tiles")
    with Scene(paths["optical"], paths["sar"]) as scene:
        expected = scene.statistics()
    told = tiles.manifest.scenes[0].statistics
    assert [band.mean for band in (*told.optical, *told.sar)] == [
        band.mean for band in (*expected.optical, *expected.sar)
    ]
    assert tiles.statistics_of(tiles.manifest.tiles[0]) == told


@pytest.mark.parametrize(
    ("values", "declared", "unit"), [("float", None, "linear"), ("uint8", None, "DN"), ("float", "dB", "dB")]
)
def test_the_unit_of_sar_is_told_from_its_file_or_its_values(paths, tmp_path, values, declared, unit):
    pixels = np.random.default_rng(0).uniform(1, 200, (1, *SHAPE)).astype("float32" if values == "float" else values)
    paths["sar"] = write(tmp_path / "s.tif", pixels, units=(declared,) if declared else None)
    cut(paths, tmp_path / "tiles")
    assert TileSet(tmp_path / "tiles").manifest.statistics.sar[0].unit == unit


def test_bands_are_chosen_by_number_and_order(paths, tmp_path):
    cut(paths, tmp_path / "tiles", bands=Bands((3, 2, 1), (2,)))
    tiles = TileSet(tmp_path / "tiles")
    assert [band.name for band in tiles.manifest.statistics.optical] == ["red", "green", "blue"]
    assert [band.name for band in tiles.manifest.statistics.sar] == ["VH"]
    entry = tiles.manifest.tiles[7]
    read, window = tiles.read(entry), Window(*entry.window)
    np.testing.assert_array_equal(read.sample.optical, stored(paths["optical"], window)[[2, 1, 0]])


@pytest.mark.parametrize(
    "crop", [Crop(pixels=(100, 50, 70, 90)), Crop(bounds=(501_000, 3_998_600, 501_700, 3_999_500))], ids=str
)
def test_a_crop_cuts_that_part_alone(paths, tmp_path, crop):
    cut(paths, tmp_path / "tiles", crop=crop)
    places = {entry.window[:2] for entry in TileSet(tmp_path / "tiles").manifest.tiles}
    assert places == {(100 + 32 * column, 50 + 32 * row) for column in range(2) for row in range(2)}


def test_outside_of_polygons_nothing_is_labelled_and_no_tile_is_cut(paths, tmp_path):
    shape = shapely.Polygon([PLACE * place for place in ((40, 30), (130, 30), (130, 110), (40, 60))])
    wkb = shapely.to_wkb(np.array([shape], object))
    pyogrio.raw.write(tmp_path / "part.gpkg", wkb, [], [], geometry_type="Polygon", crs="EPSG:32650")
    cut(paths, tmp_path / "tiles", crop=Crop(polygons=tmp_path / "part.gpkg"))
    tiles, codes = TileSet(tmp_path / "tiles"), stored(paths["labels"])[0]
    assert {entry.window[:2] for entry in tiles.manifest.tiles} == {(x, y) for x in (40, 72) for y in (30, 62)}
    for entry in tiles.manifest.tiles:
        left, top = entry.window[:2]
        inside = [
            [shape.contains(shapely.Point(PLACE * (left + column + 0.5, top + row + 0.5))) for column in range(32)]
            for row in range(32)
        ]
        expected = np.where(inside, codes[top : top + 32, left : left + 32], 255)
        np.testing.assert_array_equal(tiles.read(entry).labels, expected)


def test_the_last_tiles_are_shifted_back_when_asked_and_what_is_lost_otherwise_is_told(paths, tmp_path):
    cut(paths, tmp_path / "drop")
    cut(paths, tmp_path / "shift", edge="shift")
    dropped, shifted = (TileSet(tmp_path / name).manifest for name in ("drop", "shift"))
    assert max(entry.window[:2] for entry in shifted.tiles) == (200 - 32, 150 - 32)
    assert len(shifted.tiles) == 5 * 7
    assert shifted.notes == ()
    assert dropped.notes[0].startswith(f"{1 - 128 * 192 / (150 * 200):.1%} of the pixels fill no tile")


def test_tiles_with_too_little_data_are_left_out_and_counted(paths, tmp_path):
    pixels = np.ones((4, *SHAPE), np.uint16)
    pixels[:, :32, :64] = 0
    pixels[0, :16, 32:64] = 1  # half of the second tile
    paths["optical"] = write(tmp_path / "holes.tif", pixels, nodata=0)
    cut(paths, tmp_path / "tiles", min_valid=0.5)
    manifest = TileSet(tmp_path / "tiles").manifest
    assert len(manifest.tiles) == 23
    assert manifest.left_out == {"too few valid pixels": 1}
    assert not (tmp_path / "tiles/optical/optical_r000c000.tif").exists()
    paths["optical"] = write(tmp_path / "void.tif", pixels * 0, nodata=0)
    with pytest.raises(SceneError, match="has no data"):
        cut(paths, tmp_path / "void")


def test_painted_labels_bring_their_legend_and_others_need_one(paths, tmp_path):
    with (
        Scene(paths["optical"]) as scene,
        MapWriter([Layer(tmp_path / "painted.tif", legend=LEGEND)], scene.grid) as writer,
    ):
        writer.write(0, np.full(SHAPE, 3, np.uint8))
    cut({**paths, "labels": tmp_path / "painted.tif"}, tmp_path / "tiles", legend=None)
    tiles = TileSet(tmp_path / "tiles")
    assert tiles.legend == LEGEND
    with rasterio.open(tmp_path / "tiles/labels/optical_r000c000.tif") as file:
        assert (file.nodata, file.colormap(1)[0][:3]) == (255, LEGEND.classes[0].color)
    with pytest.raises(LegendMismatchError, match="what its codes mean"):
        cut(paths, tmp_path / "others", legend=None)
    assert not (tmp_path / "others").exists()


def test_labels_are_remapped_as_the_coding_says(paths, tmp_path):
    strange = np.random.default_rng(5).choice([7, 9, 0], (1, *SHAPE)).astype(np.uint8)
    paths["labels"] = write(tmp_path / "strange.tif", strange)
    cut(paths, tmp_path / "tiles", coding=LabelCoding.of(LEGEND).extended(codes={7: 2, 9: 255}))
    tiles = TileSet(tmp_path / "tiles")
    entry = tiles.manifest.tiles[3]
    expected = np.array([0, *range(1, 7), 2, 8, 255])[strange[0]][Window(*entry.window).toslices()]
    np.testing.assert_array_equal(tiles.read(entry).labels, expected)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_scene_without_coordinates_can_be_cut(paths, tmp_path):
    bare = {
        key: write(tmp_path / f"bare_{key}.tif", stored(path), crs=None, transform=None) for key, path in paths.items()
    }
    cut(bare, tmp_path / "tiles")
    tiles = TileSet(tmp_path / "tiles")
    assert tiles.manifest.scenes[0].crs is None
    assert math.isnan(tiles.manifest.gsd_m)
    entry = tiles.manifest.tiles[9]
    np.testing.assert_array_equal(tiles.read(entry).labels, stored(paths["labels"], Window(*entry.window))[0])


def test_random_tiles_carry_a_warning(paths, tmp_path):
    cut(paths, tmp_path / "tiles", rule=SplitRule("random"))
    manifest = TileSet(tmp_path / "tiles").manifest
    assert any("scores come out too high" in note and "--split-by blocks" in note for note in manifest.notes)
    assert "by chance" in manifest.split


def test_a_damaged_or_missing_file_is_told_by_its_name(paths, tmp_path):
    with pytest.raises(SceneError, match=r"gone\.tif does not exist"):
        cut({**paths, "optical": tmp_path / "gone.tif"}, tmp_path / "tiles")
    paths["optical"].write_bytes(paths["optical"].read_bytes()[:100_000])
    with pytest.raises(SceneError, match=r"optical\.tif cannot be read"):
        cut(paths, tmp_path / "tiles")
    assert not (tmp_path / "tiles/tiles.json").exists()


@pytest.mark.parametrize("crop", [(0, 0, 500, 100), (-1, 0, 100, 100), (0, 0, 31, 150)])
def test_a_window_that_cannot_be_cut_is_refused(paths, tmp_path, crop):
    with pytest.raises(TileSetError):
        cut(paths, tmp_path / "tiles", crop=Crop(pixels=crop))
    assert not (tmp_path / "tiles").exists()
