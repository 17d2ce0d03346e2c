"""`rsfuse tile` on scenes of one's own and on public data sets."""

import json

import h5py
import numpy as np
import pytest
import rasterio

LEGEND = ("--legend", "sentinel-5")
ONE = ("optical/s0.tif", "--labels", "labels/s0.tif", *LEGEND)
MANY = ("optical", "--labels", "labels", *LEGEND, "--size", "32")


def answer(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def rows(folder):
    """The tiles of a set, as any program reads them."""
    return json.loads((folder / "tiles.json").read_text())["data"]


def pixels(path):
    with rasterio.open(path) as file:
        return file.read()


def test_many_scenes_are_paired_by_name_and_split_whole(rsfuse, scenes):
    told = answer(rsfuse("tile", *MANY, "--sar", "sar", "-o", "tiles", "--json"))
    assert {"tiles", "splits", "seconds"} <= set(told)
    assert (told["tiles"], told["scenes"], told["splits"]) == (125, 5, {"train": 75, "val": 25, "test": 25})
    used = {}
    for row in rows(scenes / "tiles"):
        used.setdefault(row["scene"], set()).add(row["split"])
    assert sorted(used) == [f"s{number}" for number in range(5)]
    assert all(len(splits) == 1 for splits in used.values())
    for row in rows(scenes / "tiles")[::30]:
        place = np.s_[..., row["row"] : row["row"] + 32, row["column"] : row["column"] + 32]
        for folder in ("optical", "sar", "labels"):
            cut = pixels(scenes / "tiles" / folder / f"{row['name']}.tif")
            assert (cut == pixels(scenes / folder / f"{row['scene']}.tif")[place]).all()


def test_lists_say_which_scene_is_for_what(rsfuse, scenes):
    lists = {"train": ["s0", "s3.tif"], "val": ["optical/s1.tif"], "test": ["s2", "s4"]}
    for split, names in lists.items():
        (scenes / f"{split}.txt").write_text("\n".join(names) + "\n")
    options = [option for split in lists for option in ("--list", f"{split}={split}.txt")]
    assert answer(rsfuse("tile", *MANY, *options, "-o", "tiles", "--json"))["splits"] == {
        "train": 50, "val": 25, "test": 50,
    }  # fmt: skip
    used = {row["scene"]: row["split"] for row in rows(scenes / "tiles")}
    assert used == {"s0": "train", "s1": "val", "s2": "test", "s3": "train", "s4": "test"}


def test_blocks_of_one_scene_keep_a_guard(rsfuse, scenes):
    told = answer(rsfuse("tile", *ONE, "--size", "16", "--guard", "20", "-o", "tiles", "--json"))
    assert set(told["splits"]) == {"train", "val", "test"}
    assert told["left_out"]["near another split"] > 0
    assert sum(told["left_out"].values()) + told["tiles"] == 100
    places = {split: [] for split in told["splits"]}
    for row in rows(scenes / "tiles"):
        places[row["split"]].append((row["column"], row["row"]))
    for left, top in places["train"]:
        for other_left, other_top in places["val"] + places["test"]:
            assert max(abs(left - other_left), abs(top - other_top)) - 16 >= 20


def test_the_balance_of_classes_is_shown_and_counted_right(rsfuse, scenes):
    told = answer(rsfuse("tile", *MANY, "-o", "tiles", "--json"))
    counted = dict.fromkeys("01234", 0)
    for balance in told["balance"].values():
        for code, count in balance.items():
            counted[code] += count
    codes = np.stack([pixels(scenes / "labels" / f"s{number}.tif") for number in range(5)])
    assert counted == {code: int((codes == int(code)).sum()) for code in "01234"}
    shown = rsfuse("tile", *MANY, "-o", "tiles").stdout
    assert "low vegetation" in shown
    assert "train px" in shown
    assert "all there before" in shown


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_all_tiles_can_be_put_into_one_split(rsfuse, scenes, split):
    assert answer(rsfuse("tile", *MANY, "--split", split, "-o", "tiles", "--json"))["splits"] == {split: 125}


def test_a_random_split_warns_on_standard_error_why_its_scores_cannot_be_trusted(rsfuse, scenes):
    result = rsfuse("tile", *MANY, "--split-by", "random", "-o", "tiles", "--json")
    assert answer(result)["splits"] == {"train": 87, "val": 19, "test": 19}
    assert "neighbours" in json.dumps(answer(result)["notes"])
    plain = rsfuse("tile", *MANY, "--split-by", "random", "-o", "others")
    assert "neighbours of training tiles" in plain.stderr
    assert "--split-by blocks" in plain.stderr


@pytest.mark.parametrize("option", ["--json", "-q"])
def test_the_warning_about_a_random_split_is_on_standard_error_whatever_the_output(rsfuse, scenes, option):
    assert "neighbours" in rsfuse("tile", *MANY, "--split-by", "random", "-o", "tiles", option).stderr


def test_no_pixel_is_copied_on_request(rsfuse, scenes):
    told = answer(rsfuse("tile", *MANY, "--sar", "sar", "--manifest-only", "-o", "tiles", "--json"))
    assert told["tiles"] == 125
    assert [path.name for path in (scenes / "tiles").iterdir()] == ["tiles.json"]
    assert sum(told["balance"]["train"].values()) > 0
    quick = answer(rsfuse("tile", *MANY, "--manifest-only", "--no-survey", "-o", "quick", "--json"))
    assert quick["tiles"] == 125
    assert {row["valid"] for row in rows(scenes / "quick")} == {None}


def test_polygons_serve_as_labels_by_the_attribute_that_is_named(rsfuse, scenes, draw):
    drawn = draw(
        "drawn.geojson",
        ({"kind": "water", "number": 3}, (0, 0, 80, 80)),
        ({"kind": "Trees", "number": 1}, (80, 0, 160, 160)),
    )
    options = ("optical/s0.tif", "--labels", drawn, *LEGEND, "--size", "80", "--split", "train", "--json")
    told = answer(rsfuse("tile", *options, "--label-field", "kind", "-o", "tiles"))
    assert told["balance"]["train"] == {"0": 80 * 80, "1": 0, "2": 80 * 160, "3": 0, "4": 0}
    told = answer(rsfuse("tile", *options, "--label-field", "number", "-o", "others"))
    assert told["balance"]["train"] == {"0": 0, "1": 80 * 160, "2": 0, "3": 80 * 80, "4": 0}
    codes = {row["name"]: pixels(scenes / f"tiles/labels/{row['name']}.tif") for row in rows(scenes / "tiles")}
    assert [np.unique(each).tolist() for each in codes.values()] == [[0], [2], [255], [2]]


def test_a_crop_by_bounds_cuts_what_lies_inside(rsfuse, scenes, place):
    left, top = place(0) * (40, 30)
    right, bottom = place(0) * (140, 110)
    bounds = f"{left},{bottom},{right},{top}"
    told = answer(rsfuse("tile", *ONE, "--size", "32", "--split", "train", "--crop", bounds, "-o", "tiles", "--json"))
    assert told["tiles"] == 3 * 2
    assert {(row["column"], row["row"]) for row in rows(scenes / "tiles")} == {
        (column, row) for column in (40, 72, 104) for row in (30, 62)
    }


def test_outside_a_crop_by_polygons_nothing_is_labelled(rsfuse, scenes, draw):
    area = draw("area.geojson", ({}, (16, 16, 80, 48)), ({}, (16, 48, 48, 80)))
    told = answer(rsfuse("tile", *ONE, "--size", "32", "--split", "train", "--crop", area, "-o", "tiles", "--json"))
    inside = np.zeros((160, 160), bool)
    inside[16:48, 16:80] = inside[48:80, 16:48] = True
    labels = np.where(inside, pixels(scenes / "labels/s0.tif")[0], 255)
    assert told["balance"]["train"] == {code: int((labels == int(code)).sum()) for code in "01234"}
    for row in rows(scenes / "tiles"):
        here = np.s_[row["row"] : row["row"] + 32, row["column"] : row["column"] + 32]
        assert (pixels(scenes / f"tiles/labels/{row['name']}.tif")[0] == labels[here]).all()


def test_a_window_in_pixels_is_cut_and_can_be_a_test_area(rsfuse, scenes):
    options = ("--size", "32", "--window", "10", "20", "70", "100", "--split", "test", "-o", "tiles", "--json")
    assert answer(rsfuse("tile", *ONE, *options))["splits"] == {"test": 2 * 3}
    assert min((row["column"], row["row"]) for row in rows(scenes / "tiles")) == (10, 20)


def test_a_tile_set_is_replaced_on_request(rsfuse, scenes):
    answer(rsfuse("tile", *MANY, "-o", "tiles", "--json"))
    assert answer(rsfuse("tile", *MANY, "--size", "64", "-o", "tiles", "--json", "--overwrite"))["tiles"] == 5 * 4
    assert {path.stem for path in (scenes / "tiles/optical").iterdir()} == {
        row["name"] for row in rows(scenes / "tiles")
    }


def test_a_public_data_set_takes_its_root_alone(rsfuse, publish):
    publish.pie(("00001", "00002", "00003"))
    publish.text("train.txt", ["00001", "00003"])
    publish.text("val.txt", ["00002"])
    told = answer(rsfuse("tile", "--dataset", "pie-rgb-sar", publish.root, "-o", "tiles", "--json"))
    assert told["splits"] == {"train": 2, "val": 1}
    assert "lists" in told["split"]
    assert any("8 bits" in note for note in told["notes"])


def test_another_legend_renames_the_classes_of_a_data_set(rsfuse, publish):
    publish.ddhr("1234")
    shown = {}
    for legend in ("ddhr", "ddhr-whfnet"):
        result = rsfuse("tile", "--dataset", "ddhr", publish.root, "--legend", legend, "-o", legend)
        assert result.exit_code == 0
        shown[legend] = [line for line in result.stdout.splitlines() if "│" in line]
    swap = {"greenery": "farmland", "farmland": "greenery"}
    names = {legend: [line.split("│")[2].strip() for line in lines] for legend, lines in shown.items()}
    assert [swap.get(name, name) for name in names["ddhr"]] == names["ddhr-whfnet"]


def test_patches_of_pancollection_stay_where_they_are(rsfuse, tmp_path):
    (tmp_path / "data").mkdir()
    chance = np.random.default_rng(0)
    for name, count in (("train_qb.h5", 3), ("valid_qb.h5", 2)):
        shapes = {
            "ms": (count, 4, 4, 4),
            "pan": (count, 1, 16, 16),
            "lms": (count, 4, 16, 16),
            "gt": (count, 4, 16, 16),
        }
        with h5py.File(tmp_path / "data" / name, "w") as file:
            for key, shape in shapes.items():
                values = chance.integers(0, 2048, shape).astype(np.float64)
                values.flat[:2] = 0, 2047
                file[key] = values
    told = answer(rsfuse("tile", "--dataset", "pancollection", "data", "-o", "patches", "--json"))
    assert {"tiles", "splits", "seconds"} <= set(told)
    assert told["splits"] == {"train": 3, "val": 2}
    assert [path.name for path in (tmp_path / "patches").iterdir()] == ["tiles.json"]
    assert "5 patches of qb" in rsfuse("tile", "--dataset", "pancollection", "data", "-o", "patches").stdout
