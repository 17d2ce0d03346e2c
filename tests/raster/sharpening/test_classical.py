"""A scene sharpened window by window is the scene sharpened as a whole."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio

from rsfuse.geometry.sharpening.methods import METHODS, LinearInjection, RatioInjection, fit
from rsfuse.geometry.sharpening.sensors import SENSORS
from rsfuse.raster import in_order as several
from rsfuse.raster.sharpening.classical import Sharpener
from rsfuse.raster.sharpening.moments import measure_pair
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.windows import each_window

SENSOR, SHAPE = SENSORS["ikonos"], (160, 176)


@pytest.fixture(params=[(4.0, (0, 0), (40, 44)), (2.0, (0, 0), (80, 88)), (4.0, (-1.37, -2.2), (41, 45))])
def pair(request, lay, survey):
    gsd_m, corner, shape = request.param
    ms = survey("ms.tif", 4, shape, gsd_m, corner=corner, dtype="uint16")
    chance = np.random.default_rng(0)
    detail = chance.normal(0, 120, (1, *SHAPE))
    with rasterio.open(survey("smooth.tif", 1, SHAPE)) as smooth:
        pan = lay("pan.tif", np.rint(smooth.read() + detail).astype(np.uint16))
    return pan, ms


def sharpener(scene, method):
    moments = measure_pair(scene, SENSOR)
    return Sharpener(fit(method, moments), SENSOR.of(4), moments.limits)


def cut(size):
    """Windows of a size that divides nothing."""
    height, width = size
    return [
        ((top, min(top + height, SHAPE[0])), (left, min(left + width, SHAPE[1])))
        for top in range(0, SHAPE[0], height)
        for left in range(0, SHAPE[1], width)
    ]


def whole(scene, own):
    return own(scene, (0, SHAPE[0]), (0, SHAPE[1]))


@pytest.mark.parametrize("method", METHODS)
def test_it_is_the_method_on_whole_arrays(pair, method):
    with PanMsScene(*pair) as scene:
        own, placement = sharpener(scene, method), scene.placement
        sharp = whole(scene, own)
    pan, ms = (rasterio.open(path).read().astype(np.float32) for path in pair)
    exp = placement.enlarging().whole(ms, SHAPE)
    low = [
        placement.enlarging().whole(placement.reducing(gain).whole(pan, ms.shape[1:]), SHAPE) for gain in SENSOR.of(4)
    ]
    flat = [each.reshape(len(each), -1).copy() for each in (exp, pan, np.concatenate(low))]
    np.testing.assert_allclose(sharp.pixels, own.injection(*flat).reshape(exp.shape), atol=0.05)
    assert (np.abs(sharp.pixels - exp).max() > 15) == (method != "exp")
    assert (sharp.valid.all(), sharp.limits) == (True, (min(pan.min(), ms.min()), max(pan.max(), ms.max())))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(37, 171), (160, 33)])
def test_however_it_is_cut_it_is_the_same(pair, method, size):
    with PanMsScene(*pair) as scene:
        own = sharpener(scene, method)
        expected, found = whole(scene, own), np.full((4, *SHAPE), np.nan)
        parts = cut(size)
        for part, (rows, columns) in zip(own.windows(scene, parts), parts, strict=True):
            assert (part.rows, part.columns) == (rows, columns)
            found[:, slice(*rows), slice(*columns)] = part.pixels
    np.testing.assert_allclose(found, expected.pixels, atol=0.05)


def test_windows_come_in_their_order_from_any_number_of_workers(pair, monkeypatch):
    answers = []
    for workers in (1, 2, 5):
        monkeypatch.setattr(several, "usable_cores", lambda cores=workers: cores)
        with PanMsScene(*pair) as scene:
            own = sharpener(scene, "gsa")
            answers.append([part.pixels for part in own.windows(scene, cut((16, 64)))])
    for other in answers[1:]:
        for one, same in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_what_fails_in_one_window_is_told_and_the_rest_given_up(pair):
    done = []

    def work(_, rows, columns):
        done.append(rows)
        if rows[0] >= 64:
            raise ValueError("a bad block")
        return rows

    with PanMsScene(*pair) as scene, pytest.raises(ValueError, match="a bad block"):
        list(each_window(scene, cut((1, 176)), work))
    assert len(done) < 130


def test_what_the_bands_show_in_a_window_is_never_clipped(lay):
    ms = np.full((1, 40, 44), 900, np.uint16)
    ms[:, 20:] = 1500  # brighter than all that was looked at
    with PanMsScene(lay("pan.tif", np.full((1, *SHAPE), 800, np.uint16)), lay("ms.tif", ms, 4)) as scene:
        sharp = whole(scene, Sharpener(LinearInjection.of_gains(np.zeros(1), np.zeros(1)), (0.3,), (850, 1000)))
    assert sharp.limits == (800, 1500)


def test_brovey_is_that_of_gdal_where_the_panchromatic_image_needs_no_matching(survey, tmp_path):
    tool = shutil.which("gdal_pansharpen.py")
    if tool is None:
        pytest.skip("gdal_pansharpen.py is not installed (gdal-bin)")
    paths = survey("pan.tif", 1, SHAPE, dtype="uint16"), survey("ms.tif", 4, (40, 44), 4, dtype="uint16")
    with PanMsScene(*paths) as scene:
        sharp = whole(scene, Sharpener(RatioInjection(1.0, 0.0), SENSOR.of(4), (0, 2047)))
    command = [tool, paths[0], paths[1], tmp_path / "gdal.tif", "-r", "cubic", "-q"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    expected = rasterio.open(tmp_path / "gdal.tif").read().astype(np.float32)
    inner = np.s_[:, 16:-16, 16:-16]
    assert np.abs(sharp.pixels - expected)[inner].max() < 20  # cubic convolution is not Lanczos: of 1400
    assert np.abs(sharp.pixels - expected)[inner].mean() < 3
