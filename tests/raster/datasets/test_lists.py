"""Lists of splits: each names just the files that are there, once."""

import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.lists import find_lists, read_lists

NAMES = dict.fromkeys(("a", "b_sat", "c.1"))
NAMING = {"train": "train.txt", "val": "val.txt"}


def read(publish, train, val=()):
    publish.text("train.txt", train)
    publish.text("val.txt", val)
    return read_lists(find_lists(publish.root, [NAMING]), NAMES)


@pytest.mark.parametrize(
    "line",
    [
        "a",
        " a.tif ",
        "a.JPG",
        "/data/x/a.png",
        r"G:\data\opt\a.tif",
        "x/GF2/a.jpg x/GF3/a.jpg x/label/a.png",
        "a_sat.jpg",
    ],
)
def test_a_line_names_a_file_in_any_of_the_usual_ways(publish, line):
    assert read(publish, [line, "b_sat"], ["", "c.1"]) == {"a": "train", "b_sat": "train", "c.1": "val"}


def test_a_name_that_is_listed_twice_in_one_list_counts_once(publish):
    assert read(publish, ["a", "a", "b_sat", "c.1"]) == dict.fromkeys(NAMES, "train")


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        (["a", "x", "y"], ["b_sat", "c.1"], r"train\.txt names 2 files that are not there: the first is 'x'"),
        (["a"], ["b_sat"], r"1 files are not in train\.txt and val\.txt in .*: the first is 'c\.1'"),
        (["a", "b_sat", "c.1"], ["a", "c.1"], r"2 names of .*val\.txt are in .*train\.txt too: the first is 'a'"),
        (["a", "b_sat.tif c.1.tif"], [], r"train\.txt, line 2, names 2 of them: b_sat, c\.1"),
        (["a", ","], ["b_sat", "c.1"], r"names 1 files that are not there: the first is ','"),
    ],
    ids=["not there", "not listed", "in both", "two in a line", "no name"],
)
def test_a_list_that_does_not_fit_is_refused_with_name_and_count(publish, train, val, told):
    with pytest.raises(TileSetError, match=told) as caught:
        read(publish, train, val)
    assert caught.value.hint


def test_a_list_that_is_no_text_is_refused(publish):
    (publish.root / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TileSetError, match=r"train\.txt cannot be read as text"):
        read_lists(find_lists(publish.root, [NAMING]), NAMES)


def test_two_lists_for_one_split_are_refused(publish):
    publish.text("train_1.txt", ["a"])
    publish.text("train_2.txt", ["a"])
    with pytest.raises(TileSetError, match=r"2 lists for train: train_1\.txt, train_2\.txt"):
        find_lists(publish.root, [{"train": "train_*.txt"}])


def test_the_naming_with_most_files_wins(publish):
    for name in ("train.txt", "val.txt", "test.txt"):
        publish.text(name, ["a"])
    namings = [{"train": "train.txt", "val": "crossvali.txt", "test": "test.txt"}, {**NAMING, "test": "test.txt"}]
    assert find_lists(publish.root, namings)["val"] == publish.root / "val.txt"


def test_no_lists_are_no_mistake(publish):
    assert find_lists(publish.root, [NAMING]) == {}
