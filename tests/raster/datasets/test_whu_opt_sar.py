"""WHU-OPT-SAR: whole scenes with their official split, and the tiles that others have cut."""

import numpy as np
import pytest
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.registry import open_dataset
from rsfuse.raster.labels import Labels

SHEETS = ("NH49E001013", "NH49E001014", "NH50E003001", "NI49E021010")
DIVISION = "The division of the dataset.txt"


def splits(dataset):
    return {scene.name: scene.split for scene in dataset.scenes}


def test_whole_scenes_are_listed_with_their_files(publish):
    publish.whu(SHEETS)
    dataset = open_dataset("whu-opt-sar", publish.root)
    assert [scene.name for scene in dataset.scenes] == sorted(SHEETS)
    for scene in dataset.scenes:
        assert scene.optical == publish.root / "optical" / f"{scene.name}.tif"
        assert scene.sar == publish.root / "sar" / f"{scene.name}.tif"
        assert scene.labels == publish.root / "lbl" / f"{scene.name}.tif"
        assert scene.group == ""
    assert dataset.optical_bands == ("red", "green", "blue", "nir")
    assert dataset.sar_bands == ("sar",)
    assert (dataset.size, dataset.edge, dataset.chips) == (512, "drop", False)


def test_the_noted_numbers_of_tiles_are_those_of_a_scene(publish):
    publish.whu(SHEETS[:1])
    note = next(note for note in open_dataset("whu-opt-sar", publish.root).notes if "70 tiles" in note)
    dropped = sum(1 for top in range(0, 3704 - 511, 512) for left in range(0, 5556 - 511, 512))
    shifted = sum(1 for top in range(0, 3704, 512) for left in range(0, 5556, 512))
    assert f"= {dropped} tiles" in note
    assert f"{100 * dropped} in all" in note
    assert f"= {shifted}," in note


def test_without_the_division_there_is_no_split_and_a_note_says_so(publish):
    publish.whu(SHEETS)
    dataset = open_dataset("whu-opt-sar", publish.root)
    assert set(splits(dataset).values()) == {None}
    assert dataset.split_source == ""
    assert any(DIVISION in note for note in dataset.notes)


@pytest.mark.parametrize(
    "lines",
    [
        ["train:", *(f"{name}.tif" for name in SHEETS[:3]), "", "test:", f"{SHEETS[3]}.tif", "", ""],  # as published
        ["Training set (3 scenes)", " ".join(SHEETS[:3]), "Test set (1)", SHEETS[3]],
        [*(f"{name} train" for name in SHEETS[:3]), f"{SHEETS[3]}.tif\ttest"],
        [f"train: {', '.join(SHEETS[:3])}", f"TEST: {SHEETS[3]}"],
        ["\ufefftrain:", *SHEETS[:3], "test:", SHEETS[3]],
    ],
    ids=["as published", "headings in words", "pairs", "on one line", "byte order mark"],
)
def test_the_official_division_is_read_in_its_usual_forms(publish, lines):
    publish.whu(SHEETS)
    publish.text(DIVISION, lines)
    dataset = open_dataset("whu-opt-sar", publish.root)
    assert splits(dataset) == dict(zip(SHEETS, ["train", "train", "train", "test"], strict=True))
    assert DIVISION in dataset.split_source


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["train:", SHEETS[0], "what is this", "test:", *SHEETS[1:]], 3),
        ([*SHEETS], 1),
        (["train:", *SHEETS, "test:", SHEETS[2]], 7),
    ],
    ids=["neither", "no heading", "in both"],
)
def test_a_division_that_cannot_be_understood_is_told_with_the_line(publish, lines, number):
    publish.whu(SHEETS)
    publish.text(DIVISION, lines)
    with pytest.raises(TileSetError, match=rf"{DIVISION}, line {number}, .*{lines[number - 1]}") as caught:
        open_dataset("whu-opt-sar", publish.root)
    assert caught.value.hint


def test_a_division_must_name_just_the_scenes_that_are_there(publish):
    publish.whu(SHEETS[:3])
    publish.text(DIVISION, ["train:", *SHEETS[:2], "test:", SHEETS[3], "NI49E024020.tif"])
    with pytest.raises(TileSetError, match="names 2 files that are not there: the first is 'NI49E021010'"):
        open_dataset("whu-opt-sar", publish.root)
    publish.text(DIVISION, ["train:", SHEETS[0]])
    with pytest.raises(TileSetError, match=r"2 files are not in .*: the first is 'NH49E001014'"):
        open_dataset("whu-opt-sar", publish.root)


def test_the_lists_of_asanet_serve_for_whole_scenes(publish):
    publish.whu(SHEETS)
    publish.text("splits/train_list.txt", [f"{name}.tif" for name in SHEETS[:3]])
    publish.text("splits/test_list.txt", [f"{SHEETS[3]}.tif"])
    assert splits(open_dataset("whu-opt-sar", publish.root))[SHEETS[3]] == "test"


def test_tiles_of_pad_are_split_by_their_lists(publish):
    train, test = ["NH49E001013_1", "NH49E001013_2"], ["NH49E001014_1"]
    publish.whu_pad([*train, *test])
    publish.text("splited_files/whuoptsar_train_(512, 512)_(512, 512).txt", train)
    publish.text("splited_files/whuoptsar_test_(512, 512)_(512, 512).txt", test)
    for root in (publish.root, publish.root / "all_512x512"):
        dataset = open_dataset("whu-opt-sar", root)
        assert splits(dataset) == {**dict.fromkeys(train, "train"), **dict.fromkeys(test, "test")}
        assert [scene.group for scene in dataset.scenes] == ["NH49E001013", "NH49E001013", "NH49E001014"]
        assert dataset.optical_bands == ("red", "green", "blue")
        assert (dataset.size, dataset.chips) == (16, True)
        assert not any("tears" in note for note in dataset.notes)


def test_a_split_that_tears_scenes_apart_is_noted(publish):
    publish.whu_solc(["NH49E001013_1", "NH49E001014_7"], "train")
    publish.whu_solc(["NH49E001013_2"], "val")
    publish.whu_solc(["NH49E001014_3"], "test")
    dataset = open_dataset("whu-opt-sar", publish.root)
    assert splits(dataset)["NH49E001013_2"] == "val"
    assert dataset.size == 8
    assert any("tears 2 of 2 scenes apart" in note for note in dataset.notes)


def test_tiles_of_asanet_are_split_by_their_folders(publish):
    publish.whu_asanet(["NH49E001013_000", "NH49E001013_087"], "train")
    publish.whu_asanet(["NH49E001014_000"], "test")
    for root in (publish.root, publish.root / "crop512"):
        dataset = open_dataset("whu-opt-sar", root)
        assert list(splits(dataset).values()) == ["train", "train", "test"]
        assert {scene.group for scene in dataset.scenes} == {"NH49E001013", "NH49E001014"}
        assert dataset.optical_bands == ("red", "green", "blue", "nir")


def test_tiles_beside_whole_scenes_are_left_aside_with_a_note(publish):
    publish.whu(SHEETS)
    publish.whu_asanet(["NH49E001013_000"], "train")
    dataset = open_dataset("whu-opt-sar", publish.root)
    assert [scene.name for scene in dataset.scenes] == sorted(SHEETS)
    assert any("crop512" in note and "left aside" in note for note in dataset.notes)


def test_tiles_cut_in_two_ways_are_refused(publish):
    publish.whu_pad(["NH49E001013_1"])
    publish.whu_asanet(["NH49E001013_000"], "train")
    with pytest.raises(TileSetError, match=r"cut in 2 ways: .*all_512x512, .*train"):
        open_dataset("whu-opt-sar", publish.root)


def test_a_tile_of_an_unknown_scene_is_refused(publish):
    publish.whu_pad(["NH49E001013"])
    with pytest.raises(TileSetError, match=r"opt/NH49E001013\.tif is not called like"):
        open_dataset("whu-opt-sar", publish.root)


def test_codes_are_tens_in_scenes_and_tens_or_units_in_tiles(publish):
    publish.whu(SHEETS[:1], under="whole/")
    publish.whu_pad(["NH49E001013_1"])
    whole = open_dataset("whu-opt-sar", publish.root / "whole")
    tiles = open_dataset("whu-opt-sar", publish.root / "all_512x512")
    units, tens = np.arange(8, dtype=np.uint8)[None, None], np.arange(0, 80, 10, dtype=np.uint8)[None, None]
    expected = [[255, 10, 20, 30, 40, 50, 60, 70]]
    for coding, values in ((whole.coding, tens), (tiles.coding, tens), (tiles.coding, units)):
        codes, unknown = coding.translate(values)
        assert codes.tolist() == expected
        assert unknown == {}
    assert whole.coding.translate(units)[1] == {str(code): 1 for code in range(1, 8)}
    with Labels(whole.scenes[0].labels) as labels:
        whole.legend.check(labels.read(Window(0, 0, 30, 20)))


def test_what_is_not_the_data_set_is_told_with_what_is_there(publish):
    publish.picture("images/a.tif")
    with pytest.raises(TileSetError, match=r"holds no optical/ \+ sar/ \+ lbl/; no .*: there is images/") as caught:
        open_dataset("whu-opt-sar", publish.root)
    assert caught.value.hint
