"""The affine field of most shifts, whatever the others say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsfuse.geometry.shift_field import fit_affine

NOISE = 0.3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), wrong=st.floats(0, 0.3))
def test_a_field_is_found_among_wrong_shifts(seed, wrong):
    chance = np.random.default_rng(seed)
    places = chance.uniform(0, 5000, (400, 2))
    linear, offset = chance.normal(0, 5e-4, (2, 2)), chance.uniform(-8, 8, 2)
    truth = places @ linear.T + offset
    shifts = truth + chance.normal(0, NOISE, truth.shape)
    lost = chance.random(400) < wrong
    shifts[lost] = chance.uniform(-16, 16, (lost.sum(), 2))
    fitted = fit_affine(places, shifts)
    corners = np.array([[0, 0], [5000, 0], [0, 5000], [5000, 5000.0]])
    np.testing.assert_allclose(fitted.field.at(corners), corners @ linear.T + offset, atol=0.35)
    assert fitted.sigma == pytest.approx(NOISE, abs=0.12)
    far = np.hypot(*(shifts - truth).T) > 3
    assert not fitted.inliers[far].any()
    assert fitted.inliers[~lost].mean() > 0.95


def test_what_is_exact_is_fitted_exactly():
    places = np.array([[0, 0], [100, 0], [0, 50], [100, 50.0]])
    fitted = fit_affine(places, places * 0.01 + [2, -3])
    np.testing.assert_allclose(fitted.field.linear, np.eye(2) * 0.01, atol=1e-9)
    np.testing.assert_allclose(fitted.field.offset, [2, -3], atol=1e-9)
    assert fitted.inliers.all()
