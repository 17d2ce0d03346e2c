"""`rsfuse predict` and rasters that do not lie on each other: it warns, fails, or does not look."""

import json

import numpy as np
import pytest
from scipy import ndimage

SIDE = 500


@pytest.fixture
def pair(raster):
    chance = np.random.default_rng(0)
    coarse = ndimage.zoom(chance.uniform(40, 200, (SIDE // 10, SIDE // 10)), 10, order=0)
    ground = ndimage.gaussian_filter(ndimage.rotate(coarse, 20, reshape=False, order=0, mode="reflect"), 0.7)

    def make(dx):
        moved = ndimage.shift(ground, (0, dx), order=3, mode="reflect")
        seen = (np.abs(moved - 120) + 20) * chance.gamma(10, 0.1, moved.shape)
        optical = raster("optical.tif", values=ground.astype("u1")[None].repeat(3, 0), side=SIDE)
        return optical, "--sar", raster("sar.tif", values=seen.clip(0, 255).astype("u1")[None], side=SIDE)

    return make


@pytest.fixture
def predict(rsfuse, bundle):
    return lambda *more: rsfuse("predict", *more, "--bundle", bundle, "-o", "map.tif", "--json")


def test_a_pair_that_lies_well_is_mapped_and_the_figure_told(predict, pair):
    done = predict(*pair(0))
    assert done.exit_code == 0, done.stderr
    coreg = json.loads(done.stdout)["coreg"]
    assert coreg["verdict"] == "pass"
    assert coreg["ce90_px"] < 1
    assert "lies aside" not in done.stderr


def test_a_pair_that_does_not_is_mapped_with_a_warning(predict, pair):
    done = predict(*pair(6))
    assert done.exit_code == 0, done.stderr
    assert "lies aside of" in done.stderr
    assert "--write aligned.tif" in done.stderr
    coreg = json.loads(done.stdout)["coreg"]
    assert coreg["verdict"] == "fail"
    assert coreg["median_dx_px"] == pytest.approx(6, abs=0.2)


def test_or_not_at_all(predict, pair, tmp_path):
    done = predict(*pair(6), "--coreg", "fail")
    assert done.exit_code == 2
    assert "lies aside of" in done.stderr
    assert "hint: put that right: rsfuse coreg" in done.stderr
    assert not (tmp_path / "map.tif").exists()


def test_or_nobody_looks(predict, pair):
    done = predict(*pair(6), "--coreg", "off")
    assert done.exit_code == 0, done.stderr
    assert "lies aside" not in done.stderr
    assert json.loads(done.stdout)["coreg"] is None


def test_of_one_raster_there_is_nothing_to_tell(predict, pair):
    done = predict(pair(6)[0])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["coreg"] is None
