"""Intervals are those of plain resampling, and McNemar's test is that of statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion, Rivals, bootstrap, bootstrap_mean, kappas, mean_kappa


def samples(count, seed=0, *, right=0.7, pixels=200, classes=3):
    """Confusions of maps that are right more or less often."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        labels = rng.integers(0, classes, pixels).astype(np.uint8)
        agree = rng.random(pixels) < rng.normal(right, 0.1)
        mapped = np.where(agree, labels, rng.integers(0, classes, pixels)).astype(np.uint8)
        mapped[rng.random(pixels) < 0.02] = NODATA
        found.append(Confusion.of(labels, mapped, classes))
    return found


def oa(confusion):
    return confusion.oa


def rivals(neither, second, first, both):
    return Rivals(np.array([[neither, second], [first, both]]))


@pytest.mark.parametrize("score", ["oa", "kappa", "miou", "mf1", "fwiou"])
def test_the_interval_is_that_of_adding_up_what_is_drawn(score):
    given, scores = samples(9), []
    for times in np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), size=40):
        drawn = sum((each for each, count in zip(given, times, strict=True) for _ in range(count)), Confusion.empty(3))
        scores.append(getattr(drawn, score))
    found = bootstrap(given, lambda confusion: getattr(confusion, score), draws=40, seed=5)
    assert tuple(found) == pytest.approx(np.quantile(scores, [0.025, 0.975]).tolist(), rel=1e-12)


def test_the_interval_is_as_wide_as_theory_says():
    right, wrong = (Confusion(np.array(each), np.zeros(2, np.int64)) for each in ([[9, 0], [0, 0]], [[0, 9], [0, 0]]))
    found = bootstrap([right] * 200 + [wrong] * 200, oa)
    assert tuple(found) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_the_interval_of_a_mean_is_that_of_samples_of_one_size():
    given = samples(12)
    of_mean = bootstrap_mean(np.array([each.oa for each in given]), seed=3)
    assert tuple(of_mean) == pytest.approx(tuple(bootstrap(given, oa, seed=3)), rel=1e-9)


def test_the_interval_of_mkappa_lies_about_mkappa():
    given = samples(30)
    low, high = bootstrap_mean(kappas(given))
    assert low < mean_kappa(given) < high
    assert high - low < 0.2


def test_a_sample_without_a_value_takes_part_in_the_draw_alone():
    values, scores = np.array([0.2, 0.8, np.nan]), []
    for times in np.random.default_rng(0).multinomial(3, np.full(3, 1 / 3), size=1000):
        drawn = np.repeat(values, times)
        if not np.isnan(drawn).all():
            scores.append(np.nanmean(drawn))
    assert tuple(bootstrap_mean(values)) == pytest.approx(np.quantile(scores, [0.025, 0.975]).tolist())


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    given = samples(20)
    assert bootstrap(given, oa, seed=1) == bootstrap(given, oa, seed=1)
    assert bootstrap(given, oa, seed=1) != bootstrap(given, oa, seed=2)


def test_samples_that_are_all_alike_leave_no_doubt():
    given = samples(1) * 5
    assert tuple(bootstrap(given, oa)) == pytest.approx((given[0].oa, given[0].oa), rel=1e-12)


def test_nothing_to_draw_from_gives_no_interval():
    nothing = [*bootstrap([], oa), *bootstrap([Confusion.empty(3)], oa), *bootstrap_mean(np.zeros(0))]
    assert all(math.isnan(each) for each in [*nothing, *bootstrap_mean(np.array([np.nan]))])


def test_counts_of_gigapixels_are_drawn_exactly():
    big = Confusion(np.array([[2**50 + 1, 0], [1, 2**50]]), np.zeros(2, np.int64))
    drawn = []
    bootstrap([big], lambda confusion: drawn.append(confusion) or 0.0, draws=1)
    np.testing.assert_array_equal(drawn[0].counts, big.counts)


TABLES = [
    (5, 2, 9, 40),
    (0, 0, 24, 0),
    (3, 12, 12, 3),
    (9, 10, 14, 9),
    (9, 10, 15, 9),
    (7, 300, 240, 900),
    (1, 1, 0, 5),
]


@pytest.mark.parametrize("table", TABLES)
def test_p_values_are_those_of_scipy(table):
    found, (_, second, first, _) = rivals(*table), table
    discordant = first + second
    if discordant < 25:
        wanted = stats.binomtest(first, discordant).pvalue
    else:
        wanted = stats.chi2.sf((abs(first - second) - 1) ** 2 / discordant, 1)
    assert found.p_value == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("table", TABLES)
def test_p_values_are_those_of_statsmodels(table):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    found = rivals(*table)
    wanted = tables.mcnemar(found.counts, exact=found.discordant < 25, correction=True)
    assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-9)


def test_maps_that_are_right_equally_often_do_not_differ():
    assert rivals(4, 500, 500, 4).p_value == 1
    assert rivals(4, 0, 0, 4).p_value == 1


def test_without_labels_there_is_no_test():
    nothing = np.full(6, NODATA, np.uint8)
    found = Rivals.of(nothing, nothing, np.zeros_like(nothing))
    assert math.isnan(found.p_value)
    assert found.reason == "no labelled pixel"
    assert rivals(1, 0, 0, 0).reason == ""


def test_pixels_are_counted_by_which_map_is_right():
    labels = np.array([0, 0, 1, 1, 1, 1, NODATA, NODATA], np.uint8)
    first = np.array([0, 0, 0, 1, NODATA, NODATA, NODATA, 0], np.uint8)
    second = np.array([0, 1, 1, 0, 1, NODATA, NODATA, 1], np.uint8)
    assert Rivals.of(labels, first, second).counts.tolist() == [[1, 2], [2, 1]]


def test_comparisons_of_parts_add_up_to_that_of_the_whole():
    rng = np.random.default_rng(0)
    given = rng.choice(np.array([0, 1, 2, NODATA], np.uint8), (3, 500))
    whole, total = Rivals.of(*given), Rivals.empty()
    for part in np.array_split(given, 7, axis=1):
        total += Rivals.of(*part)
    np.testing.assert_array_equal(total.counts, whole.counts)
    assert whole.counts.sum() == (given[0] != NODATA).sum()
