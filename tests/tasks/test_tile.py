"""Tiles hold the scene's pixels unchanged, lie where they say, and keep validation apart."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from rsfuse.errors import LegendMismatchError, OutputError, TileSetError
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]


@pytest.fixture
def paths(write_raster):
    chance = np.random.default_rng(0)
    return {
        "optical": write_raster("optical.tif", chance.integers(0, 1023, (4, 300, 400), np.uint16)),
        "sar": write_raster("sar.tif", chance.normal(-12, 3, (1, 300, 400)).astype(np.float32)),
        "labels": write_raster("labels.tif", chance.choice([0, 1, 2, 3, 4, 255], (1, 300, 400)).astype(np.uint8)),
    }


def cut(paths, folder, **settings):
    with Scene(paths["optical"], paths["sar"]) as scene:
        return tile(scene, paths["labels"], LEGEND, folder, TileSettings(**{"size": 64, **settings}))


def test_tiles_hold_the_pixels_and_types_of_the_scene(paths, tmp_path):
    report = cut(paths, tmp_path / "tiles", val=0.25)
    tiles = TileSet(tmp_path / "tiles")
    assert report.tiles == 4 * 6 == len(tiles.manifest.tiles)
    for entry in tiles.manifest.tiles:
        window = Window(*entry.window)
        for kind in ("optical", "sar", "labels"):
            with rasterio.open(paths[kind]) as source, rasterio.open(tiles.folder / kind / f"{entry.name}.tif") as part:
                assert (part.read() == source.read(window=window)).all()
                assert part.dtypes == source.dtypes
                assert part.crs == source.crs
                assert part.transform.almost_equals(source.window_transform(window))


def test_tiles_read_back_as_the_scene_reads(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    tiles = TileSet(tmp_path / "tiles")
    entry = tiles.manifest.tiles[7]
    labelled = tiles.read(entry)
    with Scene(paths["optical"], paths["sar"]) as scene:
        expected = scene.read(Window(*entry.window))
    assert (labelled.sample.optical == expected.optical).all()
    assert (labelled.sample.sar == expected.sar).all()
    part = tiles.read(entry, Window(5, 9, 20, 30))
    assert (part.sample.optical == expected.optical[:, 9:39, 5:25]).all()
    assert (part.labels == labelled.labels[9:39, 5:25]).all()


def test_validation_takes_whole_columns_of_tiles_from_the_right_edge(paths, tmp_path):
    report = cut(paths, tmp_path / "tiles", val=0.17)
    assert report.splits == {"train": 20, "val": 4}
    tiles = TileSet(tmp_path / "tiles")
    assert {entry.window[0] for entry in tiles.select("val")} == {320}
    assert max(entry.window[0] for entry in tiles.select("train")) + 64 <= 320


def test_a_window_cuts_that_part_alone(paths, tmp_path):
    cut(paths, tmp_path / "tiles", window=Window(100, 50, 130, 200), split="test")
    tiles = TileSet(tmp_path / "tiles")
    assert len(tiles.select("test")) == 2 * 3
    assert min(entry.window[0] for entry in tiles.manifest.tiles) == 100
    assert min(entry.window[1] for entry in tiles.manifest.tiles) == 50


def test_class_pixels_in_the_manifest_are_those_of_the_labels(paths, tmp_path):
    cut(paths, tmp_path / "tiles")
    tiles = TileSet(tmp_path / "tiles")
    for entry in tiles.manifest.tiles[:4]:
        labels = tiles.read(entry).labels
        assert {code: int((labels == code).sum()) for code in LEGEND.codes} == {
            code: entry.classes.get(code, 0) for code in LEGEND.codes
        }


def test_tiles_with_too_little_data_are_left_out(paths, write_raster, tmp_path):
    pixels = np.ones((4, 300, 400), np.uint16)
    pixels[:, :64, :64] = 0
    paths["optical"] = write_raster("holes.tif", pixels, nodata=0)
    report = cut(paths, tmp_path / "tiles")
    assert (report.tiles, report.left_out) == (23, 1)


@pytest.mark.parametrize("window", [Window(0, 0, 500, 100), Window(-1, 0, 100, 100), Window(0, 0, 63, 300)])
def test_a_window_that_cannot_be_cut_is_refused(paths, tmp_path, window):
    with pytest.raises(TileSetError):
        cut(paths, tmp_path / "tiles", window=window)
    assert not (tmp_path / "tiles").exists()


def test_a_folder_that_holds_something_is_replaced_only_when_asked(paths, tmp_path):
    cut(paths, tmp_path / "tiles", size=64)
    with pytest.raises(OutputError):
        cut(paths, tmp_path / "tiles", size=128)
    assert TileSet(tmp_path / "tiles").manifest.size == 64
    cut(paths, tmp_path / "tiles", size=128, overwrite=True)
    assert TileSet(tmp_path / "tiles").manifest.size == 128


def test_labels_that_rsfuse_wrote_bring_their_legend_and_others_need_one(paths, tmp_path):
    with Scene(paths["optical"], paths["sar"]) as scene:
        with MapWriter(tmp_path / "painted.tif", scene.grid, LEGEND) as writer:
            writer.write(0, np.full((300, 400), 3, np.uint8))
        tile(scene, tmp_path / "painted.tif", None, tmp_path / "tiles", TileSettings(size=64))
        with pytest.raises(LegendMismatchError, match="what its codes mean"):
            tile(scene, paths["labels"], None, tmp_path / "others", TileSettings(size=64))
    assert TileSet(tmp_path / "tiles").legend == LEGEND
    assert not (tmp_path / "others").exists()


def test_an_unknown_label_code_leaves_no_tile_set_behind(paths, write_raster, tmp_path):
    labels = np.zeros((1, 300, 400), np.uint8)
    labels[0, 200, 300] = 9
    paths["labels"] = write_raster("strange.tif", labels)
    with pytest.raises(LegendMismatchError, match=r"strange\.tif.* 9 \(1 px\)"):
        cut(paths, tmp_path / "tiles")
    assert not (tmp_path / "tiles").exists()
