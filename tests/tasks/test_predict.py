"""Prediction writes the map that the network sees, and says what is wrong before it starts."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from rsfuse.errors import BundleError, OutputError, SceneError
from rsfuse.learn.inference.predictor import probabilities
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict

SIDE = 200


@pytest.fixture
def predictor(small_bundle):
    return EagerPredictor(small_bundle, device="cpu")


@pytest.fixture
def paths(write_raster):
    chance = np.random.default_rng(0)
    optical = chance.integers(1, 250, (3, SIDE, SIDE + 60), np.uint8)
    sar = chance.integers(1, 250, (1, SIDE, SIDE + 60), np.uint8)
    return write_raster("scene.tif", optical), write_raster("sar.tif", sar)


def test_the_map_lies_on_the_scene_and_says_what_its_codes_mean(paths, predictor, tmp_path):
    with Scene(*paths) as scene:
        report = predict(scene, predictor, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as mapped, rasterio.open(paths[0]) as optical:
        assert mapped.shape == optical.shape
        assert mapped.transform == optical.transform
        assert mapped.crs == optical.crs
        assert mapped.nodata == 255
        assert mapped.dtypes == ("uint8",)
        assert mapped.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        codes = mapped.read(1)
    assert set(np.unique(codes)) <= {0, 1, 2, 3, 4}
    assert report.pixels.tolist() == np.bincount(codes.ravel(), minlength=5).tolist()
    assert report.patches_skipped == 0


def test_a_scene_of_one_patch_is_mapped_as_the_network_sees_it(write_raster, predictor, tmp_path):
    chance = np.random.default_rng(1)
    optical = write_raster("scene.tif", chance.integers(1, 250, (3, 64, 64), np.uint8))
    sar = write_raster("sar.tif", chance.integers(1, 250, (1, 64, 64), np.uint8))
    with Scene(optical, sar) as scene:
        predict(scene, predictor, tmp_path / "map.tif")
        scaler = Scaler(predictor.bundle.manifest.inputs, scene.statistics())
        alone = probabilities(predictor, [scene.read(Window(0, 0, 64, 64))], scaler)[0].argmax(0)
    with rasterio.open(tmp_path / "map.tif") as mapped:
        assert (mapped.read(1) == alone).all()


def test_the_map_does_not_depend_on_the_batch(paths, predictor, tmp_path):
    maps = []
    for batch_size in (1, 5):
        with Scene(*paths) as scene:
            path = tmp_path / f"map{batch_size}.tif"
            predict(scene, predictor, path, PredictSettings(batch_size=batch_size))
        with rasterio.open(path) as mapped:
            maps.append(mapped.read(1))
    assert (maps[0] == maps[1]).mean() > 0.999  # float sums in another order may tip a tie


def test_pixels_without_data_stay_without_a_class(write_raster, predictor, tmp_path):
    pixels = np.random.default_rng(0).integers(1, 250, (3, SIDE, SIDE), np.uint8)
    pixels[:, :70, :90] = 0
    optical = write_raster("scene.tif", pixels, nodata=0)
    with Scene(optical) as scene:
        report = predict(scene, predictor, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as mapped:
        codes = mapped.read(1)
    assert ((codes == 255) == (pixels == 0).all(0)).all()
    assert report.patches_skipped == 1
    assert report.pixels.sum() == (codes != 255).sum()


def test_a_scene_smaller_than_a_patch_is_mapped(write_raster, predictor, tmp_path):
    optical = write_raster("scene.tif", np.random.default_rng(0).integers(1, 250, (3, 20, 33), np.uint8))
    with Scene(optical) as scene:
        predict(scene, predictor, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as mapped:
        assert mapped.shape == (20, 33)
        assert (mapped.read(1) < 5).all()


@pytest.mark.parametrize(("gsd_m", "warns"), [(10, False), (14.9, False), (6.7, False), (15.1, True), (2.0, True)])
def test_another_pixel_size_is_warned_of_with_both_figures(write_raster, predictor, tmp_path, caplog, gsd_m, warns):
    pixels = np.random.default_rng(0).integers(1, 250, (4, 64, 64), np.uint8)
    optical, sar = write_raster("a.tif", pixels[:3], gsd_m=gsd_m), write_raster("b.tif", pixels[3:], gsd_m=gsd_m)
    with Scene(optical, sar) as scene:
        predict(scene, predictor, tmp_path / "map.tif")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == warns
    if warns:
        assert f"{gsd_m:.3g} m" in told[0]
        assert "10 m" in told[0]


def test_a_scene_without_sar_is_warned_of(paths, predictor, tmp_path, caplog):
    with Scene(paths[0]) as scene:
        predict(scene, predictor, tmp_path / "map.tif")
    assert any("no SAR" in record.getMessage() for record in caplog.records)


def test_other_bands_than_the_bundles_are_refused_before_work_starts(write_raster, predictor, tmp_path):
    optical = write_raster("scene.tif", np.ones((4, 64, 64), np.uint16))
    with Scene(optical) as scene, pytest.raises(BundleError, match="4 bands") as caught:
        predict(scene, predictor, tmp_path / "map.tif")
    assert "--optical-bands" in (caught.value.hint or "")
    assert not (tmp_path / "map.tif").exists()


def test_a_map_that_exists_is_replaced_only_when_asked(paths, predictor, tmp_path):
    (tmp_path / "map.tif").write_text("precious")
    with Scene(*paths) as scene:
        with pytest.raises(OutputError):
            predict(scene, predictor, tmp_path / "map.tif")
        assert (tmp_path / "map.tif").read_text() == "precious"
        predict(scene, predictor, tmp_path / "map.tif", PredictSettings(overwrite=True))
    with rasterio.open(tmp_path / "map.tif") as mapped:
        assert mapped.shape == (SIDE, SIDE + 60)


def test_a_damaged_scene_leaves_nothing_behind(write_raster, predictor, tmp_path):
    optical = write_raster("scene.tif", np.random.default_rng(0).integers(1, 250, (3, 600, 600), np.uint8))
    optical.write_bytes(optical.read_bytes()[:500_000])
    with Scene(optical) as scene, pytest.raises(SceneError, match=r"scene\.tif"):
        predict(scene, predictor, tmp_path / "map.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_the_map_names_the_bundle_and_software_that_made_it(paths, predictor, tmp_path):
    with Scene(*paths) as scene:
        predict(scene, predictor, tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as mapped:
        told = json.dumps({**mapped.tags(), **mapped.tags(1)})
    assert "small" in told
    assert "rsfuse" in told
    assert "low vegetation" in told
