"""One sensor alone is mapped by who has learnt it, and by nobody else."""

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.windows import Window

from rsfuse.errors import BundleError, SceneError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.inference.predictor import probabilities
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict

SIDE = 64


@pytest.fixture
def paths(write_raster):
    """The optical lacks the first 20 rows, the SAR the first 30 columns."""
    pixels = np.random.default_rng(0).integers(1, 250, (4, SIDE, SIDE), np.uint8)
    pixels[:3, :20] = 0
    pixels[3, :, :30] = 0
    return write_raster("scene.tif", pixels[:3], nodata=0), write_raster("sar.tif", pixels[3:], nodata=0)


@pytest.fixture
def able(small_bundle, tmp_path):
    """A function that gives the small bundle as one that can do without some sensors."""

    def make(*without):
        folder = tmp_path / "-".join(("able", *without))
        folder.mkdir()
        for path in small_bundle.folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        told = yaml.safe_load((folder / "bundle.yaml").read_text())
        (folder / "bundle.yaml").write_text(yaml.safe_dump({**told, "without": list(without)}))
        return EagerPredictor(Bundle.open(folder), device="cpu")

    return make


def run(optical, sar, predictor, tmp_path):
    settings = PredictSettings(validity=True, overwrite=True)
    with Scene(optical, sar) as scene:
        report = predict(scene, predictor, tmp_path / "map.tif", settings)
    with rasterio.open(tmp_path / "map.tif") as codes, rasterio.open(tmp_path / "map_validity.tif") as validity:
        return codes.read(1), validity.read(1), report


def known(paths):
    """Which sensors have data: 1 the optical, 2 the SAR, 3 both."""
    optical, sar = (rasterio.open(path).read() for path in paths)
    return (optical.any(0) + 2 * sar.any(0)).astype(np.uint8)


@pytest.mark.parametrize(
    ("without", "counts"),
    [((), {3}), (("sar",), {1, 3}), (("optical",), {2, 3}), (("optical", "sar"), {1, 2, 3})],
)
def test_pixels_of_one_sensor_are_mapped_where_the_other_may_be_missing_and_marked(
    paths, able, tmp_path, without, counts
):
    codes, validity, _ = run(*paths, able(*without), tmp_path)
    sensors = known(paths)
    expected = np.where(np.isin(sensors, list(counts)), sensors, 0)
    assert set(np.unique(expected)) == {0, *counts}
    np.testing.assert_array_equal(validity, expected)
    np.testing.assert_array_equal(codes != NODATA, expected > 0)


def test_what_the_network_sees_of_a_missing_sensor_is_0_and_of_the_other_all(paths, able, tmp_path):
    predictor = able("optical", "sar")
    codes, *_ = run(*paths, predictor, tmp_path)
    with Scene(*paths) as scene:
        sample = scene.read_partial(Window(0, 0, SIDE, SIDE))
        scaler = Scaler(predictor.bundle.manifest.inputs, scene.statistics())
    optical, sar = scaler(sample)
    sensors = known(paths)
    assert (optical[:, sensors & 1 == 0] == 0).all()
    assert (sar[:, sensors & 2 == 0] == 0).all()
    assert (optical[:, sensors & 1 > 0] != 0).mean() > 0.9
    alone = probabilities(predictor, [sample], scaler)[0].argmax(0)
    np.testing.assert_array_equal(codes[sensors > 0], alone[sensors > 0])


def test_sar_alone_is_mapped_on_its_own_grid_and_said_so(paths, able, tmp_path, caplog):
    codes, validity, report = run(None, paths[1], able("optical"), tmp_path)
    assert any("no optical" in record.getMessage() for record in caplog.records)
    assert (validity == np.where(known(paths) >= 2, 2, 0)).all()
    assert report.pixels.sum() == (codes != NODATA).sum() > 0


@pytest.mark.parametrize(("missing", "able_without"), [("optical", "sar"), ("SAR", "optical")])
def test_who_has_never_been_without_a_sensor_refuses(paths, able, tmp_path, missing, able_without):
    optical, sar = (None, paths[1]) if missing == "optical" else (paths[0], None)
    with pytest.raises(BundleError, match=f"there is no {missing} raster, and bundle") as caught:
        run(optical, sar, able(able_without), tmp_path)
    assert f"drop_{missing.lower()}" in caught.value.hint
    assert not (tmp_path / "map.tif").exists()


def test_nothing_at_all_is_no_scene():
    with pytest.raises(SceneError, match="neither an optical nor a SAR raster"):
        Scene(None, None)
