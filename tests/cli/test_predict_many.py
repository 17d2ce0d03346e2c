"""Many scenes in one call, a plan before the work, and options that are told wrongly."""

import json

import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine

from rsfuse.cli.options import parse_batch, parse_size

FAR = Affine(10, 0, 700_000, 0, -10, 4_000_000)


@pytest.fixture
def two(raster, tmp_path):
    """Two scenes 200 km apart, and their SAR rasters under other names in a folder."""
    (tmp_path / "sar").mkdir()
    near = raster("a.tif", side=100), raster("sar/one.tif", bands=1, side=100)
    far = raster("b.tif", side=100, transform=FAR), raster("sar/two.tif", bands=1, side=100, transform=FAR)
    return near, far


def answer(result, code=0):
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def test_scenes_find_their_sar_and_are_mapped_into_a_folder(rsfuse, two, bundle, tmp_path):
    told = answer(
        rsfuse("predict", two[0][0], two[1][0], "--sar-dir", "sar", "--bundle", bundle, "-o", "maps", "--json")
    )
    assert told["failed"] == 0
    assert [each["sar"].split("/")[-1] for each in told["scenes"]] == ["one.tif", "two.tif"]
    for (optical, _), each in zip(two, told["scenes"], strict=True):
        with rasterio.open(optical) as scene, rasterio.open(tmp_path / each["output"]) as mapped:
            assert mapped.transform == scene.transform
    assert sorted(path.name for path in (tmp_path / "maps").glob("*.tif")) == ["a_landcover.tif", "b_landcover.tif"]


def test_a_scene_that_fails_stops_no_other_and_the_exit_code_says_so(rsfuse, two, bundle, tmp_path):
    two[0][0].write_bytes(two[0][0].read_bytes()[:5000])
    result = rsfuse("predict", two[0][0], two[1][0], "--sar-dir", "sar", "--bundle", bundle, "-o", "maps", "--json")
    told = answer(result, code=2)
    assert told["failed"] == 1
    assert "a.tif" in told["scenes"][0]["error"]
    assert told["scenes"][0]["hint"]
    assert "1 of 2 scenes failed: a" in result.stderr
    assert (tmp_path / "maps" / "b_landcover.tif").exists()
    assert not (tmp_path / "maps" / "a_landcover.tif").exists()


def test_a_list_says_what_belongs_together_and_how_maps_are_called(rsfuse, two, bundle, tmp_path):
    rows = ["optical,sar,name", "a.tif,sar/one.tif,east", "b.tif,,west"]
    (tmp_path / "scenes.csv").write_text("\n".join(rows))
    told = answer(rsfuse("predict", "scenes.csv", "--bundle", bundle, "-o", "maps", "--json"))
    assert [each["name"] for each in told["scenes"]] == ["east", "west"]
    assert (tmp_path / "maps" / "west_landcover.tif").exists()


def test_all_that_can_be_written_is_written_beside_the_map(rsfuse, two, bundle, tmp_path):
    optical, sar = two[0]
    layers = ["--confidence", "--probabilities", "float16", "--validity", "--stac", "--polygons", "map.gpkg"]
    told = answer(rsfuse("predict", optical, "--sar", sar, "--bundle", bundle, "-o", "map.tif", *layers, "--json"))
    names = ["map.gpkg", "map.json", "map.tif", "map.tif.aux.xml"]
    names += [f"map_{layer}.tif" for layer in ("confidence", "probabilities", "validity")]
    assert sorted(path.name for path in tmp_path.glob("map*")) == sorted(names)
    with rasterio.open(tmp_path / "map_probabilities.tif") as file:
        np.testing.assert_allclose(file.read().sum(0), 1, atol=5e-3)
    assert pyogrio.read_info(tmp_path / "map.gpkg")["features"] == told["polygons"]["written"]
    item = json.loads((tmp_path / "map.json").read_text())
    assert item["type"] == "Feature"
    assert item["properties"]["mlm:architecture"]
    assert sum(told["hectares"].values()) == pytest.approx(100 * 100 * 100 / 1e4)


def test_a_plan_is_told_and_nothing_is_written(rsfuse, two, bundle, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    optical, sar = two[0]
    told = answer(rsfuse("predict", optical, "--sar", sar, "--bundle", bundle, "--dry-run", "--json"))
    assert told["patches"] == 4
    assert told["output_bytes"] == 100 * 100
    assert told["seconds"] > 0
    assert told["bytes_needed"] == sum(told["needs"].values())
    assert "nothing was written" in rsfuse("predict", optical, "--bundle", bundle, "--dry-run").stdout
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to map", "rsfuse predict scene.tif --sar sar.tif"]),
        (["a.tif", "b.tif", "--sar", "sar/one.tif"], ["--sar names one raster for 2 scenes", "--sar-dir"]),
        (["a.tif", "--sar", "sar/one.tif", "--sar-dir", "sar"], ["both given"]),
        (["a.tif", "b.tif", "--polygons", "p.gpkg"], ["--polygons names one file"]),
        (["a.tif", "--crop", "1,2,3"], ["'1,2,3' is neither a file of polygons nor four numbers"]),
        (["a.tif", "--polygons", "p.shp"], ["is not a GeoPackage"]),
        (["a.tif", "--max-memory", "1M"], ["do not suffice", "--crop"]),
    ],
)
def test_mistakes_are_told_in_two_lines(rsfuse, two, bundle, tmp_path, arguments, words):
    result = rsfuse("predict", *arguments, "--bundle", bundle)
    assert result.exit_code == 2
    assert [line.split()[0] for line in result.stderr.splitlines() if line.startswith(("error", "hint"))] == [
        "error:",
        "hint:",
    ]
    assert all(word in result.stderr for word in words), result.stderr
    assert not list(tmp_path.glob("*landcover*"))


@pytest.mark.parametrize(("text", "size"), [("2G", 2 * 10**9), ("500M", 5 * 10**8), ("1.5 GB", 15 * 10**8), ("7", 7)])
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(("option", "text"), [("--max-memory", "much"), ("--batch-size", "0"), ("--batch-size", "few")])
def test_sizes_that_are_none_are_refused(rsfuse, option, text):
    result = rsfuse("predict", "a.tif", option, text)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_batch_may_be_left_to_the_machine():
    assert (parse_batch("auto"), parse_batch("7")) == (0, 7)
