"""The field to correct by: the simplest that does well where it was not fitted."""

import numpy as np
import pytest

from rsfuse.geometry.correction import KINDS, choose
from rsfuse.geometry.local_field import LocalField, unlike_neighbours

WIDE, BLOCK, NOISE = 4000, 256, 0.3


def places(count=400, seed=0):
    return np.random.default_rng(seed).uniform(0, WIDE, (count, 2))


def noisy(shifts, seed=1):
    return shifts + np.random.default_rng(seed).normal(0, NOISE, shifts.shape)


def turned(at):
    return (at - WIDE / 2) @ np.array([[0.0005, -0.002], [0.002, 0.0007]]) + [2, -1]


def bent(at):
    wave = 2 * np.pi / (0.8 * WIDE)
    return np.stack([4 * np.sin(wave * at[:, 1]), 4 * np.cos(wave * at[:, 0])], 1)


TRUTHS = {"shift": lambda at: np.tile([3.0, -4.0], (len(at), 1)), "affine": turned, "local": bent}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_simplest_field_that_is_right_is_chosen(kind, seed):
    at, truth = places(seed=seed), TRUTHS[kind]
    found = choose(at, noisy(truth(at), seed), BLOCK)
    assert found.kind == kind
    assert found.held_out[kind] == pytest.approx(1.18 * NOISE, rel=0.35)  # the median length of the noise
    inner = np.stack(np.meshgrid(*[np.linspace(400, WIDE - 400, 12)] * 2), -1).reshape(-1, 2)
    errors = np.hypot(*(found.field.at(inner) - truth(inner)).T)
    assert np.percentile(errors, 90) < {"shift": 0.1, "affine": 0.15, "local": 0.4}[kind]


def test_who_asks_for_a_kind_gets_it_and_is_told_of_the_others():
    at = places()
    found = choose(at, noisy(bent(at)), BLOCK, "shift")
    assert found.kind == "shift"
    assert found.held_out["local"] < 0.2 * found.held_out["shift"]


def test_what_is_left_over_is_that_of_places_that_were_not_fitted():
    """A field that goes through everything would leave nothing of pure noise, were it asked where it was fitted."""
    at = places(200)
    shifts = np.random.default_rng(0).normal(0, 1, (200, 2))
    assert choose(at, shifts, BLOCK).held_out["local"] > 1.1  # 1.18 is the median length of such noise


def test_in_a_single_block_nothing_is_known_but_the_shift():
    at = places(40) / 20
    found = choose(at, noisy(turned(at)), BLOCK)
    assert found.kind == "shift"
    assert np.isnan(found.held_out["local"])


def test_shifts_unlike_their_neighbours_have_no_say():
    at = places()
    shifts = noisy(bent(at))
    wrong = np.zeros(len(at), bool)
    wrong[::20] = True
    shifts[wrong] += [9, -7]
    assert unlike_neighbours(at, shifts)[wrong].all()
    assert unlike_neighbours(at, shifts)[~wrong].mean() < 0.02
    inner = at[np.abs(at - WIDE / 2).max(1) < WIDE / 2 - 400]
    assert np.percentile(np.hypot(*(LocalField(at, shifts).at(inner) - bent(inner)).T), 90) < 0.6


def test_far_from_all_that_was_measured_a_field_stays_within_it():
    at = places()
    far = LocalField(at, bent(at)).at(np.array([[-1e6, 0.0], [1e6, 1e6]]))
    assert (np.abs(far) <= 4.01).all()
