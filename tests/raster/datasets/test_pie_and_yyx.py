"""PIE-RGB-SAR and YYX-OPT-SAR: folders of chips, with lists and without."""

import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.registry import open_dataset


def test_pie_is_split_by_its_lists(publish):
    publish.pie(["b_2", "a_1", "c.3"])
    publish.text("train.txt", ["a_1", "c.3"])
    publish.text("val.txt", ["b_2"])
    dataset = open_dataset("pie-rgb-sar", publish.root)
    assert [(scene.name, scene.split) for scene in dataset.scenes] == [
        ("a_1", "train"),
        ("b_2", "val"),
        ("c.3", "train"),
    ]
    assert [scene.sar for scene in dataset.scenes] == [
        publish.root / f"sar/{name}.tif" for name in ("a_1", "b_2", "c.3")
    ]
    assert (dataset.size, dataset.chips, dataset.legend.codes) == (16, True, (0, 1, 2, 3, 4, 5))
    assert "train.txt and val.txt" in dataset.split_source


def test_pie_without_lists_has_no_split_and_says_so(publish):
    publish.pie(["a"])
    dataset = open_dataset("pie-rgb-sar", publish.root)
    assert dataset.scenes[0].split is None
    assert any("no train.txt" in note for note in dataset.notes)


def test_pie_needs_all_three_folders(publish):
    publish.pie(["a"])
    (publish.root / "sar").rename(publish.root / "radar")
    with pytest.raises(TileSetError, match=r"holds no rgb/ \+ sar/ \+ label/: there is label/, radar/, rgb/"):
        open_dataset("pie-rgb-sar", publish.root)


def test_two_copies_of_pie_are_refused(publish):
    publish.pie(["a"])
    for copy in ("one", "two"):
        for folder in ("rgb", "sar", "label"):
            (publish.root / copy / folder).mkdir(parents=True)
            (publish.root / copy / folder / "a.tif").write_bytes((publish.root / folder / "a.tif").read_bytes())
    for folder in ("rgb", "sar", "label"):
        (publish.root / folder / "a.tif").unlink()
        (publish.root / folder).rmdir()
    with pytest.raises(TileSetError, match=r"2 data sets: .*one, .*two"):
        open_dataset("pie-rgb-sar", publish.root)


@pytest.mark.parametrize(
    "folders",
    [("optical", "sar", "label"), ("opt", "sar", "lbl"), ("rgb", "SAR", "labels"), ("Optical", "sar", "Label")],
)
def test_yyx_is_found_by_any_usual_name_of_its_folders(publish, folders):
    publish.yyx(["1", "2"], folders)
    dataset = open_dataset("yyx-opt-sar", publish.root)
    assert [scene.optical for scene in dataset.scenes] == [publish.root / folders[0] / f"{n}.png" for n in (1, 2)]
    assert {scene.split for scene in dataset.scenes} == {None}
    assert (dataset.size, dataset.split_source) == (16, "")


def test_yyx_in_areas_carries_their_names(publish):
    for area in ("mountain", "urban"):
        publish.yyx(["1"], [f"{area}/{folder}" for folder in ("opt", "sar", "label")])
    assert [scene.name for scene in open_dataset("yyx-opt-sar", publish.root).scenes] == ["mountain-1", "urban-1"]


def test_a_count_other_than_the_published_is_noted(publish):
    publish.yyx(map(str, range(150)))
    assert not any("pairs" in note for note in open_dataset("yyx-opt-sar", publish.root).notes)
    for folder in ("optical", "sar", "label"):
        (publish.root / folder / "7.png").unlink()
    assert any("149 pairs, the data set has 150" in note for note in open_dataset("yyx-opt-sar", publish.root).notes)


def test_two_folders_for_one_layer_are_refused(publish):
    publish.yyx(["1"])
    publish.yyx(["1"], ("opt", "sar", "label"))
    with pytest.raises(TileSetError, match="2 folders for optical: opt, optical"):
        open_dataset("yyx-opt-sar", publish.root)
