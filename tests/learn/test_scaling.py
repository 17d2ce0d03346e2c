"""Scaling is monotone, the same for any patch of a scene, and leaves holes at zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.learn.recipes.inputs import Inputs, Moments, MomentScaling, PercentileScaling
from rsfuse.learn.scaling import Scaler, bend
from rsfuse.raster.scene import Sample
from rsfuse.raster.statistics import BandStatistics, SceneStatistics


def band(values):
    return BandStatistics.of("band", "uint16", np.asarray(values, np.float32))


VALUES = np.random.default_rng(0).gamma(2, 100, (2, 50, 60)).astype(np.float32)
STATISTICS = SceneStatistics(optical=tuple(map(band, VALUES.reshape(2, -1))), sar=(band(VALUES[0].ravel()),))


PERCENTILES = PercentileScaling()


def scaler(scaling=PERCENTILES, statistics=STATISTICS, **options):
    return Scaler(Inputs(optical=("a", "b"), sar=("c",), scaling=scaling, **options), statistics)


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
    for scaled in scaler(PercentileScaling(optical_curve=10))(sample(valid)):
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


MOMENTS = MomentScaling(kind="fixed-moments")
PUBLISHED = MomentScaling(
    kind="fixed-moments",
    optical=Moments(mean=(123.675, 116.28), std=(58.395, 57.12)),
    sar=Moments(mean=(-10.5,), std=(0.25,)),
)


def test_mean_and_standard_deviation_of_the_statistics_become_0_and_1():
    optical, sar = scaler(MOMENTS)(sample())
    for scaled in (*optical, *sar):
        assert scaled.mean() == pytest.approx(0, abs=1e-5)
        assert scaled.std() == pytest.approx(1, abs=1e-5)
        assert scaled.max() > 2.5  # not clipped
    assert optical.dtype == sar.dtype == np.float32


def test_published_moments_go_before_those_of_the_statistics():
    optical, sar = scaler(PUBLISHED)(sample())
    for channel, (mean, std) in enumerate(((123.675, 58.395), (116.28, 57.12))):
        np.testing.assert_allclose(optical[channel], (VALUES[channel].astype(float) - mean) / std, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sar[0], (VALUES[0].astype(float) + 10.5) / 0.25, rtol=1e-5)


def test_moments_of_one_sensor_may_be_published_alone():
    alone = PUBLISHED.model_copy(update={"optical": None})
    assert (scaler(alone)(sample())[0] == scaler(MOMENTS)(sample())[0]).all()
    assert (scaler(alone)(sample())[1] == scaler(PUBLISHED)(sample())[1]).all()


@pytest.mark.parametrize("scaling", [MOMENTS, PUBLISHED])
def test_pixels_without_data_become_zero_by_moments_too(scaling):
    valid = np.random.default_rng(1).random((50, 60)) > 0.5
    for scaled in scaler(scaling)(sample(valid)):
        assert not scaled[:, ~valid].any()
        assert scaled[:, valid].any()


def test_a_band_of_one_value_is_divided_by_1():
    flat = SceneStatistics(optical=(band([7, 7, 7]), band([1, 3])), sar=())
    values = np.stack([np.full((4, 4), 7), np.full((4, 4), 3)]).astype(np.float32)
    still = Sample(values, np.zeros((0, 4, 4), np.float32), np.ones((4, 4), bool))
    optical, sar = scaler(MOMENTS, flat)(still)
    assert (optical[0] == 0).all()
    assert (optical[1] == 1).all()
    assert sar.shape == (1, 4, 4)
    assert not sar.any()


@pytest.mark.parametrize(("sensors", "blind"), [("optical", 1), ("sar", 0)])
def test_a_sensor_that_is_not_to_be_seen_is_zero_by_moments_too(sensors, blind):
    scaled = scaler(MOMENTS, sensors=sensors)(sample())
    assert not scaled[blind].any()
    assert scaled[1 - blind].any()


@pytest.mark.parametrize("scaling", [PercentileScaling(optical_curve=10), MOMENTS, PUBLISHED])
def test_scaling_stays_in_single_precision(scaling):
    assert {each.dtype for each in scaler(scaling)(sample())} == {np.dtype(np.float32)}
    assert bend(np.linspace(-2, 2, 9, dtype=np.float32), 10).dtype == np.float32


def at_minus_one(scaling, moved=0.0):
    """What percentile of each band, optical and SAR, becomes -1."""
    optical, sar = scaler(scaling)(sample(), moved)
    told = []
    for values, scaled in zip((*VALUES, VALUES[0]), (*optical, *sar), strict=True):
        order = np.argsort(values.ravel())
        told.append(float(np.interp(-1, scaled.ravel()[order], values.ravel()[order])))
    return told


@pytest.mark.parametrize(
    ("toward", "moved", "share"), [(0, 0, 0), (1, 0, 1), (0.5, 0, 0.5), (0.5, -0.5, 0), (0.5, 0.25, 0.75), (0.9, 1, 1)]
)
def test_what_becomes_minus_one_lies_between_the_low_percentile_and_the_median(toward, moved, share):
    scaling = PercentileScaling(toward_median=toward, limit=9)
    expected = [
        (1 - share) * np.percentile(values, 2) + share * np.percentile(values, 50) for values in (*VALUES, VALUES[0])
    ]
    assert at_minus_one(scaling, moved) == pytest.approx(expected, rel=1e-3)
    optical, _ = scaler(scaling)(sample(), moved)
    assert np.percentile(optical[0], 98) == pytest.approx(1, abs=0.01)


def test_moments_are_not_moved():
    assert (scaler(MOMENTS)(sample(), 0.5)[0] == scaler(MOMENTS)(sample())[0]).all()
