"""The STAC item of a map: each MUST of the specifications, files by their bytes, times by their tags.

The JSON schemas are not at hand where tests run, so that what they require is written out here.
"""

import hashlib
import json
import math
import pickle
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from rsfuse.errors import OutputError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import LandClass, Legend
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_layer import Layer
from rsfuse.reports.stac import ModelRun, item_path, map_item, write_item

LEGEND = LEGENDS["sentinel-5"]
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
GRID = Grid(CRS.from_epsg(32722), PLACE, (30, 40))
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def raster(tmp_path):
    def write(name, tags=(), **domains):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        profile = {"driver": "GTiff", "count": 1, "height": 30, "width": 40, "dtype": "uint8"}
        with rasterio.open(path, "w", crs=GRID.crs, transform=PLACE, **profile) as file:
            file.write(np.random.default_rng(len(name)).integers(0, 5, (1, 30, 40)).astype("uint8"))
            file.update_tags(**dict(tags))
            for domain, values in domains.items():
                file.update_tags(ns=domain, **values)
        return path

    return write


@pytest.fixture
def run(tmp_path):
    weights = tmp_path / "bundle" / "weights.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    return ModelRun(
        bundle="sentinel-10m",
        network="pad",
        description="PAD for 10 m scenes",
        optical_bands=("red", "green", "blue"),
        sar_bands=("vh",),
        patch=128,
        halo=16,
        scaling={"kind": "scene-percentiles", "low": 2, "high": 98},
        weights=weights,
        weights_sha256=hashlib.sha256(b"weights").hexdigest(),
        device="cpu",
        seconds=12.34,
        trained_on=("optical.tif",),
        scores={"miou": 0.66},
    )


@pytest.fixture
def layers(raster):
    return [
        Layer(raster("map.tif"), legend=LEGEND),
        Layer(raster("map_confidence.tif"), ("confidence",), scale=1 / 254),
        Layer(raster("map_probabilities.tif"), LEGEND.names, "float16", nodata=float("nan")),
    ]


@pytest.fixture
def make(layers, run, raster):
    def make(grid=GRID, **changed):
        asked = {"runs": [run], "sources": [raster("optical.tif"), raster("sar.tif")], "when": WHEN, **changed}
        return map_item(asked.pop("layers", layers), grid, **asked)

    return make


def test_what_the_core_specification_requires_of_an_item_is_there(make):
    item = make()
    assert item["type"] == "Feature"
    assert item["stac_version"] == "1.1.0"
    assert item["id"] == "map"
    assert item["geometry"]["type"] == "Polygon"
    assert len(item["bbox"]) == 4
    assert item["links"]
    assert item["assets"]
    assert all(link["rel"] and link["href"] for link in item["links"])
    assert all(asset["href"] for asset in item["assets"].values())
    assert "datetime" in item["properties"]
    assert TIME.fullmatch(item["properties"]["created"])
    assert "collection" not in item
    for asset in item["assets"].values():
        names = [band["name"] for band in asset["bands"]]
        assert names
        assert len(set(names)) == len(names)


def test_each_extension_that_is_used_is_declared_and_each_that_is_declared_is_used(make, raster):
    scaled, plain = make(), make(layers=[Layer(raster("map.tif"), legend=LEGEND)])
    for item in (scaled, plain):
        declared = {re.fullmatch(r"https://stac-extensions\.github\.io/(\w+)/v[\d.]+/schema\.json", each)[1]
                    for each in item["stac_extensions"]}  # fmt: skip
        keys = [*item["properties"], *(key for asset in item["assets"].values() for key in asset)]
        prefixes = {key.split(":")[0] for key in keys if ":" in key} - {"rsfuse"}
        assert {{"projection": "proj"}.get(each, each) for each in declared} == prefixes
        assert len(item["stac_extensions"]) == len(declared)
    assert len(scaled["stac_extensions"]) == len(plain["stac_extensions"]) + 1


def test_what_the_model_extension_requires_is_there(make):
    item = make()
    told = item["properties"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", told["mlm:name"])
    assert told["mlm:architecture"] == "pad"
    assert told["mlm:tasks"] == ["semantic-segmentation"]
    assert told["mlm:framework"] == "PyTorch"
    assert re.match(r"\d+\.\d+\.\d+", told["mlm:framework_version"])
    named = {band["name"] for band in told["bands"]}
    assert [each["name"] for each in told["mlm:input"]] == ["optical", "sar"]
    for each, bands in zip(told["mlm:input"], (["red", "green", "blue"], ["vh"]), strict=True):
        assert each["bands"] == bands
        assert set(bands) <= named
        assert each["input"]["shape"] == [-1, len(bands), 128, 128]
        assert each["input"]["dim_order"] == ["batch", "channel", "height", "width"]
        assert each["input"]["data_type"] == "float32"
        (scaling,) = each["value_scaling"]
        assert scaling["type"] == "processing"
        assert scaling["format"]
        assert scaling["expression"] == {"kind": "scene-percentiles", "low": 2, "high": 98}
    (output,) = told["mlm:output"]
    assert output["name"]
    assert output["tasks"] == ["semantic-segmentation"]
    assert output["result"]["shape"] == [-1, 5, 128, 128]
    assert len(output["result"]["dim_order"]) == len(output["result"]["shape"])
    assert output["result"]["data_type"] == "float32"
    assert all(re.fullmatch(r"[0-9a-zA-Z_.-]+", key) for key in told["mlm:hyperparameters"])
    (model,) = [asset for asset in item["assets"].values() if "mlm:model" in asset["roles"]]
    assert model["mlm:artifact_type"] == "safetensors"
    only_properties = {"mlm:name", "mlm:input", "mlm:output", "mlm:hyperparameters"}
    assert not only_properties & {key for asset in item["assets"].values() for key in asset}


@pytest.mark.parametrize("bundle", ["sentinel-10m", "10 m", "x", "水", "a/b", "v1.", "-", "my bundle"])
def test_the_name_of_any_bundle_becomes_one_that_the_extension_allows(make, run, bundle):
    told = make(runs=[replace(run, bundle=bundle)])["properties"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", told["mlm:name"])
    assert bundle in told["description"]
    assert bundle in told["processing:lineage"]


@pytest.mark.parametrize(
    ("device", "accelerator"), [("cpu", None), ("cuda", "cuda"), ("cuda:1", "cuda"), ("mps", "macos-arm")]
)
def test_the_device_is_told_in_the_words_of_the_extension(make, run, device, accelerator):
    told = make(runs=[replace(run, device=device)])["properties"]
    assert told["mlm:accelerator"] == accelerator
    assert told["mlm:accelerator_summary"] == device


def test_an_ensemble_names_each_network_its_inputs_and_its_weights(make, run):
    item = make(runs=[run, replace(run, bundle="other", network="f2net", sar_bands=())])
    told = item["properties"]
    assert told["mlm:name"] == "sentinel-10m and other"
    assert told["mlm:architecture"] == "pad, f2net"
    assert [each["name"] for each in told["mlm:input"]] == ["sentinel-10m optical", "sentinel-10m sar", "other optical"]
    assert [band["name"] for band in told["bands"]] == ["red", "green", "blue", "vh"]
    assert told["mlm:hyperparameters"]["ensemble"] == 2
    models = {key: asset for key, asset in item["assets"].items() if "mlm:model" in asset["roles"]}
    assert list(models) == ["model-1", "model-2"]
    assert [len(asset["bands"]) for asset in models.values()] == [4, 3]


def test_the_classes_are_those_of_the_legend(make):
    item = make()
    classes = item["assets"]["classes"]["classification:classes"]
    told = [(each["value"], each["title"], each["color_hint"]) for each in classes]
    assert told == [(each.code, each.name, "%02X%02X%02X" % each.color) for each in LEGEND]  # noqa: UP031
    assert item["properties"]["mlm:output"][0]["classification:classes"] == classes
    assert [key for key, asset in item["assets"].items() if "classification:classes" in asset] == ["classes"]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (("built-up", "low vegetation"), ["built-up", "low_vegetation"]),
        (("水体", "forest"), ["class_3", "class_7"]),
        (("a b", "a/b"), ["class_3", "class_7"]),
    ],
)
def test_classes_have_distinct_names_that_machines_can_read(make, raster, names, short):
    legend = Legend((LandClass(3, names[0], (0, 0, 0)), LandClass(7, names[1], (1, 2, 255))))
    classes = make(layers=[Layer(raster("map.tif"), legend=legend)])["assets"]["classes"]["classification:classes"]
    assert [each["name"] for each in classes] == short
    assert [each["title"] for each in classes] == list(names)
    assert classes[1]["color_hint"] == "0102FF"


def test_layers_say_what_their_numbers_are(make):
    assets = make()["assets"]
    assert list(assets) == ["classes", "confidence", "probabilities", "model"]
    assert (assets["classes"]["data_type"], assets["classes"]["nodata"]) == ("uint8", 255)
    assert "raster:scale" not in assets["classes"]
    assert assets["confidence"]["raster:scale"] == pytest.approx(1 / 254)
    assert (assets["probabilities"]["data_type"], assets["probabilities"]["nodata"]) == ("float32", "nan")
    assert [band["name"] for band in assets["probabilities"]["bands"]] == list(LEGEND.names)


def test_every_file_is_found_from_the_folder_of_the_item_with_its_size_and_checksum(make, tmp_path):
    polygons = tmp_path / "fields & water.gpkg"
    polygons.write_bytes(b"polygons")
    assets = make(polygons=polygons)["assets"]
    assert len(assets) == 5
    for asset in assets.values():
        assert asset["href"].startswith("./")
        content = (tmp_path / unquote(asset["href"])).read_bytes()
        assert asset["file:size"] == len(content)
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()


def test_sources_are_linked_relative_if_they_lie_beside_the_map_and_absolute_elsewhere(make, run, raster, tmp_path):
    (tmp_path / "maps").mkdir()
    beside, inside, outside = raster("maps/a scene#1.tif"), raster("maps/optical.tif"), raster("sar%20.tif")
    layers = [Layer(raster("maps/map.tif"), legend=LEGEND)]
    item = make(layers=layers, sources=[beside, inside, outside])
    assert {link["rel"] for link in item["links"]} == {"via"}
    assert {link["type"] for link in item["links"]} == {"image/tiff; application=geotiff"}
    first, second, third = (link["href"] for link in item["links"])
    assert (first, second) == ("./a%20scene%231.tif", "./optical.tif")
    assert urlsplit(third).scheme == "file"
    assert Path(unquote(urlsplit(third).path)) == outside
    assert urlsplit(item["assets"]["model"]["href"]).scheme == "file"


def test_paths_may_be_given_from_the_working_folder_and_links_are_not_followed(make, raster, tmp_path, monkeypatch):
    (tmp_path / "maps").mkdir()
    raster("maps/map.tif")
    (tmp_path / "maps" / "linked.tif").symlink_to(raster("far.tif"))
    monkeypatch.chdir(tmp_path / "maps")
    item = make(layers=[Layer(Path("map.tif"), legend=LEGEND)], sources=[tmp_path / "maps" / "linked.tif"])
    assert (item["assets"]["classes"]["href"], item["links"][0]["href"]) == ("./map.tif", "./linked.tif")


def test_an_item_comes_back_from_json_as_it_was_even_with_numbers_that_json_does_not_know(make, run):
    scores = {"miou": np.float32(0.5), "iou_rare": math.nan}
    item = make(runs=[replace(run, scores=scores, scaling={"limits": (1, 2.5, math.inf)})])
    text = json.dumps(item, allow_nan=False)
    assert json.loads(text) == item
    assert item["properties"]["rsfuse:scores"] == {"sentinel-10m": {"miou": 0.5, "iou_rare": None}}
    assert item["properties"]["mlm:input"][0]["value_scaling"][0]["expression"] == {"limits": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("tags", "imagery", "expected"),
    [
        ({"TIFFTAG_DATETIME": "2024:05:01 10:56:21"}, {}, "2024-05-01T10:56:21Z"),
        ({"ACQUISITIONDATETIME": "2024-05-01T10:56:21.024Z"}, {}, "2024-05-01T10:56:21Z"),
        ({"ACQUISITIONDATETIME": "2024-05-01T10:56:21+02:00"}, {}, "2024-05-01T08:56:21Z"),
        ({"TIFFTAG_DATETIME": "2025:01:01 0:0:0"}, {"ACQUISITIONDATETIME": "2024-05-01 10:56"}, "2024-05-01T10:56:00Z"),
        ({"TIFFTAG_DATETIME": "2024:05:01 10:56:21", "ACQUISITIONDATETIME": "unknown"}, {}, "2024-05-01T10:56:21Z"),
    ],
)  # fmt: skip
def test_the_item_bears_the_time_at_which_the_scene_was_taken(make, raster, tags, imagery, expected):
    told = make(sources=[raster("a.tif", tags, IMAGERY=imagery), raster("b.tif")])["properties"]
    assert told["datetime"] == expected
    assert not {"start_datetime", "end_datetime"} & set(told)
    assert told["created"] == "2026-03-04T05:06:07Z"


def test_sources_of_two_times_give_a_range(make, raster):
    later = raster("a.tif", tags={"TIFFTAG_DATETIME": "2024:05:03 00:00:00"})
    sooner = raster("b.tif", tags={"TIFFTAG_DATETIME": "2024:05:01 00:00:00"})
    told = make(sources=[later, sooner])["properties"]
    assert told["datetime"] is None
    assert (told["start_datetime"], told["end_datetime"]) == ("2024-05-01T00:00:00Z", "2024-05-03T00:00:00Z")


@pytest.mark.parametrize("stamp", ["", "0000:00:00 00:00:00", "yesterday"])
def test_if_nobody_knows_when_a_scene_was_taken_the_range_ends_when_the_map_was_made(make, raster, stamp):
    when = datetime(2026, 3, 4, 1, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    told = make(sources=[raster("a.tif", tags={"TIFFTAG_DATETIME": stamp})], when=when)["properties"]
    assert told["datetime"] is None
    assert told["created"] == told["end_datetime"] == "2026-03-03T23:00:00Z"
    assert told["start_datetime"] == "1900-01-01T00:00:00Z"


def test_a_source_that_is_gone_is_told(make, tmp_path):
    with pytest.raises(SceneError, match=r"gone\.tif does not exist"):
        make(sources=[tmp_path / "gone.tif"])


def test_mistakes_of_the_program_are_refused(make, layers):
    with pytest.raises(ValueError, match="time with its zone"):
        make(when=datetime(2026, 3, 4))
    with pytest.raises(ValueError, match="at least one run"):
        make(runs=[])
    with pytest.raises(ValueError, match="legend first"):
        make(layers=layers[1:])


def test_an_item_is_written_beside_its_map_in_one_go(make, layers, tmp_path):
    item, path = make(), item_path(layers[0].path)
    assert path == tmp_path / "map.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="JSON"):
        write_item(path, {"bad": math.nan})
    assert path.read_text() == "old"
    write_item(path, item)
    assert json.loads(path.read_text(encoding="utf-8")) == item
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match=r"map\.json cannot be written"):
        write_item(tmp_path / "nowhere" / "map.json", {})


def test_a_failed_write_leaves_the_old_item_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "map.json"
    path.write_text("old")

    def fail(self, target):
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="cannot be written: no"):
        write_item(path, {})
    assert [each.name for each in tmp_path.iterdir()] == ["map.json"]
    assert path.read_text() == "old"


def test_a_run_travels_to_other_processes(run):
    assert pickle.loads(pickle.dumps(run)) == run
