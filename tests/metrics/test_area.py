"""Estimates from a sample are those of Olofsson et al. (2014), and those of a census where all pixels are sampled."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsfuse.metrics import Confusion, StratifiedSample

# Table 8 of the paper: rows are strata (mapped deforestation, forest gain, stable forest, stable non-forest), columns
# reference classes; mapped areas in pixels of 30 m. Both as printed.
PAPER = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000.0, 150_000.0, 3_200_000.0, 6_450_000.0])
HECTARES = 30 * 30 / 10_000


def sampled(rows, mapped):
    """A sample whose counts are given as the paper prints them, strata in rows."""
    counts = np.array(rows, np.int64).T
    return StratifiedSample(Confusion(counts, np.zeros(len(counts), np.int64)), np.asarray(mapped, np.float64))


@pytest.fixture(scope="module")
def paper():
    return sampled(PAPER, MAPPED)


def by_hand(rows, mapped):
    """The equations of the paper, term by term: (value, variance) of each estimate."""
    n, classes = np.array(rows, float), range(len(rows))
    total, units = sum(mapped), [sum(row) for row in rows]
    weight = [area / total for area in mapped]
    part = [[weight[i] * n[i][j] / units[i] for j in classes] for i in classes]  # eq. 4
    users = [part[i][i] / sum(part[i]) for i in classes]  # eq. 2
    overall = sum(part[i][i] for i in classes)  # eq. 1
    overall_var = sum(weight[i] ** 2 * users[i] * (1 - users[i]) / (units[i] - 1) for i in classes)  # eq. 5
    users_var = [users[i] * (1 - users[i]) / (units[i] - 1) for i in classes]  # eq. 6
    pixels = [sum(mapped[i] / units[i] * n[i][j] for i in classes) for j in classes]  # eq. 8
    share = [sum(part[i][j] for i in classes) for j in classes]  # eq. 9
    producers = [part[j][j] / share[j] for j in classes]  # eq. 3
    producers_var = []  # eq. 7
    for j in classes:
        own = mapped[j] ** 2 * (1 - producers[j]) ** 2 * users[j] * (1 - users[j]) / (units[j] - 1)
        rest = sum(
            mapped[i] ** 2 * n[i][j] / units[i] * (1 - n[i][j] / units[i]) / (units[i] - 1) for i in classes if i != j
        )
        producers_var.append((own + producers[j] ** 2 * rest) / pixels[j] ** 2)
    share_var = [  # eq. 10
        sum((weight[i] * part[i][j] - part[i][j] ** 2) / (units[i] - 1) for i in classes) for j in classes
    ]
    return {
        "overall": (overall, overall_var),
        "users": (users, users_var),
        "producers": (producers, producers_var),
        "proportions": (share, share_var),
        "areas": ([total * each for each in share], [total**2 * each for each in share_var]),  # eq. 11
    }


@pytest.mark.parametrize("rows", [PAPER, np.random.default_rng(0).integers(1, 40, (4, 4))], ids=["paper", "random"])
@pytest.mark.parametrize("name", ["overall", "users", "producers", "proportions", "areas"])
def test_estimates_are_those_of_the_equations_term_by_term(name, rows):
    found, (value, variance) = getattr(sampled(rows, MAPPED), name), by_hand(rows.tolist(), MAPPED.tolist())[name]
    np.testing.assert_allclose(found.value, value, rtol=1e-12)
    np.testing.assert_allclose(found.error, np.sqrt(variance), rtol=1e-9)


def test_the_area_of_deforestation_is_the_one_in_the_paper(paper):
    # printed in the paper: 235,086 +- 68,418 pixels, which are 21,158 +- 6158 ha
    assert round(float(paper.areas.value[0])) == 235_086
    assert round(float(paper.areas.half_width[0])) == 68_418
    hectares = paper.areas.times(HECTARES)
    assert (round(float(hectares.value[0])), round(float(hectares.half_width[0]))) == (21_158, 6_158)


def test_accuracies_are_those_in_the_paper(paper):
    # printed in the paper: overall 0.95 +- 0.02; user's 0.88, 0.73, 0.93, 0.96 and producer's 0.75 of deforestation
    assert (float(paper.overall.value), float(paper.overall.half_width)) == pytest.approx((0.95, 0.02), abs=0.005)
    assert paper.users.value.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert round(float(paper.producers.value[0]), 2) == 0.75


def test_a_sample_of_two_strata_worked_by_hand():
    # derived, not from the paper: strata of 60 and 40 units of area, of which 8 of 10 and 9 of 10 units are right
    sample = sampled([[8, 2], [1, 9]], [60, 40])
    assert float(sample.overall.value) == pytest.approx(0.6 * 0.8 + 0.4 * 0.9)
    assert float(sample.overall.error) == pytest.approx(math.sqrt(0.36 * 0.16 / 9 + 0.16 * 0.09 / 9))
    assert sample.areas.value.tolist() == pytest.approx([0.6 * 80 + 0.4 * 10, 0.6 * 20 + 0.4 * 90])
    assert sample.producers.value.tolist() == pytest.approx([0.48 / 0.52, 0.36 / 0.48])


def test_rows_are_reference_classes_as_everywhere_in_the_house():
    labels, mapped = (np.array(each, np.uint8) for each in ([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]))
    sample = StratifiedSample(Confusion.of(labels, mapped, 2), np.array([50.0, 50.0]))
    assert sample.users.value.tolist() == [3 / 4, 1]
    assert sample.areas.value.tolist() == pytest.approx([37.5, 62.5])


def test_where_all_pixels_are_sampled_estimates_are_their_own_accuracies():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 900).astype(np.uint8)
    mapped = np.where(rng.random(900) < 0.7, labels, rng.integers(0, 4, 900)).astype(np.uint8)
    census = Confusion.of(labels, mapped, 4)
    sample = StratifiedSample(census, census.counts.sum(0).astype(float))
    assert float(sample.overall.value) == pytest.approx(census.oa, rel=1e-12)
    np.testing.assert_allclose(sample.users.value, census.precision, rtol=1e-12)
    np.testing.assert_allclose(sample.producers.value, census.recall, rtol=1e-12)
    np.testing.assert_allclose(sample.areas.value, census.labelled, rtol=1e-12)


def test_areas_of_all_classes_are_the_area_that_is_mapped(paper):
    assert paper.areas.value.sum() == pytest.approx(MAPPED.sum(), rel=1e-12)
    assert paper.reason == ""


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    shares, areas = np.array([[0.85, 0.1, 0.05], [0.05, 0.9, 0.05], [0.02, 0.08, 0.9]]), np.array([10.0, 30.0, 60.0])
    truth, hits = areas @ shares, np.zeros(3)
    for _ in range(400):
        found = sampled([rng.multinomial(100, row) for row in shares], areas).areas
        hits += abs(found.value - truth) <= found.half_width
    assert (hits / 400 > 0.91).all()
    assert (hits / 400 < 0.98).all()


def test_a_stratum_with_area_and_no_sample_leaves_all_but_its_neighbours_accuracies_unknown():
    sample = sampled([[8, 2, 0], [1, 9, 0], [0, 0, 0]], [60, 40, 10])
    assert np.isnan(sample.overall.value)
    assert np.isnan(sample.areas.value).all()
    assert sample.users.value[:2].tolist() == [0.8, 0.9]
    assert np.isnan(sample.users.value[2])
    assert sample.reason == "fewer than two sampled units in the strata of classes 2"


def test_one_unit_gives_a_figure_and_no_error_of_it():
    sample = sampled([[8, 2], [0, 1]], [60, 40])
    assert float(sample.overall.value) == pytest.approx(0.6 * 0.8 + 0.4)
    assert np.isnan(sample.overall.error)
    assert "classes 1" in sample.reason


def test_a_class_that_is_found_but_never_mapped_has_an_area_and_is_always_missed():
    sample = sampled([[7, 2, 1], [1, 8, 1], [0, 0, 0]], [60, 40, 0])
    assert sample.areas.value.tolist() == pytest.approx([46, 44, 10])
    assert sample.producers.value[2] == 0
    assert sample.producers.error[2] == 0
    assert np.isnan(sample.users.value[2])
    assert sample.reason == ""


def test_a_class_that_is_neither_found_nor_mapped_has_no_area_and_no_accuracy():
    sample = sampled([[8, 2, 0], [1, 9, 0], [0, 0, 0]], [60, 40, 0])
    assert sample.areas.value[2] == sample.areas.error[2] == 0
    assert np.isnan([sample.producers.value[2], sample.users.value[2]]).all()
    assert float(sample.overall.value) == pytest.approx(0.84)


def test_without_a_map_there_is_nothing_to_estimate():
    sample = sampled([[0, 0], [0, 0]], [0, 0])
    assert np.isnan(sample.overall.value)
    assert np.isnan(sample.areas.value).all()
    assert sample.reason == "no mapped area"
