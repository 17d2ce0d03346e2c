"""Files of one's own find their partners and their split, or the one without is named."""

import numpy as np
import pytest

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError, TileSetError
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_lists import read_scene_lists

LEGEND = LEGENDS["sentinel-5"]


@pytest.fixture
def put(tmp_path):
    """A function from names of empty files to their paths; a folder counts once."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return [tmp_path / name for name in names]

    return make


def test_files_are_paired_in_their_order(put):
    optical, sar, labels = put("b.tif", "a.tif"), put("x.tif", "y.tif"), put("q.png", "p.gpkg")
    found = own_dataset(optical, sar, labels, LEGEND)
    assert [(scene.name, scene.optical, scene.sar, scene.labels) for scene in found.scenes] == [
        ("b", optical[0], sar[0], labels[0]), ("a", optical[1], sar[1], labels[1])
    ]  # fmt: skip
    assert (found.name, found.legend, found.coding, found.chips) == ("", LEGEND, LabelCoding.of(LEGEND), False)
    assert found.split_source == ""


def test_files_in_folders_are_paired_by_their_stems(put, tmp_path):
    put(
        "o/b.tif",
        "o/a.TIF",
        "o/a.tif.aux.xml",
        "o/readme.txt",
        "s/a.tif",
        "s/b.vrt",
        "l/b.geojson",
        "l/a.png",
        "l/b.cpg",
    )
    found = own_dataset([tmp_path / "o"], [tmp_path / "s"], [tmp_path / "l"], LEGEND)
    assert [(scene.name, scene.sar.name, scene.labels.name) for scene in found.scenes] == [
        ("a", "a.tif", "a.png"), ("b", "b.vrt", "b.geojson")
    ]  # fmt: skip


def test_one_label_file_serves_all_scenes_and_there_may_be_no_sar(put):
    optical, labels = put("a.tif", "b.tif"), put("drawn.gpkg")
    found = own_dataset(optical, [], labels, LEGEND)
    assert [(scene.sar, scene.labels) for scene in found.scenes] == [(None, labels[0])] * 2


def test_scenes_of_one_stem_are_named_with_their_folders_and_odd_letters_are_replaced(put):
    optical = put("north/a.tif", "south/a.tif", "my town (1).tif")
    found = own_dataset(optical, [], put("l.tif"), LEGEND)
    assert [scene.name for scene in found.scenes] == ["north_a", "south_a", "my-town--1-"]
    with pytest.raises(TileSetError, match="1 names of scenes stand for several files, the first of them 'a-b'"):
        own_dataset(put("a b.tif", "a-b.tif"), [], put("l.tif"), LEGEND)


def test_a_coding_of_ones_own_is_taken(put):
    coding = LabelCoding.of(LEGEND).extended(codes={7: 0})
    assert own_dataset(put("a.tif"), [], put("l.tif"), LEGEND, coding).coding == coding


@pytest.mark.parametrize("option", ["--sar", "--labels"])
def test_a_number_of_files_that_does_not_fit_is_told(put, option):
    some = put("x.tif", "y.tif")
    layers = (some, put("l.tif")) if option == "--sar" else ([], some)
    with pytest.raises(TileSetError, match=f"3 optical rasters, and 2 files for {option}"):
        own_dataset(put("a.tif", "b.tif", "c.tif"), *layers, LEGEND)


def test_files_without_a_partner_are_told_by_their_names(put, tmp_path):
    put("o/a.tif", "o/b.tif", "l/a.tif", "l/c.tif", "l/d.tif", "none/readme.txt")
    with pytest.raises(TileSetError, match=r"1 optical .* no partner for --labels, 2 files .* the first is .*o/b\.tif"):
        own_dataset([tmp_path / "o"], [], [tmp_path / "l"], LEGEND)
    with pytest.raises(TileSetError, match=r"0 optical .* no partner for --labels, 1 files .* the first is .*l/d\.tif"):
        own_dataset(put("o/a.tif", "c.tif"), [], [tmp_path / "l"], LEGEND)
    with pytest.raises(TileSetError, match=r"folder .*none holds no raster"):
        own_dataset([tmp_path / "none"], [], [tmp_path / "l"], LEGEND)


@pytest.mark.parametrize("names", [("l/a.tif", "l/a.png"), ("l/a.tif", "m/a.tif")])
def test_two_files_that_may_be_meant_are_told(put, tmp_path, names):
    put("o/a.tif", *names)
    with pytest.raises(TileSetError, match=r"a\.tif"):
        own_dataset([tmp_path / "o"], [], sorted({(tmp_path / name).parent for name in names}), LEGEND)


def test_two_scenes_of_one_stem_never_share_a_file_of_a_folder(put, tmp_path):
    put("north/a.tif", "south/a.tif", "l1/a.tif", "l2/a.tif")
    folders = [tmp_path / name for name in ("north", "south", "l1", "l2")]
    try:
        found = own_dataset(folders[:2], [], folders[2:], LEGEND)
    except TileSetError:
        return
    assert [scene.labels.parent.name for scene in found.scenes] == ["l1", "l2"]


def test_what_the_labels_mean_is_in_the_first_of_them_or_must_be_said(put, write_raster, tmp_path):
    raster = write_raster("a.tif", np.ones((1, 8, 8), np.uint8))
    with Scene(raster) as scene, MapWriter([Layer(tmp_path / "painted.tif", legend=LEGEND)], scene.grid) as writer:
        writer.write(0, np.zeros((8, 8), np.uint8))
    assert own_dataset([raster], [], [tmp_path / "painted.tif"]).legend == LEGEND
    with pytest.raises(LegendMismatchError, match=r"a\.tif does not say what its codes mean"):
        own_dataset([raster], [], [raster])
    with pytest.raises(TileSetError, match=r"drawn\.gpkg does not say what its classes are") as caught:
        own_dataset([raster], [], put("drawn.gpkg"))
    assert "--legend" in caught.value.hint


@pytest.fixture
def scenes(put):
    return own_dataset(put("o/a.tif", "o/b 1.tif", "o/c.tif"), [], put("l.tif"), LEGEND).scenes


def test_lists_name_scenes_by_name_stem_or_file(scenes, tmp_path):
    (tmp_path / "train.txt").write_text("a\n\n  b 1.tif \n")
    (tmp_path / "val.txt").write_text("some/where/c.tif")
    lists = [f"{split}={tmp_path / split}.txt" for split in ("train", "val")]
    assert read_scene_lists(lists, scenes) == {"a": "train", "b-1": "train", "c": "val"}
    (tmp_path / "val.txt").write_text("c\nc")
    assert read_scene_lists(lists, scenes)["c"] == "val"
    assert read_scene_lists([], scenes) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [("a\nx\n", "line 2: 'x': no such scene"), ("c\nb-1", "line 1: 'c': it is in the list for test, too")],
)
def test_a_line_that_cannot_be_meant_is_told_with_its_number(scenes, tmp_path, text, told):
    (tmp_path / "test.txt").write_text("c")
    (tmp_path / "val.txt").write_text(text)
    with pytest.raises(TileSetError, match=rf"val\.txt, {told}"):
        read_scene_lists([f"test={tmp_path}/test.txt", f"val={tmp_path}/val.txt"], scenes)


def test_what_is_no_list_is_told(scenes, tmp_path):
    (tmp_path / "latin.txt").write_bytes("Köln".encode("latin-1"))
    for wrong in ("training=a.txt", "train=", "train.txt"):
        with pytest.raises(TileSetError, match=f"'{wrong}' is no list"):
            read_scene_lists([wrong], scenes)
    for name in ("gone.txt", "latin.txt"):
        with pytest.raises(TileSetError, match=rf"{name} cannot be read"):
            read_scene_lists([f"train={tmp_path / name}"], scenes)


def test_a_line_that_may_mean_two_scenes_means_neither_of_them_in_silence(put, tmp_path):
    scenes = own_dataset(put("north/a.tif", "south/a.tif"), [], put("l.tif"), LEGEND).scenes
    (tmp_path / "train.txt").write_text("a")
    with pytest.raises(TileSetError, match="'a'"):
        read_scene_lists([f"train={tmp_path}/train.txt"], scenes)
