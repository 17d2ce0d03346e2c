"""A map by an exported bundle is that by torch, whatever else is asked for, and a run that was stopped goes on."""

import hashlib
import json
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import rasterio

from rsfuse.errors import BundleError, OutputError, SceneError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.runtimes.waking import wake, wake_sharpening
from rsfuse.raster.crop import Crop
from rsfuse.raster.scene import Scene
from rsfuse.tasks.pansharpen import PansharpenSettings, pansharpen
from rsfuse.tasks.predict import PredictSettings, plan, predict

made = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "exported_bundles.py")))
ALL = {"confidence": True, "probabilities": "uint8", "validity": True}
LAYERS = ["map.tif", "map_confidence.tif", "map_probabilities.tif", "map_validity.tif"]


@pytest.fixture(scope="module", autouse=True)
def _of_one_layer():
    with pytest.MonkeyPatch.context() as patched:
        made.build_by_torch(patched)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of a bundle of torch and one exported from it; patches of 32 px with a halo of 4."""
    root = tmp_path_factory.mktemp("bundles")
    return made.save_torch(root / "torch"), made.save_exported(root / "onnx")


def awake(folder, **options):
    return wake(Bundle.open(folder), device="cpu", **options)


def noise(height, width, bands=4):
    return np.random.default_rng(0).integers(1, 250, (bands, height, width), np.uint8)


@pytest.fixture
def scene(write_raster):
    """Write optical and SAR of that size, with a hole in the optical; the SAR in coarser pixels, or none."""

    def write(height=110, width=75, *, hole=None, sar_gsd_m=10.0, sar=True):
        pixels = noise(height, width)
        if hole is not None:
            pixels[:3, *hole] = 0
        step = round(sar_gsd_m / 10)
        optical = write_raster("scene.tif", pixels[:3], nodata=None if hole is None else 0)
        return optical, write_raster("sar.tif", pixels[3:, ::step, ::step], gsd_m=sar_gsd_m) if sar else None

    return write


@pytest.fixture
def mapped(tmp_path):
    """Map a scene, and read all layers."""

    def run(paths, predictor, name, progress=None, **settings):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        heard = {} if progress is None else {"progress": progress}
        with Scene(*paths) as opened:
            report = predict(opened, predictor, folder / "map.tif", PredictSettings(**settings), **heard)
        return report, {path.name: read(path) for path in sorted(folder.glob("*.tif"))}

    return run


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def is_the_same(found, expected):
    """Codes of 99.9 % of pixels; where they are, bytes of confidence and probabilities to 1 of 254; and validity."""
    assert sorted(found) == sorted(expected) == LAYERS
    assert (found["map.tif"] == expected["map.tif"]).mean() > 0.999
    assert len(np.unique(expected["map.tif"])) > 3
    for name in LAYERS[1:3]:
        assert np.abs(found[name].astype(int) - expected[name]).max() <= 1
    np.testing.assert_array_equal(found["map_validity.tif"], expected["map_validity.tif"])


PLACES = {
    "several patches": ({}, {}),
    "smaller than a patch": ({"height": 20, "width": 25}, {}),
    "a line": ({"height": 3, "width": 90}, {}),
    "holes that SAR fills": ({"hole": np.s_[30:80, 10:60]}, {}),
    "holes": ({"hole": np.s_[30:80, 10:60], "sar": False}, {}),
    "a hole wider than patches": ({"hole": np.s_[0:75, :], "sar": False}, {}),
    "SAR of other pixels": ({"sar_gsd_m": 20.0}, {}),
    "no SAR": ({"sar": False}, {}),
    "a crop": ({}, {"crop": Crop(pixels=(13, 21, 50, 60))}),
    "a narrow crop": ({"hole": np.s_[30:40, 10:60]}, {"crop": Crop(pixels=(40, 0, 5, 110))}),
    "patches that are cut": ({}, {"blend": "crop", "overlap": 0}),
    "much overlap": ({}, {"blend": "gaussian", "overlap": 20, "batch_size": 3}),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_map_is_that_by_torch(scene, folders, mapped, place):
    options, settings = PLACES[place]
    paths = scene(**options)
    (by_torch, expected), (report, found) = (
        mapped(paths, awake(folder), folder.name, **ALL, **settings) for folder in folders
    )
    is_the_same(found, expected)
    assert report.patches_skipped == by_torch.patches_skipped
    assert np.abs(report.pixels - by_torch.pixels).sum() <= 0.002 * by_torch.pixels.sum()


@pytest.mark.parametrize("looks", [("flips",), ("turns",), ("flips", "turns")])
def test_so_it_is_looked_at_several_ways(scene, folders, mapped, looks):
    paths = scene(hole=np.s_[30:50, 10:40])
    expected, found = (mapped(paths, awake(folder, looks=looks), folder.name, **ALL)[1] for folder in folders)
    is_the_same(found, expected)
    _, once = mapped(paths, awake(folders[0]), "once", **ALL)
    assert (once["map.tif"] != expected["map.tif"]).mean() > 0.01  # else nothing was looked at


def test_and_by_several_anchors_of_the_scaling(scene, mapped, tmp_path):
    scaling = {"kind": "scene-percentiles", "toward_median": 0.5, "limit": 4.0}
    told = {"inputs": {"optical": made.OPTICAL, "sar": made.SAR, "scaling": scaling}, "anchor": 0.5}
    torch = made.save_torch(tmp_path / "a", made.manifest(**told))
    onnx = made.save_exported(tmp_path / "b", told=made.manifest(**told, onnx=made.exported()))
    looks, paths = ("anchors", "flips"), scene()
    expected, found = (mapped(paths, awake(each, looks=looks), each.name + "s", **ALL)[1] for each in (torch, onnx))
    is_the_same(found, expected)
    assert (mapped(paths, awake(torch), "once", **ALL)[1]["map.tif"] != expected["map.tif"]).mean() > 0.01


def test_a_network_without_sar_maps_what_one_with_sar_does_where_its_bands_are_the_same(
    write_raster, folders, mapped, tmp_path
):
    pixels = noise(110, 75).astype(np.uint16)  # of bytes, a fourth band would be transparency
    inputs = {"optical": (*made.OPTICAL, "nir"), "sar": ()}
    told = made.manifest(inputs=inputs, without=(), onnx=made.exported())
    alone = made.save_exported(tmp_path / "alone", made.land_cover_graph((("optical", 4, 32), ("sar", 0, 32))), told)
    together = write_raster("all.tif", pixels), None
    apart = write_raster("optical.tif", pixels[:3]), write_raster("sar.tif", pixels[3:])
    _, found = mapped(together, awake(alone, looks=("turns",)), "found", confidence=True)
    _, expected = mapped(apart, awake(folders[1], looks=("turns",)), "expected", confidence=True)
    for name in ("map.tif", "map_confidence.tif"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_probabilities_in_half_precision_are_those_by_torch(scene, folders, mapped):
    paths = scene(hole=np.s_[30:50, 10:40], sar=False)
    expected, found = (
        mapped(paths, awake(folder), folder.name, probabilities="float16")[1]["map_probabilities.tif"]
        for folder in folders
    )
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.isnan(found).sum() == 5 * 20 * 30


def test_the_batch_changes_nothing(scene, folders, mapped):
    paths = scene()
    first, second = (mapped(paths, awake(folders[1]), f"by{size}", **ALL, batch_size=size)[1] for size in (1, 3))
    for name in LAYERS:
        np.testing.assert_array_equal(first[name], second[name])


def test_polygons_and_the_item_are_those_by_torch(scene, folders, mapped, tmp_path):
    pytest.importorskip("pyogrio")
    paths, reports, items = scene(), [], []
    for folder in folders:
        polygons = tmp_path / f"{folder.name}.gpkg"
        report, _ = mapped(paths, awake(folder), folder.name, polygons=polygons, stac=True)
        reports.append(report.polygons)
        items.append(json.loads((tmp_path / folder.name / "map.json").read_text()))
    assert reports[0].written == pytest.approx(reports[1].written, abs=3)
    assert sorted(items[0]["assets"]) == sorted(items[1]["assets"])
    (key,) = (key for key, asset in items[1]["assets"].items() if "mlm:weights" in asset["roles"])
    asset, graph = items[1]["assets"][key], folders[1] / "network.onnx"
    assert asset["href"] == graph.as_uri()
    assert asset["file:checksum"] == "1220" + hashlib.sha256(graph.read_bytes()).hexdigest()
    assert (asset["mlm:artifact_type"], asset["file:size"]) == ("onnx", graph.stat().st_size)
    by_torch, found = (item["properties"] for item in items)
    assert found["mlm:framework"].startswith("ONNX")
    assert found["mlm:framework_version"] == onnxruntime.__version__
    for key in ("mlm:accelerator", "mlm:accelerator_summary", "mlm:input", "mlm:output", "mlm:hyperparameters"):
        assert found[key] == by_torch[key]
    assert [key for key in by_torch["processing:software"] if "torch" in key.lower()]
    assert not [key for key in found["processing:software"] if "torch" in key.lower()]


class StoppedError(Exception):
    pass


def stop_after(patches):
    def progress(done, total):
        if done >= patches:
            raise StoppedError

    return progress


def test_a_run_that_was_stopped_ends_byte_for_byte_like_one_that_was_not(scene, folders, mapped, tmp_path):
    paths, settings = scene(height=700, width=60), {**ALL, "looks": ("flips",)}
    looks = settings.pop("looks")
    mapped(paths, awake(folders[1], looks=looks), "undisturbed", **settings)
    with pytest.raises(StoppedError):
        mapped(paths, awake(folders[1], looks=looks), "stopped", stop_after(80), **settings)
    with pytest.raises(OutputError, match="begun with other options: bundles was"):
        mapped(paths, awake(folders[0], looks=looks), "stopped", **settings)
    report, _ = mapped(paths, awake(folders[1], looks=looks), "stopped", **settings)
    assert report.rows_resumed == 512
    undisturbed, stopped = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("undisturbed", "stopped")
    )
    assert stopped == undisturbed


def test_a_graph_that_was_exported_anew_is_another_bundle(scene, mapped, tmp_path):
    paths, folder = scene(height=700, width=60), made.save_exported(tmp_path / "onnx")
    with pytest.raises(StoppedError):
        mapped(paths, awake(folder), "map", stop_after(80))
    (folder / "network.onnx").write_bytes(made.land_cover_graph(seed=1).SerializeToString())
    with pytest.raises(OutputError, match="begun with other options: bundles was"):
        mapped(paths, awake(folder), "map")


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("looks", [(), ("flips",)])
def test_a_bundle_of_torch_and_an_exported_one_are_averaged_in_either_order(scene, mapped, tmp_path, first, looks):
    paths, exported = scene(hole=np.s_[30:50, 10:40]), made.save_exported(tmp_path / "b", made.land_cover_graph(seed=1))
    torch = made.save_torch(tmp_path / "a"), made.save_torch(tmp_path / "c", seed=1)
    _, expected = mapped(paths, [awake(each, looks=looks) for each in torch], "torch", **ALL)
    order = [torch[0], exported][:: -1 if first else 1]
    _, found = mapped(paths, [awake(each, looks=looks) for each in order], "mixed", **ALL)
    is_the_same(found, expected)
    _, alone = mapped(paths, awake(torch[0], looks=looks), "alone", **ALL)
    assert (alone["map.tif"] != expected["map.tif"]).mean() > 0.1


def test_two_of_different_patches_are_refused_with_both_numbers(scene, folders, mapped, tmp_path):
    other = made.save_exported(
        tmp_path / "b",
        made.land_cover_graph((("optical", 3, 48), ("sar", 1, 48))),
        made.manifest(size=48, onnx=made.exported()),
    )
    paths = scene()
    for pair in (
        (folders[1], other),
        (other, folders[1]),
        (made.save_torch(tmp_path / "c", made.manifest(size=48)), folders[1]),
    ):
        with pytest.raises(BundleError) as caught:
            mapped(paths, [awake(each) for each in pair], "map")
        assert all(f"{side} x {side} px" in str(caught.value) for side in (32, 48))
        assert "rsfuse export BUNDLE -o DIR --patch" in caught.value.hint
    assert not list((tmp_path / "map").iterdir())


def test_one_of_torch_takes_the_patches_of_an_exported_one(scene, folders, mapped, tmp_path):
    report, _ = mapped(
        scene(), [awake(folders[1]), awake(made.save_torch(tmp_path / "c", made.manifest(size=48)))], "map"
    )
    assert report.pixels.sum() == 110 * 75


def test_memory_is_told_and_a_limit_makes_the_batch_smaller_or_is_refused(scene, tmp_path):
    told = made.manifest(onnx=made.exported(patch_bytes=500_000_000))
    predictor = awake(made.save_exported(tmp_path / "large", told=told))
    with Scene(*scene()) as opened:
        planned = plan(opened, predictor, PredictSettings(batch_size=3))
        assert (planned.size, planned.batch_size) == ((32, 32), 3)
        assert planned.needs.network == predictor.pass_bytes((32, 32), 3)
        rest = planned.needs.total - planned.needs.network
        enough_for_one = rest + predictor.pass_bytes((32, 32), 1)
        limited = plan(opened, predictor, PredictSettings(batch_size=3, max_memory=enough_for_one))
        assert limited.batch_size == 1
        with pytest.raises(SceneError, match="do not suffice"):
            plan(opened, predictor, PredictSettings(max_memory=enough_for_one - 10**8))


def test_a_batch_that_memory_does_not_suffice_for_is_halved_and_the_map_is_the_same(
    scene, folders, mapped, monkeypatch, caplog
):
    paths = scene()
    _, expected = mapped(paths, awake(folders[1]), "expected", **ALL)
    predictor = awake(folders[1])
    score = predictor.score

    def little_room(optical, sar):
        if len(optical) > 1:
            raise MemoryError
        return score(optical, sar)

    monkeypatch.setattr(predictor, "score", little_room)
    _, found = mapped(paths, predictor, "found", **ALL, batch_size=3)
    assert "going on with 1" in caplog.text
    for name in LAYERS:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(("height", "width"), [(96, 136), (20, 24)])
def test_a_sharpened_image_is_that_by_torch(write_raster, tmp_path, height, width):
    chance, images = np.random.default_rng(0), []
    pan = write_raster("pan.tif", chance.integers(1, 2000, (1, height, width), np.uint16), gsd_m=2.5)
    ms = write_raster("ms.tif", chance.integers(1, 2000, (3, height // 4, width // 4), np.uint16))
    for folder in (made.save_torch_sharpener(tmp_path / "torch"), made.save_sharpener(tmp_path / "onnx")):
        predictor = wake_sharpening(SharpeningBundle.open(folder), device="cpu")
        output = tmp_path / f"{folder.name}.tif"
        pansharpen(pan, ms, output, PansharpenSettings(method=predictor))
        images.append(read(output).astype(int))
    assert np.abs(images[0] - images[1]).max() <= 1
    assert (images[0] != images[1]).mean() < 0.001
    assert images[0].std() > 100
