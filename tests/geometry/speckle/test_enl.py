from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.looks import multilook
from rsfuse.geometry.speckle.enl import estimate_enl


def speckle(looks, shape=(512, 512), seed=0):
    return np.random.default_rng(seed).gamma(looks, 1 / looks, shape).astype(np.float32)


@pytest.mark.parametrize("looks", [1, 2.7, 16])
def test_looks_are_measured_to_a_few_percent(looks):
    """The logarithm of mean^2 / variance of a half scatters by sqrt((2 + 2 / L) / 288), 0.12 at most.

    The median of 88 halves scatters by an eighth of that.
    """
    assert estimate_enl(speckle(looks)) == pytest.approx(looks, rel=0.06)


def test_averaged_pixels_have_as_many_looks_as_were_averaged():
    assert estimate_enl(multilook(speckle(1, (1024, 1536)), 2, 3)) == pytest.approx(6, rel=0.06)


def test_texture_does_not_count_where_a_fifth_of_the_scene_is_even():
    texture = np.random.default_rng(1).lognormal(0, 1, (512, 512))
    texture[:, :104] = 1
    power = (speckle(4) * texture).astype(np.float32)
    assert estimate_enl(power) == pytest.approx(4, rel=0.1)


def test_the_level_of_a_field_does_not_matter():
    power = speckle(4)
    power[::, 240:] *= 1000
    assert estimate_enl(power) == pytest.approx(4, rel=0.06)


def test_windows_with_no_data_do_not_count():
    power = speckle(4)
    power[::24, : 24 * 15] = np.nan
    assert estimate_enl(power) == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("shape", [(10, 500), (0, 0), (100, 100)])
def test_without_a_window_there_is_no_answer(shape):
    power = np.full(shape, np.nan, np.float32)
    assert np.isnan(estimate_enl(power))
