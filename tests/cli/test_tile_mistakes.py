"""Every mistake in a call of `rsfuse tile` is told in two lines, before anything is written."""

import json

import numpy as np
import pytest

LEGEND = ("--legend", "sentinel-5")
ONE = ("optical/s0.tif", "--labels", "labels/s0.tif", *LEGEND)
MANY = ("optical", "--labels", "labels", *LEGEND, "--size", "32")


def answer(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def rows(folder):
    """The tiles of a set, as any program reads them."""
    return json.loads((folder / "tiles.json").read_text())["data"]


def refuse(result, *words):
    """Two lines, exit code 2, no usage and no traceback."""
    assert result.exit_code == 2, result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["error:", "hint:"], result.stderr
    for word in words:
        assert word in result.stderr


MISTAKES = {
    "an unknown data set": (["--dataset", "whu-optsar", "."], ["'whu-optsar'", "did you mean 'whu-opt-sar'?"]),
    "a root that is not there": (["--dataset", "inria", "nowhere"], ["nowhere"]),
    "a root of something else": (["--dataset", "inria", "."], ["no images/ + gt/", "optical/"]),
    "no layout file": (["--dataset", "folders", "--layout", "no.yaml", "."], ["no.yaml"]),
    "no such scene": (["nowhere.tif", *ONE[1:]], ["nowhere.tif"]),
    "no such sar": ([*ONE, "--sar", "nowhere.tif"], ["nowhere.tif"]),
    "labels without a legend": (ONE[:3], ["labels/s0.tif", "--legend"]),
    "sar for some scenes": (["optical", "--sar", "sar/s0.tif", *ONE[1:]], ["5 optical rasters, and 1 files for --sar"]),
    "a guard below the size": ([*ONE, "--size", "32", "--guard", "10"], ["10 px", "32 px", "--guard"]),
    "too much held out": ([*ONE, "--val", "0.6", "--test", "0.5"], ["0.6", "0.5", "below 1"]),
    "a tile larger than the scene": ([*ONE, "--size", "200"], ["200 px", "'s0'", "160 x 160", "--edge shift"]),
    "a halo that leaves nothing": ([*ONE, "--size", "32", "--halo", "16"], ["16 px", "between 0 and 15"]),
    "bounds elsewhere": ([*ONE, "--crop", "1,2,3,4"], ["left 1", "left 500000", "EPSG:32650"]),
    "bounds turned round": ([*ONE, "--crop", "3,4,1,2"], ["left 3", "in this order"]),
    "a crop that is no file": ([*ONE, "--crop", "somewhere"], ["somewhere"]),
    "a window beyond the scene": ([*ONE, "--window", "100", "0", "64", "64"], ["column 100", "160 x 160"]),
    "a list of nothing": ([*MANY, "--list", "train"], ["'train'", "train=FILE"]),
    "a list that is not there": ([*MANY, "--list", "train=no.txt"], ["no.txt"]),
}
USAGE = {
    "a data set with sar": (["--dataset", "whu-opt-sar", ".", "--sar", "sar"], ["--dataset"]),
    "folders without a layout": (["--dataset", "folders", "."], ["--layout"]),
    "no labels": (["optical/s0.tif"], ["--labels", "--dataset"]),
    "three bounds": ([*ONE, "--crop", "1,2,3"], ["'1,2,3'", "LEFT,BOTTOM,RIGHT,TOP"]),
    "a crop and a window": ([*ONE, "--crop", "1,2,3,4", "--window", "0", "0", "64", "64"], ["--crop", "--window"]),
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(pytest.param(*each, id=name) for name, each in MISTAKES.items()),
        *(pytest.param(*each, id=name) for name, each in USAGE.items()),
    ],
)
def test_a_mistake_is_told_in_two_lines_before_anything_is_written(rsfuse, scenes, options, words):
    refuse(rsfuse("tile", *options, "-o", "tiles"), *words)
    assert not (scenes / "tiles").exists()


@pytest.mark.parametrize(("options", "words"), USAGE.values(), ids=USAGE)
def test_options_that_contradict_each_other_are_refused_by_name(rsfuse, scenes, options, words):
    result = rsfuse("tile", *options, "-o", "tiles")
    assert result.exit_code == 2
    for word in words:
        assert word in result.stderr
    assert not (scenes / "tiles").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--layout", "layout.yaml"],
        ["--label-field", "class"],
        ["--split", "val", "--split-by", "random"],
        ["--no-survey"],
    ],
    ids=" ".join,
)
def test_an_option_that_would_do_nothing_is_told(rsfuse, scenes, options):
    result = rsfuse("tile", *ONE, "--size", "32", *options, "-o", "tiles")
    assert options[0] in result.stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["s0", "", "s9"], ["list.txt, line 3", "'s9'", "no such scene"]),
        (["s0", "s1"], ["do not name 3 of 5", "'s2'"]),
    ],
    ids=["a scene that is not there", "scenes left out"],
)
def test_a_list_must_name_the_scenes_that_are_there(rsfuse, scenes, lines, words):
    (scenes / "list.txt").write_text("\n".join(lines))
    refuse(rsfuse("tile", *MANY, "--list", "train=list.txt", "-o", "tiles"), *words)


def test_a_scene_in_two_lists_is_told(rsfuse, scenes):
    (scenes / "train.txt").write_text("s0\ns1\ns2\ns3")
    (scenes / "val.txt").write_text("s4\noptical/s3.tif")
    result = rsfuse("tile", *MANY, "--list", "train=train.txt", "--list", "val=val.txt", "-o", "tiles")
    refuse(result, "val.txt, line 2", "list for train")


def test_unknown_codes_and_colours_are_counted_over_all_files_and_the_first_is_named(rsfuse, scenes, raster, place):
    for number, count in ((1, 3), (3, 4)):
        codes = np.zeros((1, 160, 160), np.uint8)
        codes[0, 100, :count], codes[0, 101, 5] = 77, 9
        raster(f"labels/s{number}.tif", side=160, values=codes, transform=place(number))
    refuse(rsfuse("tile", *MANY, "-o", "tiles"), "77 (7 px)", "9 (2 px)", "labels/s1.tif", "2 such file(s)")
    painted = np.zeros((3, 160, 160), np.uint8)
    painted[:] = np.array([33, 102, 172])[:, None, None]  # water
    painted[:, 0, :5] = 1
    raster("painted.tif", side=160, values=painted)
    result = rsfuse("tile", *ONE[:1], "--labels", "painted.tif", *LEGEND, "--size", "32", "-o", "tiles")
    refuse(result, "#010101 (5 px)", "painted.tif")
    assert not (scenes / "tiles").exists()


def test_a_file_without_a_partner_is_told(rsfuse, scenes):
    (scenes / "sar/s3.tif").unlink()
    refuse(rsfuse("tile", *MANY, "--sar", "sar", "-o", "tiles"), "1 optical rasters have no partner", "optical/s3.tif")


def test_a_value_of_polygons_that_is_no_class_is_told_with_their_number(rsfuse, scenes, draw):
    box = (0, 0, 50, 50)
    drawn = draw("drawn.geojson", ({"class": "pond"}, box), ({"class": "pond"}, box), ({"class": "water"}, box))
    result = rsfuse("tile", "optical/s0.tif", "--labels", drawn, *LEGEND, "--size", "32", "-o", "tiles")
    refuse(result, "pond (2 polygons)", "drawn.geojson")


def test_the_same_command_finds_its_tiles_and_another_is_told_what_differs(rsfuse, scenes):
    assert not answer(rsfuse("tile", *MANY, "-o", "tiles", "--json"))["again"]
    assert answer(rsfuse("tile", *MANY, "-o", "tiles", "--json"))["again"]
    refuse(rsfuse("tile", *MANY, "--seed", "1", "-o", "tiles"), "seed was 0, now it is 1", "--overwrite")


def test_a_mistake_does_not_cost_the_tiles_that_were_to_be_replaced(rsfuse, scenes, raster, place):
    answer(rsfuse("tile", *MANY, "-o", "tiles", "--json"))
    raster("labels/s4.tif", side=160, values=np.full((1, 160, 160), 9, np.uint8), transform=place(4))
    refuse(rsfuse("tile", *MANY, "-o", "tiles", "--overwrite"), "9 (25600 px)")
    assert len(rows(scenes / "tiles")) == 125


def test_an_attribute_of_polygons_that_is_not_clear_is_told_with_those_there_are(rsfuse, scenes, draw):
    drawn = draw("drawn.geojson", ({"kind": "water", "number": 3}, (0, 0, 80, 80)))
    options = ("optical/s0.tif", "--labels", drawn, *LEGEND, "--size", "32", "-o", "tiles")
    refuse(rsfuse("tile", *options), "drawn.geojson", "kind, number")
    refuse(rsfuse("tile", *options, "--label-field", "name"), "'name'", "kind, number")
