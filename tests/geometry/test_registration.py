"""Verdicts: what many shifts say together, and when they say too little."""

import numpy as np
import pytest

from rsfuse.geometry.registration import Limits, Registration, TileShifts, TileState


def pair(shift=(0.0, 0.0), *, noise=0.3, accepted=400, rejected=0, wide=1000, seed=0):
    chance, count = np.random.default_rng(seed), accepted + rejected
    places = chance.uniform(0, wide, (count, 2))
    shifts = np.array(shift) + chance.normal(0, noise, (count, 2))
    states = np.repeat([TileState.ACCEPTED, TileState.REJECTED], [accepted, rejected]).astype(np.uint8)
    return Registration(TileShifts(places, shifts, np.ones(count), np.ones(count), states, (1000, 1000)))


def test_a_pair_that_lies_well_passes_though_matching_is_noisy():
    found = pair()
    assert found.verdict().outcome == "pass"
    assert found.ce(90) == pytest.approx(2.146 * 0.3, rel=0.1)  # of normal errors
    assert found.rmse == pytest.approx(0.3 * np.sqrt(2), rel=0.1)
    assert found.noise == pytest.approx(0.3, rel=0.1)
    assert found.debiased_rmse < 0.15


def test_a_pair_that_lies_aside_fails_and_is_told_by_how_much():
    found = pair((3.0, -4.0))
    verdict = found.verdict()
    assert verdict.outcome == "fail"
    assert "median 5.0" in verdict.why
    assert found.median == pytest.approx((3, -4), abs=0.1)
    assert found.debiased_rmse == pytest.approx(5, abs=0.1)


def test_limits_are_the_users():
    found = pair((0.8, 0.0))
    assert found.verdict().outcome == "fail"
    assert found.verdict(Limits(ce90=2.0, median=1.0)).outcome == "pass"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"accepted": 29}, "29 of 29 tiles were accepted, at least 30"),
        ({"accepted": 0, "rejected": 500}, "0 of 500 tiles were accepted"),
        ({"accepted": 40, "rejected": 300}, "40 of 340 tiles with texture were accepted, at least 15%"),
        ({"wide": 499}, "1 of 4 quadrants"),
    ],
)
def test_too_little_is_no_verdict(options, why):
    verdict = pair(**options).verdict()
    assert verdict.outcome == "inconclusive"
    assert why in verdict.why


def test_figures_of_nothing_are_not_numbers():
    found = pair(accepted=0, rejected=10)
    assert np.isnan([*found.median, found.rmse, found.debiased_rmse, found.noise, found.ce(90)]).all()
    assert not found.is_affine
