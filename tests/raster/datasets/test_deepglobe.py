"""DeepGlobe: pictures and masks of seven colours, as downloaded, sorted or prepared."""

import numpy as np
import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.registry import open_dataset

IDS = ("606", "10452", "998002")


def splits(dataset):
    return {scene.name: scene.split for scene in dataset.scenes}


def lists(publish, val="crossvali.txt", under=""):
    publish.text(f"{under}train.txt", [f"{IDS[0]}_sat.jpg"])
    publish.text(f"{under}{val}", [IDS[1]])
    publish.text(f"{under}test.txt", [f"land-train/{IDS[2]}_sat.jpg"])


@pytest.mark.parametrize("train", ["train/", "land-train/", ""])
def test_the_download_has_no_split_and_leaves_out_what_has_no_mask(publish, train):
    publish.deepglobe(IDS, train)
    if train:
        publish.deepglobe(["1", "2"], train.replace("train", "valid"), masks=False)
        publish.deepglobe(["3"], train.replace("train", "test"), masks=False)
    publish.text("class_dict.csv", ["name,r,g,b"])
    dataset = open_dataset("deepglobe", publish.root)
    assert splits(dataset) == dict.fromkeys(sorted(IDS))
    assert [scene.labels for scene in dataset.scenes] == [publish.root / f"{train}{n}_mask.png" for n in sorted(IDS)]
    assert (dataset.size, dataset.edge, dataset.chips, dataset.sar_bands) == (1224, "drop", True, ())
    left_out = [note for note in dataset.notes if "not part" in note]
    assert [note.split()[0] for note in left_out] == (["1", "2"] if train else [])
    assert any("454, 207 and 142" in note for note in dataset.notes)


@pytest.mark.parametrize("val", ["crossvali.txt", "val.txt"])
@pytest.mark.parametrize("under", ["", "data_split/"])
def test_lists_say_the_split(publish, val, under):
    publish.deepglobe(IDS, "train/")
    lists(publish, val, under)
    dataset = open_dataset("deepglobe", publish.root)
    assert splits(dataset) == dict(zip(IDS, ["train", "val", "test"], strict=True))
    assert val in dataset.split_source


def test_lists_in_two_folders_are_refused(publish):
    publish.deepglobe(IDS, "train/")
    lists(publish, under="a/")
    lists(publish, under="b/")
    with pytest.raises(TileSetError, match="2 folders hold lists of a split"):
        open_dataset("deepglobe", publish.root)


def test_folders_that_all_have_masks_say_the_split(publish):
    for name, folder in zip(IDS, ("train", "crossvali", "test"), strict=True):
        publish.deepglobe([name], f"{folder}/")
    assert splits(open_dataset("deepglobe", publish.root)) == dict(zip(IDS, ["train", "val", "test"], strict=True))


def test_the_prepared_layout_says_the_split_and_holds_numbers(publish):
    for name, folder in zip(IDS, ("train", "val", "test"), strict=True):
        publish.deepglobe_prepared([name], folder)
    dataset = open_dataset("deepglobe", publish.root)
    assert splits(dataset) == dict(zip(IDS, ["train", "val", "test"], strict=True))
    assert dataset.coding.translate(np.arange(7)[None, None])[0].tolist() == [[255, 1, 2, 3, 4, 5, 6]]


def test_masks_as_published_are_binarised_and_never_taken_for_numbers(publish):
    publish.deepglobe(IDS)
    coding = open_dataset("deepglobe", publish.root).coding
    names = {each.code: each.color for each in open_dataset("deepglobe", publish.root).legend}
    random = np.random.default_rng(0)
    for code, color in {**names, 255: (0, 0, 0)}.items():
        noisy = [random.integers(128, 256, 9) if channel else random.integers(0, 128, 9) for channel in color]
        codes, unknown = coding.translate(np.array(noisy)[:, None])
        assert (codes == code).all()
        assert unknown == {}
    assert coding.translate(np.array([[[255]], [[0]], [[0]]]))[1] == {"#ff0000": 1}
    assert coding.translate(np.arange(7)[None, None])[1] == {"0": 7}


@pytest.mark.parametrize(
    ("lost", "told"),
    [("606_mask.png", r"labels of '606', which goes with .*606_sat\.jpg"), ("606_sat.jpg", r"optical of '606'")],
)
def test_a_missing_partner_is_told(publish, lost, told):
    publish.deepglobe(IDS, "train/")
    (publish.root / "train" / lost).unlink()
    with pytest.raises(TileSetError, match=told):
        open_dataset("deepglobe", publish.root)


def test_a_validation_folder_with_some_masks_is_refused(publish):
    publish.deepglobe(IDS[:1], "train/")
    publish.deepglobe(IDS[1:], "valid/")
    (publish.root / "valid" / f"{IDS[1]}_mask.png").unlink()
    with pytest.raises(TileSetError, match="labels of '10452'"):
        open_dataset("deepglobe", publish.root)


@pytest.mark.parametrize(("extra", "why"), [("strange.png", "neither"), ("606_sat.png", "there is 606_sat.jpg")])
def test_an_extra_picture_is_told(publish, extra, why):
    publish.deepglobe(IDS, "train/")
    publish.picture(f"train/{extra}")
    with pytest.raises(TileSetError, match=f"{extra} does not belong to this data set: .*{why}"):
        open_dataset("deepglobe", publish.root)


def test_a_prepared_split_without_masks_is_refused(publish):
    publish.picture("img_dir/train/1_sat.jpg")
    with pytest.raises(TileSetError, match=r"there is no folder .*ann_dir/train"):
        open_dataset("deepglobe", publish.root)


def test_a_prepared_split_without_pictures_is_refused(publish):
    publish.deepglobe_prepared(IDS, "train")
    publish.codes("ann_dir/test/7_mask.png", range(7))
    with pytest.raises(TileSetError, match=r"there is no folder .*img_dir/test"):
        open_dataset("deepglobe", publish.root)


def test_pictures_both_in_the_root_and_below_are_refused(publish):
    publish.deepglobe(IDS[:1])
    publish.deepglobe(IDS[1:], "train/")
    with pytest.raises(TileSetError, match="holds pictures itself and in train"):
        open_dataset("deepglobe", publish.root)


def test_pictures_without_any_mask_are_no_data_set(publish):
    publish.deepglobe(IDS, "valid/", masks=False)
    with pytest.raises(TileSetError, match=r"no picture .* has a mask: 3 pictures in .*valid"):
        open_dataset("deepglobe", publish.root)
