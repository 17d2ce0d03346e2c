"""Scaling is monotone, the same for any patch of a scene, and leaves holes at zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.learn.recipe import Inputs, Scaling
from rsfuse.learn.scaling import Scaler, bend
from rsfuse.raster.scene import Sample
from rsfuse.raster.statistics import BandStatistics, SceneStatistics


def band(values):
    return BandStatistics.of("band", "uint16", np.asarray(values, np.float32))


VALUES = np.random.default_rng(0).gamma(2, 100, (2, 50, 60)).astype(np.float32)
STATISTICS = SceneStatistics(optical=tuple(map(band, VALUES.reshape(2, -1))), sar=(band(VALUES[0].ravel()),))


def scaler(**options):
    return Scaler(
        Inputs(optical=("a", "b"), sar=("c",), scaling=Scaling(**options.pop("scaling", {})), **options), STATISTICS
    )


def sample(valid=None):
    valid = np.ones((50, 60), bool) if valid is None else valid
    return Sample(VALUES * valid, VALUES[:1] * valid, valid)


def test_the_percentiles_of_the_scene_become_minus_one_and_one():
    optical, sar = scaler()(sample())
    for scaled in (*optical, *sar):
        assert np.percentile(scaled, 2) == pytest.approx(-1, abs=0.01)
        assert np.percentile(scaled, 98) == pytest.approx(1, abs=0.01)
    assert np.abs(optical).max() <= 2


def test_a_patch_is_scaled_as_the_whole_scene_is():
    whole = scaler()(sample())[0]
    part = scaler()(Sample(VALUES[:, 5:20, 7:30], VALUES[:1, 5:20, 7:30], np.ones((15, 23), bool)))[0]
    assert (part == whole[:, 5:20, 7:30]).all()


def test_pixels_without_data_become_zero():
    valid = np.random.default_rng(1).random((50, 60)) > 0.5
    for scaled in scaler(scaling={"optical_curve": 10})(sample(valid)):
        assert not scaled[:, ~valid].any()


def test_a_scene_without_sar_gives_zeros_of_as_many_bands_as_the_recipe_takes():
    bare = Sample(VALUES, np.zeros((0, 50, 60), np.float32), np.ones((50, 60), bool))
    assert scaler()(bare)[1].shape == (1, 50, 60)
    assert not scaler()(bare)[1].any()


@pytest.mark.parametrize(("sensors", "blind"), [("optical", 1), ("sar", 0)])
def test_a_sensor_that_the_network_is_not_to_see_is_zero(sensors, blind):
    scaled = scaler(sensors=sensors)(sample())
    assert not scaled[blind].any()
    assert scaled[1 - blind].any()


def test_a_band_without_contrast_does_not_divide_by_zero():
    flat = SceneStatistics(optical=(band([7, 7, 7]),), sar=())
    inputs = Inputs(optical=("a",), sar=("c",))
    still = Sample(np.full((1, 4, 4), 7, np.float32), np.zeros((0, 4, 4), np.float32), np.ones((4, 4), bool))
    assert np.isfinite(Scaler(inputs, flat)(still)[0]).all()


@given(st.floats(0.1, 50), st.lists(st.floats(-2, 2), min_size=2, max_size=20))
def test_the_curve_is_monotone_and_keeps_its_ends(curve, values):
    ordered = np.sort(np.array(values, np.float32))
    ordered = ordered[np.abs(ordered) > 1e-3]  # 0 stands for no data
    bent = bend(ordered, curve)
    assert (np.diff(bent) >= -1e-6).all()
    np.testing.assert_allclose(bend(np.array([-1, 0, 1], np.float32), curve), [-1, 0, 1], atol=1e-6)


def test_the_curve_spreads_dark_values():
    dark, bright = bend(np.array([-0.95, -0.85], np.float32), 10), bend(np.array([0.8, 0.9], np.float32), 10)
    assert np.diff(dark) > 0.2
    assert np.diff(bright) < 0.1
