"""The whole road on the command line: tile, train, predict, eval, info; each with --json."""

import json
import re

import numpy as np
import pytest
import rasterio


@pytest.fixture
def small(small_network):
    """Options of `rsfuse train` for a small network and a few steps."""
    length = "training.batch=2", "training.validate_every=3", "training.steps=6"
    return [f"--set={setting}" for setting in (*small_network, *length)]


@pytest.fixture
def scene(raster):
    """A scene in stripes of the five classes, its SAR and its labels."""
    labels = (np.add.outer(np.arange(300) // 20, np.arange(300) // 30) % 5).astype(np.uint8)
    chance = np.random.default_rng(0)
    optical = (labels * 40 + 30 + chance.normal(0, 5, (3, 300, 300))).astype(np.uint8)
    sar = ((4 - labels) * 40 + 30 + chance.normal(0, 9, (1, 300, 300))).astype(np.uint8)
    return raster("scene.tif", values=optical), raster("sar.tif", values=sar), raster("labels.tif", values=labels[None])


def answer(result):
    """The one JSON document on standard output."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_whole_road(rsfuse, scene, small, tmp_path):
    optical, sar, labels = scene
    cut = answer(
        rsfuse(
            *("tile", optical, "--sar", sar, "--labels", labels, "--legend", "sentinel-5"),
            *("--size", "64", "--val", "0.25", "--test", "0.1", "-o", "tiles", "--json"),
        )
    )
    assert set(cut["splits"]) == {"train", "val", "test"}
    assert cut["tiles"] + sum(cut["left_out"].values()) == 16
    assert cut["splits"]["val"] == 4

    trained = answer(rsfuse("train", "pad_sentinel-10m", "--tiles", "tiles", "-o", "run", *small, "--json"))
    assert trained["bundle"] == "run"
    assert set(trained["best"]) == {"step", "miou", "oa"}
    assert trained["best"]["step"] in (3, 6)

    predicted = answer(rsfuse("predict", optical, "--sar", sar, "--bundle", "run", "-o", "map.tif", "--json"))
    keys = "output legend seconds megapixels patches patches_skipped device bundle peak_memory_mb coreg"
    assert set(keys.split()) <= set(predicted)
    assert predicted["output"] == "map.tif"
    assert predicted["bundle"] == "run"
    assert predicted["patches"] == 13 * 13
    with rasterio.open(tmp_path / "map.tif") as mapped:
        assert sum(predicted["pixels"].values()) == mapped.width * mapped.height

    scored = answer(rsfuse("eval", "map.tif", labels, "--json"))
    assert {"oa", "miou", "mf1", "kappa", "mkappa", "classes", "confusion"} <= set(scored)
    assert np.sum(scored["confusion"]) == 300 * 300
    assert set(scored["classes"][0]) >= {"code", "name", "iou", "precision", "recall", "f1", "pixels"}

    by_tiles = answer(rsfuse("eval", "--bundle", "run", "--tiles", "tiles", "--split", "val", "--json"))
    assert by_tiles["samples"] == 4
    assert by_tiles["pixels"] == 4 * 64 * 64

    kinds = {
        thing: answer(rsfuse("info", thing, "--json"))["kind"]
        for thing in ("scene.tif", "map.tif", "tiles", "run", "pad_demo")
    }
    assert kinds == {
        "scene.tif": "raster",
        "map.tif": "raster",
        "tiles": "tiles",
        "run": "bundle",
        "pad_demo": "recipe",
    }

    for command in (["eval", "map.tif", "labels.tif"], ["info", "tiles"], ["info", "run"], ["info", "scene.tif"]):
        result = rsfuse(*command)
        assert result.exit_code == 0
        assert result.stdout.strip()


def test_training_does_not_walk_over_an_older_run(rsfuse, scene, small, tmp_path):
    optical, sar, labels = scene
    rsfuse(
        "tile",
        optical,
        "--sar",
        sar,
        "--labels",
        labels,
        "--legend",
        "sentinel-5",
        "--size",
        "64",
        "-o",
        "tiles",
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    result = rsfuse("train", "pad_sentinel-10m", "--tiles", "tiles", "-o", "run", *small)
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_quiet_says_nothing_and_progress_is_told_otherwise(rsfuse, scene, small):
    optical, sar, labels = scene
    told = rsfuse(
        "tile", optical, "--sar", sar, "--labels", labels, "--legend", "sentinel-5", "--size", "64", "-o", "a"
    )
    assert re.search(r"cutting: (\d+) of \1 parts", told.stderr)
    quiet = rsfuse(
        "tile", optical, "--sar", sar, "--labels", labels, "--legend", "sentinel-5", "--size", "64", "-o", "b", "-q"
    )
    assert quiet.stderr == ""


def test_recipes_are_listed_and_printed(rsfuse):
    assert "pad_demo" in rsfuse("recipes").stdout
    assert "steps:" in rsfuse("recipes", "pad_demo").stdout
    assert answer(rsfuse("recipes", "--json"))["pad_demo"]["network"]["name"] == "pad"


def test_the_doctor_finds_gdal_and_torch(rsfuse):
    found = answer(rsfuse("doctor", "--json"))
    assert found["packages"]["torch"] != "not installed"
    assert found["GDAL"]["driver COG"] == "yes"
    assert "GDAL" in rsfuse("doctor").stdout
