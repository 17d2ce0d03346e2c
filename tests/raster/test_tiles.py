"""TileSet and Labels: what goes in comes out, and what is not a tile set is told."""

import json
import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from rsfuse.errors import GridMismatchError, LegendMismatchError, OutputError, SceneError, TileSetError
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiles import TILES, Labels, TileSet, TileSetWriter

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
LEGEND = LEGENDS["sentinel-5"]
SIZE = 32


@pytest.fixture
def cut(write_raster, noise, tmp_path):
    """A function that cuts a scene of 64 x 96 px into 6 tiles, and tells folder and what went in."""

    def make(
        folder=tmp_path / "tiles", *, dtype="uint16", sar=True, overwrite=False, fail=None, labels=None, **profile
    ):
        rng = np.random.default_rng(0)
        pixels = noise((3, 64, 96), dtype)
        pixels[:, 5:9, 40:50] = 0
        optical = write_raster("optical.tif", pixels, nodata=0, descriptions=("red", "green", "blue"), **profile)
        radar = write_raster("sar.tif", noise((2, 64, 96), "float32") / 7, **profile) if sar else None
        if labels is None:
            labels = rng.choice([*LEGEND.codes, NODATA], (1, 64, 96)).astype(np.uint8)
        codes = write_raster("labels.tif", labels, nodata=NODATA, **profile)
        kept = {}
        with (
            Scene(optical, radar) as scene,
            Labels(codes, scene.grid) as reference,
            TileSetWriter(
                folder,
                scene,
                LEGEND,
                size=SIZE,
                split="the last row is for validation",
                labels=codes,
                overwrite=overwrite,
            ) as writer,
        ):
            for row in range(2):
                for column in range(3):
                    window = Window(column * SIZE, row * SIZE, SIZE, SIZE)
                    name = f"r{row}c{column}"
                    kept[name] = window, scene.read(window), reference.read(window)
                    writer.add(name, "val" if row else "train", *kept[name])
            if fail is not None:
                raise fail
        return folder, kept

    return make


@pytest.mark.parametrize("sar", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64", "int32"])
def test_what_goes_in_comes_out(cut, dtype, sar):
    folder, kept = cut(dtype=dtype, sar=sar)
    tiles = TileSet(folder)
    assert tiles.legend == LEGEND
    assert [tile.name for tile in tiles.select("val")] == ["r1c0", "r1c1", "r1c2"]
    assert tiles.select("test") == []
    for tile in tiles.manifest.tiles:
        window, sample, labels = kept[tile.name]
        read = tiles.read(tile)
        assert tile.window == (window.col_off, window.row_off, SIZE, SIZE)
        np.testing.assert_array_equal(read.sample.optical, sample.optical)
        np.testing.assert_array_equal(read.sample.valid, sample.valid)
        np.testing.assert_array_equal(read.sample.sar, np.where(sample.valid, sample.sar, 0))
        np.testing.assert_array_equal(read.labels, labels)
        part = tiles.read(tile, Window(3, 5, 20, 10))
        np.testing.assert_array_equal(part.sample.optical, read.sample.optical[:, 5:15, 3:23])
        np.testing.assert_array_equal(part.labels, labels[5:15, 3:23])
        np.testing.assert_array_equal(read.sample.crop(Window(3, 5, 20, 10)).sar, part.sample.sar)


def test_the_manifest_tells_scene_statistics_and_classes(cut, tmp_path):
    folder, kept = cut()
    manifest = TileSet(folder).manifest
    assert (manifest.source.optical, manifest.source.sar, manifest.source.labels) == (
        "optical.tif",
        "sar.tif",
        "labels.tif",
    )
    assert (manifest.size, manifest.crs, manifest.version) == (SIZE, "EPSG:32722", 1)
    assert manifest.gsd_m == pytest.approx(10, rel=0.005)
    assert [band.name for band in manifest.statistics.optical] == ["red", "green", "blue"]
    assert manifest.statistics.optical[0].minimum >= 1  # nodata 0 is not among the values
    for tile in manifest.tiles:
        _, sample, labels = kept[tile.name]
        assert tile.valid == pytest.approx(sample.valid.mean(), abs=1e-6)
        assert tile.classes == {code: ((labels == code) & sample.valid).sum() for code in LEGEND.codes}
    json.loads((folder / TILES).read_text(), parse_constant=pytest.fail)  # NaN would not be JSON


def test_tiles_lie_where_they_were_cut_in_the_type_of_the_scene(cut):
    folder, _ = cut(dtype="uint8")
    with rasterio.open(folder / "optical" / "r1c2.tif") as file:
        assert file.transform == PLACE * Affine.translation(64, 32)
        assert (file.crs.to_epsg(), file.dtypes, file.block_shapes[0]) == (32722, ("uint8",) * 3, (SIZE, SIZE))
        assert file.descriptions == ("red", "green", "blue")
    with rasterio.open(folder / "labels" / "r1c2.tif") as file:
        assert file.nodata == NODATA
        assert file.colormap(1)[0][:3] == LEGEND.classes[0].color


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_scene_without_coordinates_can_be_cut(cut):
    folder, kept = cut(crs=None, transform=Affine.identity())
    tiles = TileSet(folder)
    assert tiles.manifest.crs is None
    assert math.isnan(tiles.manifest.gsd_m)
    np.testing.assert_array_equal(tiles.read(tiles.manifest.tiles[0]).labels, kept["r0c0"][2])


def test_a_warped_sar_is_rounded_to_the_type_of_its_file(write_raster, noise, tmp_path):
    optical = write_raster("a.tif", noise((1, 64, 64)))
    sar = write_raster("b.tif", noise((1, 80, 80)), transform=PLACE * Affine.translation(-3.3, -4.6))
    window = Window(0, 0, 64, 64)
    with Scene(optical, sar) as scene, TileSetWriter(tmp_path / "t", scene, LEGEND, size=64, split="all") as writer:
        sample = scene.read(window)
        writer.add("one", "train", window, sample)
    tiles = TileSet(tmp_path / "t")
    read = tiles.read(tiles.manifest.tiles[0])
    np.testing.assert_allclose(read.sample.sar, sample.sar, atol=0.5)
    assert (read.labels == NODATA).all()
    with (
        Scene(optical) as scene,
        TileSetWriter(tmp_path / "u", scene, LEGEND, size=64, split="all") as writer,
        pytest.raises(ValueError, match="labels"),
    ):
        writer.add("one", "train", window, sample, read.labels)


def test_a_code_outside_the_legend_is_told_with_its_tile_and_leaves_nothing(cut, tmp_path):
    with pytest.raises(LegendMismatchError, match=r"tile r0c0: code 77 \(1024 px\)"):
        cut(labels=np.full((1, 64, 96), 77, np.uint8))
    assert not (tmp_path / "tiles").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError()])
def test_what_is_interrupted_is_no_tile_set_and_leaves_nothing(cut, tmp_path, error):
    with pytest.raises(type(error)):
        cut(fail=error)
    assert not (tmp_path / "tiles").exists()


def test_a_full_disk_is_told_and_leaves_nothing(cut, small_disk):
    disk = small_disk(30)
    with pytest.raises(OutputError, match=r"the disk is full: .*r\dc\d\.tif"):
        cut(disk / "tiles", dtype="float32")
    assert list(disk.iterdir()) == []


def test_a_folder_that_is_not_empty_is_refused_or_replaced(cut, tmp_path):
    folder, _ = cut()
    with pytest.raises(OutputError, match="is not empty") as caught:
        cut()
    assert "--overwrite" in caught.value.hint
    (folder / "optical" / "stale.tif").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    cut(dtype="uint8", overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "optical" / "stale.tif").exists()
    assert TileSet(folder).manifest.statistics.optical[0].dtype == "uint8"


def test_what_is_not_a_tile_set_is_told(cut, tmp_path):
    with pytest.raises(TileSetError, match=r"has no tiles\.json"):
        TileSet(tmp_path / "nothing")
    folder, _ = cut()
    good = json.loads((folder / TILES).read_text())
    for change, told in (
        ({"version": 2}, "version 2, this rsfuse reads version 1"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"size": "large"}, "size: "),
        ({"legend": {"classes": []}}, "legend: .*distinct codes"),
    ):
        (folder / TILES).write_text(json.dumps(good | change))
        with pytest.raises(TileSetError, match=told):
            TileSet(folder)
    (folder / TILES).write_text("{")
    with pytest.raises(TileSetError, match=r"tiles\.json"):
        TileSet(folder)
    (folder / TILES).write_text(json.dumps(good))
    (folder / "sar" / "r0c1.tif").unlink()
    with pytest.raises(TileSetError, match=r"lacks 1 of 6 tiles, the first of them r0c1\.tif"):
        TileSet(folder)


def test_labels_on_another_grid_take_the_nearest_code(write_raster):
    codes = np.random.default_rng(2).choice([0, 4], (1, 40, 40)).astype(np.uint8)
    path = write_raster("labels.tif", codes, transform=PLACE * Affine.scale(3))
    with Scene(write_raster("a.tif", np.ones((1, 120, 130), np.uint8))) as scene, Labels(path, scene.grid) as labels:
        read = labels.read(Window(-5, -5, 140, 130))
    expected = np.full((130, 140), NODATA, np.uint8)
    expected[5:125, 5:125] = codes[0].repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(read, expected)


def test_labels_are_255_where_they_have_no_data(write_raster, noise, whole):
    codes = noise((1, 8, 8), "int32")
    codes[0, 2, 3] = -1
    with Labels(write_raster("labels.tif", codes, nodata=-1)) as labels:
        read = labels.read(whole(labels.grid))
        assert labels.legend is None
    expected = codes[0].copy()
    expected[2, 3] = NODATA
    np.testing.assert_array_equal(read, expected)


def test_label_codes_beyond_a_byte_are_told(write_raster, whole):
    codes = np.full((1, 8, 8), 300, np.uint16)
    with Labels(write_raster("labels.tif", codes)) as labels, pytest.raises(LegendMismatchError, match="code 300"):
        labels.read(whole(labels.grid))


def test_pictures_and_scores_are_no_labels(write_raster, noise):
    with pytest.raises(SceneError, match=r"3 band.* of uint8"):
        Labels(write_raster("a.tif", noise((3, 8, 8))))
    with pytest.raises(SceneError, match=r"1 band.* of float32"):
        Labels(write_raster("b.tif", noise((1, 8, 8), "float32")))


def test_labels_of_another_place_are_told(write_raster, noise):
    far = write_raster("far.tif", noise((1, 8, 8)), transform=PLACE * Affine.translation(500, 0))
    with Scene(write_raster("a.tif", noise((1, 8, 8)))) as scene, pytest.raises(GridMismatchError, match="elsewhere"):
        Labels(far, scene.grid)
