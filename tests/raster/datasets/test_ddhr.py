"""DDHR: subsets of chips, lists with paths of another machine, labels whose names the sources dispute."""

import numpy as np
import pytest

from rsfuse.errors import SceneError, TileSetError
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.registry import open_dataset

NAMES = ("1", "2", "57", "6133")


def test_a_subset_is_found_below_the_root_and_as_the_root(publish):
    publish.ddhr(NAMES)
    for root in (publish.root, publish.root / "korea", publish.root / "korea/256_cloud"):
        dataset = open_dataset("ddhr", root)
        names = [scene.name for scene in dataset.scenes]
        prefix = "-".join((publish.root / "korea/256_cloud").relative_to(root).parts)
        assert names == sorted(f"{prefix}_{name}" if prefix else name for name in NAMES)
        assert {scene.optical.suffix for scene in dataset.scenes} == {".jpg"}
        assert {scene.labels.suffix for scene in dataset.scenes} == {".png"}
        assert all(scene.optical.stem == scene.sar.stem == scene.labels.stem for scene in dataset.scenes)
        assert (dataset.size, dataset.chips, dataset.sar_bands) == (32, True, ("sar",))
        assert {scene.group for scene in dataset.scenes} == {""}


@pytest.mark.parametrize("naming", ["{}M.txt", "{}M_list.txt", "{}.txt"])
def test_official_lists_are_matched_by_name_whatever_machine_they_speak_of(publish, naming):
    publish.ddhr(NAMES)
    publish.ddhr_list(f"korea/256_cloud/listtxt/{naming.format('train')}", NAMES[:3])
    publish.ddhr_list(f"korea/256_cloud/listtxt/{naming.format('val')}", NAMES[3:])
    dataset = open_dataset("ddhr", publish.root / "korea/256_cloud")
    assert {scene.name: scene.split for scene in dataset.scenes} == dict(
        zip(NAMES, ["train", "train", "train", "val"], strict=True)
    )
    assert "listtxt" in dataset.split_source


def test_lists_for_both_sensors_win_over_lists_for_one(publish):
    publish.ddhr(NAMES)
    for naming, of_train in (("{}M.txt", 1), ("{}.txt", 3)):
        publish.ddhr_list(f"korea/256_cloud/listtxt/{naming.format('train')}", NAMES[:of_train])
        publish.ddhr_list(f"korea/256_cloud/listtxt/{naming.format('val')}", NAMES[of_train:])
    dataset = open_dataset("ddhr", publish.root / "korea/256_cloud")
    assert [scene.split for scene in dataset.scenes].count("train") == 1


def test_without_lists_there_is_no_split_and_a_warning(publish):
    publish.ddhr(NAMES)
    dataset = open_dataset("ddhr", publish.root)
    assert {scene.split for scene in dataset.scenes} == {None}
    assert any("neighbours" in note for note in dataset.notes)


def test_several_subsets_carry_their_names(publish):
    publish.ddhr(NAMES[:2], "Xian/128")
    publish.ddhr(NAMES[:2], "Shan dong's/any where")
    names = [scene.name for scene in open_dataset("ddhr", publish.root).scenes]
    assert names == ["Shan-dong-s-any-where_1", "Shan-dong-s-any-where_2", "Xian-128_1", "Xian-128_2"]


def test_the_same_place_with_and_without_clouds_is_one_group(publish):
    publish.ddhr(NAMES[:2], "korea/256")
    publish.ddhr(NAMES[:2], "korea/256_cloud")
    scenes = open_dataset("ddhr", publish.root).scenes
    groups = {scene.name: scene.group for scene in scenes}
    assert groups["korea-256_1"] == groups["korea-256_cloud_1"] != groups["korea-256_2"]


def test_subsets_of_several_sizes_are_refused(publish):
    publish.ddhr(NAMES[:1], "Xian/128", size=16)
    publish.ddhr(NAMES[:1])
    with pytest.raises(
        TileSetError, match=r"Xian/128 \(16 px\), .*256_cloud \(32 px\)|256_cloud \(32 px\), .*"
    ) as caught:
        open_dataset("ddhr", publish.root)
    assert "subset" in caught.value.hint


def test_lists_for_some_subsets_only_are_refused(publish):
    publish.ddhr(NAMES, "a/x")
    publish.ddhr(NAMES, "b/x")
    publish.ddhr_list("a/x/trainM.txt", NAMES)
    with pytest.raises(TileSetError, match=r"1 of 2 subsets .*b/x has none"):
        open_dataset("ddhr", publish.root)


def test_a_missing_file_is_told_with_its_layer_and_partner(publish):
    publish.ddhr(NAMES)
    (publish.root / "korea/256_cloud/GF3/57.jpg").unlink()
    with pytest.raises(TileSetError, match=r"1 files are missing .*sar of '57', which goes with .*GF2/57\.jpg"):
        open_dataset("ddhr", publish.root)


def test_a_file_that_does_not_belong_is_told_with_its_path(publish):
    publish.ddhr(NAMES)
    publish.picture("korea/256_cloud/label/57.jpg", 1)
    with pytest.raises(TileSetError, match=r"label/57\.jpg does not belong"):
        open_dataset("ddhr", publish.root)


def test_what_programs_lay_beside_pictures_does_not_count(publish):
    publish.ddhr(NAMES)
    for name in ("GF2/Thumbs.db", "GF2/1.jpg.aux.xml", "label/.DS_Store"):
        (publish.root / "korea/256_cloud" / name).write_bytes(b"x")
    assert len(open_dataset("ddhr", publish.root).scenes) == len(NAMES)


def test_a_first_chip_that_is_no_picture_is_told_with_its_path(publish):
    publish.ddhr(NAMES)
    (publish.root / "korea/256_cloud/GF2/1.jpg").write_bytes(b"not found")
    with pytest.raises(SceneError, match=r"GF2/1\.jpg cannot be read"):
        open_dataset("ddhr", publish.root)


def test_sar_of_three_bands_is_noted(publish):
    publish.ddhr(NAMES)
    publish.picture("korea/256_cloud/GF3/1.jpg", 3, 32)
    dataset = open_dataset("ddhr", publish.root)
    assert dataset.sar_bands == ("sar 1", "sar 2", "sar 3")
    assert any("3 bands" in note for note in dataset.notes)


def test_the_two_legends_differ_in_greenery_and_farmland_alone(publish):
    publish.ddhr(NAMES)
    ours, theirs = open_dataset("ddhr", publish.root).legend, legend_named("ddhr-whfnet")
    assert ours == legend_named("ddhr")
    assert ours.codes == theirs.codes == (0, 1, 2, 3, 4)
    swapped = {"greenery": "farmland", "farmland": "greenery"}
    assert [swapped.get(name, name) for name in ours.names] == list(theirs.names)
    assert any("ddhr-whfnet" in note for note in open_dataset("ddhr", publish.root).notes)


def test_a_colour_table_in_the_labels_means_nothing(publish):
    palette = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0)}  # of VOC, one number on from WHFNet's colours
    for name in ("ddhr", "ddhr-whfnet"):
        coding = coding_named(name)
        assert not coding.reads_colors(palette)
        assert coding.translate(np.array([[[0, 4, 255]]], np.uint8))[0].tolist() == [[0, 4, 255]]
