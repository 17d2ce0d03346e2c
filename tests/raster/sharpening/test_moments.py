"""What is measured of a pair: the same from windows as from whole arrays, and only where there is data."""

import numpy as np
import pytest
import rasterio

from rsfuse.errors import SceneError
from rsfuse.geometry.sharpening.sensors import SENSORS
from rsfuse.raster.sharpening import moments
from rsfuse.raster.sharpening.moments import measure_pair
from rsfuse.raster.sharpening.scene import PanMsScene

SENSOR, SHAPE = SENSORS["qb"], (200, 232)


@pytest.fixture
def pair(lay, survey):
    """Paths of a pair with detail in the panchromatic image that the smooth bands do not have."""

    def write(gsd_m=4.0, corner=(0, 0), shape=(50, 58), nodata=None):
        chance = np.random.default_rng(0)
        ms = survey("ms.tif", 4, shape, gsd_m, corner=corner, dtype="uint16", nodata=nodata)
        pan = survey("pan.tif", 1, SHAPE, dtype="uint16", nodata=nodata)
        for path in (pan, ms):
            with rasterio.open(path, "r+") as file:
                pixels = file.read()
                file.write(pixels + chance.integers(0, 300, pixels.shape).astype(np.uint16))
        return pan, ms

    return write


def measured(paths):
    with PanMsScene(*paths) as scene:
        return measure_pair(scene, SENSOR)


def filtered(by, image, shape):
    """All of an image through a filter."""
    spans = (0, shape[0]), (0, shape[1])
    rows, columns = by.needed(*spans)
    return by(image[:, slice(*rows), slice(*columns)], *spans)


def by_hand(paths):
    """Mean and covariance on both grids, of whole arrays."""
    with PanMsScene(*paths) as scene:
        placement = scene.placement
        coarse = placement.rows.coarse, placement.columns.coarse
        (_, seen), (pan, known) = (look((0, SHAPE[0]), (0, SHAPE[1])) for look in (scene.exp, scene.pan))
        ms, valid = scene.ms((0, coarse[0]), (0, coarse[1]))
    reduced = [filtered(placement.reducing(gain), pan, coarse) for gain in (*SENSOR.ms, np.mean(SENSOR.ms), SENSOR.pan)]
    low = [filtered(placement.enlarging(), each, SHAPE) for each in reduced[:4]]
    degraded = [filtered(placement.degrading(g), band[None], coarse) for g, band in zip(SENSOR.ms, ms, strict=True)]
    covered = np.zeros(coarse, bool)
    covered[slice(*placement.rows.inside((0, SHAPE[0]))), slice(*placement.columns.inside((0, SHAPE[1])))] = True
    fine = np.concatenate([filtered(placement.enlarging(), ms, SHAPE), pan, *low])[:, known & seen]
    seen_from_afar = np.concatenate([ms, *reduced[4:], *degraded])[:, covered & valid]
    return [
        (each.mean(1, dtype=np.float64), np.cov(each.astype(np.float64), bias=True)) for each in (fine, seen_from_afar)
    ]


GRIDS = {
    "alike": {},
    "aside": {"corner": (-1.37, -2.6), "shape": (52, 60)},
    "ratio 2": {"gsd_m": 2.0, "shape": (100, 116)},
    "smaller": {"corner": (40, 32), "shape": (30, 40)},
    "larger": {"corner": (-40, -32), "shape": (70, 80)},
    "nearly 4": {"gsd_m": 3.98, "shape": (51, 59)},
}


@pytest.mark.parametrize("options", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("side", [512, 64])
def test_windows_of_any_size_add_up_to_the_whole(pair, options, side, monkeypatch):
    monkeypatch.setattr(moments, "SIDE", side)
    paths = pair(**options)
    found = measured(paths)
    for part, (mean, covariance) in zip((found.fine, found.coarse), by_hand(paths), strict=True):
        np.testing.assert_allclose(part.mean, mean, rtol=1e-5)
        np.testing.assert_allclose(part.covariance, covariance, rtol=1e-3, atol=1)
    numbers = np.concatenate([rasterio.open(path).read().ravel() for path in paths])
    assert found.bands == 4
    assert numbers.min() <= found.limits[0] < found.limits[1] <= numbers.max()
    if options.get("corner", (0, 0)) == (0, 0) and "gsd_m" not in options:
        assert found.limits == (numbers.min(), numbers.max())


def erase(path, place):
    with rasterio.open(path, "r+") as file:
        pixels = file.read()
        pixels[:, *place] = 0
        file.write(pixels)


def test_multispectral_pixels_without_data_do_not_count(pair):
    paths = pair(nodata=0)
    erase(paths[1], np.s_[10:40, :30])
    found = measured(paths)
    assert found.fine.count == 200 * 232 - 30 * 30 * 16
    assert found.coarse.count == 50 * 58 - 30 * 30


def test_nor_do_those_over_panchromatic_pixels_without_data(pair):
    paths = pair(nodata=0)
    erase(paths[0], np.s_[:, :128])
    found = measured(paths)
    assert found.fine.count == 200 * 104
    known = np.zeros((50, 58), bool)
    known[:, 32:] = True
    assert found.coarse.count <= known.sum()


def test_of_a_large_scene_windows_spread_evenly_are_read(pair, monkeypatch):
    monkeypatch.setattr(moments, "SIDE", 16)
    monkeypatch.setattr(moments, "MOST", 25)
    told = []
    with PanMsScene(*pair()) as scene:
        some = measure_pair(scene, SENSOR, lambda done, total: told.append((done, total)))
    assert told == [(done, 25) for done in range(1, 26)]
    assert some.fine.count == 72**2  # the last along either axis are 8 pixels wide
    monkeypatch.setattr(moments, "MOST", 1000)
    with PanMsScene(*pair()) as scene:
        every = measure_pair(scene, SENSOR)
    np.testing.assert_allclose(some.fine.mean, every.fine.mean, rtol=0.1)
    np.testing.assert_allclose(some.fine.covariance, every.fine.covariance, rtol=0.5, atol=9000)


def test_of_a_long_strip_as_many_windows_are_read_as_of_a_square():
    assert len(moments._windows((512, 512 * 1000))) > 200


def test_a_pair_without_data_in_common_is_told(pair):
    paths = pair(nodata=0)
    erase(paths[1], np.s_[:, 20:])
    erase(paths[0], np.s_[:, :90])
    with pytest.raises(SceneError, match=r"no pixel has data in both .*pan\.tif and .*ms\.tif") as caught:
        measured(paths)
    assert "nodata" in caught.value.hint
