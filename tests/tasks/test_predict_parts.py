"""A part of a scene is mapped as in the whole, and a run that was stopped ends as if it had never been."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
import shapely
from scipy.ndimage import label

from rsfuse.errors import GridMismatchError, OutputError
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.legend import NODATA
from rsfuse.raster.crop import Crop
from rsfuse.raster.drawn.map_polygons import MapPolygons
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict

HEIGHT, WIDTH = 1300, 90  # three rows of blocks of the map
NAMES = ["map.tif", "map.tif.aux.xml", "map_confidence.tif", "map_probabilities.tif"]
ALL = {"confidence": True, "probabilities": "uint8"}


@pytest.fixture(scope="module")
def bundle(save_untrained, tmp_path_factory):
    return save_untrained(tmp_path_factory.mktemp("bundle") / "small")[0]


@pytest.fixture
def paths(write_raster):
    pixels = np.random.default_rng(0).integers(1, 250, (4, HEIGHT, WIDTH), np.uint8)
    pixels[:, 400:520, 20:60] = 0
    return write_raster("scene.tif", pixels[:3], nodata=0), write_raster("sar.tif", pixels[3:])


@pytest.fixture
def out(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def run(paths, bundle, folder, progress=None, **settings):
    options = {} if progress is None else {"progress": progress}
    with Scene(*paths) as scene:
        return predict(
            scene, EagerPredictor(bundle, device="cpu"), folder / "map.tif", PredictSettings(**settings), **options
        )


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(path):
    with rasterio.open(path) as file:
        return file.read(), file.transform


@pytest.mark.parametrize("blend", ["hann", "crop"])
@pytest.mark.parametrize(("left", "top", "width", "height"), [(0, 0, 90, 1300), (7, 333, 60, 401), (50, 1250, 40, 50)])
def test_a_crop_is_mapped_as_it_is_in_the_whole(paths, bundle, out, blend, left, top, width, height):
    run(paths, bundle, out, blend=blend, batch_size=1, **ALL)
    whole = {name: read(out / name) for name in NAMES if name.endswith(".tif")}
    run(
        paths,
        bundle,
        out,
        blend=blend,
        batch_size=1,
        overwrite=True,
        crop=Crop(pixels=(left, top, width, height)),
        **ALL,
    )
    for name, (pixels, transform) in whole.items():
        part, moved = read(out / name)
        np.testing.assert_array_equal(part, pixels[:, top : top + height, left : left + width])
        assert moved == transform * transform.translation(left, top)


def test_outside_of_polygons_nothing_is_mapped_and_inside_all_is_as_in_the_whole(paths, bundle, out, tmp_path):
    run(paths, bundle, out, batch_size=1)
    (whole,), transform = read(out / "map.tif")
    corners = [transform * corner for corner in ((5, 100), (80, 150), (30, 700))]
    geometry = json.loads(shapely.to_geojson(shapely.Polygon(corners)))
    with rasterio.open(paths[0]) as file:
        crs = file.crs.to_string()
    area = {"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": crs}}, "features": []}
    area["features"].append({"type": "Feature", "properties": {}, "geometry": geometry})
    (tmp_path / "area.geojson").write_text(json.dumps(area))
    report = run(paths, bundle, out, batch_size=1, overwrite=True, crop=Crop(polygons=tmp_path / "area.geojson"))
    (part,), moved = read(out / "map.tif")
    left, top = (round(value) for value in ~transform * (moved.c, moved.f))
    inside = rasterio.features.geometry_mask([geometry], whole.shape, transform, invert=True)
    expected = np.where(inside, whole, NODATA)[top : top + part.shape[0], left : left + part.shape[1]]
    np.testing.assert_array_equal(part, expected)
    assert 0 < report.pixels.sum() == (expected != NODATA).sum()


def test_a_crop_beside_the_scene_is_told(paths, bundle, out):
    with pytest.raises(GridMismatchError, match="nothing of the scene"):
        run(paths, bundle, out, crop=Crop(bounds=(0, 0, 1, 1)))
    assert files_in(out) == {}


class StoppedError(Exception):
    pass


def stop_after(patches):
    def progress(done, total):
        if done >= patches:
            raise StoppedError

    return progress


def test_a_run_that_was_stopped_ends_byte_for_byte_like_one_that_was_not(paths, bundle, out):
    run(paths, bundle, out, **ALL)
    undisturbed = files_in(out)
    assert sorted(undisturbed) == NAMES
    for path in out.iterdir():
        path.unlink()
    with pytest.raises(StoppedError):
        run(paths, bundle, out, stop_after(35), **ALL)
    report = run(paths, bundle, out, **ALL)
    assert report.rows_resumed == 512
    assert report.patches < 54
    assert files_in(out) == undisturbed


def test_who_goes_on_with_other_options_is_told_which_differ(paths, bundle, out):
    with pytest.raises(StoppedError):
        run(paths, bundle, out, stop_after(40))
    with pytest.raises(OutputError, match="begun with other options: overlap was 16, now it is 32"):
        run(paths, bundle, out, overlap=32)
    with pytest.raises(OutputError, match="blend was hann, now it is crop"):
        run(paths, bundle, out, blend="crop")
    assert run(paths, bundle, out).rows_resumed == 512


@pytest.mark.parametrize("times", [1, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_started_again_the_files_are_the_same(paths, bundle, out, times):
    run(paths, bundle, out, **ALL)
    undisturbed = files_in(out)
    for path in out.iterdir():
        path.unlink()
    code = f"""
import sys
from pathlib import Path
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict
if Path({str(out / "map.tif")!r}).exists():
    sys.exit()
with Scene(*map(Path, {[str(path) for path in paths]!r})) as scene:
    predictor = EagerPredictor(Bundle.open(Path({str(bundle.folder)!r})), device="cpu")
    predict(scene, predictor, Path({str(out / "map.tif")!r}), PredictSettings(**{ALL!r}))
"""
    command, chance = [sys.executable, "-c", code], random.Random(0)
    start = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - start
    assert files_in(out) == undisturbed
    killed, same = 0, 0
    while killed < times:
        for path in out.iterdir():
            path.unlink()
        while not (out / "map.tif").exists():
            process = subprocess.Popen(command)
            try:
                assert process.wait(chance.uniform(0.5, 1.3) * whole) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        assert files_in(out) == undisturbed
        same += 1
    assert same > 0


def test_polygons_are_the_regions_of_the_map_with_their_mean_confidence(paths, bundle, out):
    pyogrio = pytest.importorskip("pyogrio")
    report = run(paths, bundle, out, confidence=True, polygons=out / "map.gpkg")
    (codes,), _ = read(out / "map.tif")
    (sure,), _ = read(out / "map_confidence.tif")
    regions = sum(label(codes == code)[1] for code in range(5))
    meta, _, _, columns = pyogrio.raw.read(out / "map.gpkg")
    found = dict(zip(meta["fields"], columns, strict=True))
    assert report.polygons.written == len(found["code"]) == regions
    for code in np.unique(codes[codes != NODATA]):
        here = found["code"] == code
        assert found["area_m2"][here].sum() == pytest.approx(100 * (codes == code).sum())
        mean = np.average(found["confidence"][here], weights=found["area_m2"][here])
        assert mean == pytest.approx(sure[codes == code].mean() / 254)


def test_what_speaks_against_the_polygons_is_told_before_the_work(paths, bundle, out):
    with pytest.raises(OutputError, match="is not a GeoPackage"):
        run(paths, bundle, out, stop_after(0), polygons=out / "map.shp")
    assert files_in(out) == {}


def test_a_run_that_was_stopped_while_it_drew_polygons_draws_them_again(paths, bundle, out, monkeypatch):
    run(paths, bundle, out, polygons=out / "map.gpkg")
    (whole,), _ = read(out / "map.tif")
    for path in out.iterdir():
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(MapPolygons, "seal", lambda self: stop_after(0)(1, 1))
        with pytest.raises(StoppedError):
            run(paths, bundle, out, polygons=out / "map.gpkg")
    assert [path.name for path in out.iterdir()] == [".map.tif.parts"]
    report = run(paths, bundle, out, polygons=out / "map.gpkg")
    assert report.rows_resumed == HEIGHT
    assert report.patches == 0
    assert report.polygons.written > 0
    np.testing.assert_array_equal(read(out / "map.tif")[0][0], whole)


LATE = {"crop": Crop(pixels=(0, 380, WIDTH, 150)), "probabilities": "uint8", "stac": True}


def stop_here(*args, **options):
    raise StoppedError


@pytest.mark.parametrize(
    "moment",
    [
        "rsfuse.tasks.predict.MapWriter.seal",  # the polygons have their name, no layer has
        "rsfuse.raster.map_writer.category_names",  # some layers have theirs
        "rsfuse.tasks.predict.write_item",  # all layers have
        "rsfuse.raster.map_parts.shutil.rmtree",  # all is there, and so is what it was made of
    ],
)
def test_a_run_that_was_stopped_at_the_very_end_ends_by_the_same_command(paths, bundle, out, monkeypatch, moment):
    pyogrio = pytest.importorskip("pyogrio")
    late = {**LATE, "polygons": out / "map.gpkg"}
    first = run(paths, bundle, out, **late)
    undisturbed, polygons = files_in(out), pyogrio.raw.read(out / "map.gpkg")
    for path in out.iterdir():
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(moment, stop_here)
        with pytest.raises(StoppedError):
            run(paths, bundle, out, **late)
    assert (out / "map.gpkg").exists()
    report = run(paths, bundle, out, **late)
    assert (report.rows_resumed, report.patches) == (150, 0)
    assert report.polygons == first.polygons
    found, drawn = files_in(out), pyogrio.raw.read(out / "map.gpkg")
    assert sorted(found) == sorted(undisturbed)
    assert all(found[name] == undisturbed[name] for name in found if ".tif" in name)
    for before, now in zip([polygons[2], *polygons[3]], [drawn[2], *drawn[3]], strict=True):
        np.testing.assert_array_equal(now, before)
    item = json.loads(found["map.json"])
    assert item["assets"]["polygons"]["file:checksum"] == "1220" + hashlib.sha256(found["map.gpkg"]).hexdigest()


def test_a_map_that_is_finished_is_told_as_finished_and_left_as_it_is(paths, bundle, out):
    pytest.importorskip("pyogrio")
    late = {**LATE, "polygons": out / "map.gpkg", "min_area_m2": 300.0}
    first = run(paths, bundle, out, **late)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()}
    again = run(paths, bundle, out, stop_after(0), **late)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.iterdir()} == before
    assert again.finished_before
    assert not first.finished_before
    assert again.polygons == first.polygons
    assert first.polygons.left_out > 0
    np.testing.assert_array_equal(again.pixels, first.pixels)
    np.testing.assert_array_equal(again.areas_m2, first.areas_m2)
    for other in ({"blend": "crop"}, {"min_area_m2": 0.0}, {"confidence": True}):
        with pytest.raises(OutputError, match="exists already"):
            run(paths, bundle, out, **{**late, **other})


def test_a_map_of_a_scene_that_has_changed_is_not_taken_for_finished(paths, bundle, out):
    run(paths, bundle, out, crop=LATE["crop"])
    os.utime(paths[1], (0, 0))
    with pytest.raises(OutputError, match="exists already"):
        run(paths, bundle, out, crop=LATE["crop"])


def test_polygons_tell_their_mean_confidence_though_it_becomes_no_file(paths, bundle, out):
    pyogrio = pytest.importorskip("pyogrio")
    means = []
    for confidence in (True, False):
        path = out / f"{confidence}.gpkg"
        run(paths, bundle, out, **LATE, confidence=confidence, polygons=path, overwrite=True)
        meta, _, _, columns = pyogrio.raw.read(path)
        means.append(dict(zip(meta["fields"], columns, strict=True))["confidence"])
        layers = [each.name for each in out.glob("map_*.tif")]
        assert ("map_confidence.tif" in layers) == confidence
        (out / "map_confidence.tif").unlink(missing_ok=True)
    assert np.isfinite(means[0]).all()
    np.testing.assert_array_equal(means[1], means[0])


@pytest.mark.parametrize("whole", [False, True])
def test_the_item_tells_how_the_map_was_made_not_how_it_might_have_been(paths, bundle, out, whole):
    predictor = EagerPredictor(bundle, device="cpu", looks=("flips",), whole=whole)
    settings = PredictSettings(crop=LATE["crop"], overlap=None if whole else 24, blend="crop", stac=True)
    with Scene(*paths) as scene:
        predict(scene, predictor, out / "map.tif", settings)
    told = json.loads((out / "map.json").read_text())["properties"]
    made, size = told["mlm:hyperparameters"], [150, WIDTH] if whole else [64, 64]
    assert (made["patch"], made["halo"], made["whole"]) == (size, 0 if whole else 12, whole)
    assert (made["blend"], made["augmentation"]) == (None if whole else "crop", ["flips"])
    assert all(each["input"]["shape"][2:] == size for each in told["mlm:input"])
    words = "the whole image of 150 x 90 px" if whole else "patches of 64 x 64 px with a halo of 12 px, joined by crop"
    assert words in told["processing:lineage"]
    assert "averaged over flips" in told["processing:lineage"]
