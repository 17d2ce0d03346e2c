"""`rsfuse tile --wald PAN MS`: from a scene to patches, to a look at them, to a trained network."""

import json

import numpy as np
import pytest
from affine import Affine

SIDE = 96


@pytest.fixture
def pair(raster):
    """pan.tif of one band, and ms.tif of four at half its resolution."""
    chance = np.random.default_rng(0)
    fine = np.kron(chance.integers(1, 900, (1, 24, 24)), np.ones((1, 8, 8))).astype(np.uint16)
    ms = fine[:, ::2, ::2] // np.array([1, 2, 3, 4], np.uint16)[:, None, None]
    place = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    raster("pan.tif", side=2 * SIDE, values=fine, transform=place)
    raster("ms.tif", side=SIDE, values=ms, transform=place * Affine.scale(2))
    return "--wald", "pan.tif", "ms.tif"


def answer(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_scene_becomes_patches_and_patches_a_bundle(rsfuse, pair, tmp_path):
    cut = *pair, "--size", "16", "--test", "0", "--ms-bands", "3,1", "--sensor", "gf2", "-o", "patches"
    told = answer(rsfuse("tile", *cut, "--json"))
    assert {"tiles", "splits", "seconds", "left_out"} <= set(told)
    assert sum(told["splits"].values()) == told["tiles"]
    assert set(told["splits"]) == {"train", "val"}
    assert {path.name for path in (tmp_path / "patches").iterdir()} == {"tiles.json", "train.h5", "val.h5"}
    again = rsfuse("tile", *cut, "--overwrite")
    assert f"{told['tiles']} patches of gf2" in again.stdout
    known = answer(rsfuse("info", "patches", "--json"))
    assert (known["dataset"], known["ratio"], known["maximum"], known["patches"]) == ("wald", 2, 1023, told["tiles"])
    assert "pan.tif + ms.tif" in rsfuse("info", "patches").stdout
    small = "network.channels=6", "network.stages=1", "training.crop=16", "training.batch=4", "training.steps=2"
    settings = [part for each in (*small, "training.validate_every=1", "schedule.warmup=1") for part in ("--set", each)]
    trained = rsfuse("train", "cf2n_scene", "--tiles", "patches", "-o", "run", "--device", "cpu", "--json", *settings)
    assert {"bundle", "best", "seconds"} <= set(answer(trained))
    assert answer(rsfuse("info", "run", "--json"))["inputs"] == {"ms": ["band 3", "band 1"], "divisor": 1023.0}


def test_patches_lie_in_the_part_and_the_split_that_are_asked_for(rsfuse, pair, tmp_path):
    part = "--size", "16", "--window", "32", "16", "32", "64", "--split", "test", "--maximum", "2047"
    assert answer(rsfuse("tile", *pair, *part, "-o", "patches", "--json"))["splits"] == {"test": 8}
    names = {each["name"] for each in json.loads((tmp_path / "patches/tiles.json").read_text())["data"]}
    assert names == {f"r{row:05d}c{column:05d}" for row in (16, 32, 48, 64) for column in (32, 48)}
    assert answer(rsfuse("info", "patches", "--json"))["maximum"] == 2047


SIZE = "--size", "16"
MISTAKES = {
    "labels": ([*SIZE, "--labels", "x.tif"], ["--labels would do nothing", "--wald"]),
    "an optical raster": ([*SIZE, "ms.tif"], ["optical would do nothing"]),
    "a data set": ([*SIZE, "--dataset", "pancollection"], ["--dataset would do nothing"]),
    "another split": ([*SIZE, "--split-by", "random"], ["--split-by would do nothing"]),
    "an edge": ([*SIZE, "--edge", "shift"], ["--edge would do nothing"]),
    "no such sensor": ([*SIZE, "--sensor", "gf3"], ["'gf3'", "did you mean"]),
    "bands of another sensor": ([*SIZE, "--sensor", "wv3"], ["8 multispectral bands", "--ms-bands"]),
    "a band that is not there": ([*SIZE, "--ms-bands", "7"], ["4 band(s)", "no band 7"]),
    "a size that is no multiple": (["--size", "17"], ["8.5 px", "--size 18"]),
    "a size beyond": (["--size", "128"], ["128 px", "96 x 96"]),
}


@pytest.mark.parametrize(("options", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_two_lines_before_anything_is_written(rsfuse, pair, tmp_path, options, words):
    result = rsfuse("tile", *pair, *options, "-o", "patches")
    assert result.exit_code == 2, result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("reducing")]
    assert [line.split()[0] for line in lines] == ["error:", "hint:"], result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert not (tmp_path / "patches").exists()


@pytest.mark.parametrize("option", [("--sensor", "gf2"), ("--ms-bands", "1"), ("--maximum", "99")])
def test_options_of_sharpening_alone_are_refused_elsewhere(rsfuse, pair, option):
    result = rsfuse("tile", "ms.tif", "--labels", "pan.tif", "--legend", "sentinel-5", *option, "-o", "tiles")
    assert result.exit_code == 2
    assert f"{option[0]} would do nothing here: it goes with --wald" in result.stderr


def test_nothing_to_cut_is_told(rsfuse):
    result = rsfuse("tile", "-o", "tiles")
    assert result.exit_code == 2
    assert "nothing is named to cut" in result.stderr
    assert "--wald PAN MS" in result.stderr
