"""Scores are those of scikit-learn, add up over parts, and say NaN where there is nothing to score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk
from statsmodels.stats.inter_rater import cohens_kappa

from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion, kappas, mean_kappa

CLASSES = 5
EMPTY = np.zeros(0, np.uint8)
SCORES = ["oa", "kappa", "miou", "fwiou", "mf1", "iou", "f1", "precision", "recall"]

pixels = st.one_of(st.integers(0, CLASSES - 1), st.just(NODATA))
pairs = arrays(np.uint8, st.tuples(st.just(2), st.integers(0, 60)), elements=pixels)


def draw(seed, *, right=0.6, ignored=0.1, unmapped=0.0, side=64):
    """Labels and a map that agrees with them here and there."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, (side, side), np.uint8)
    mapped = np.where(rng.random(labels.shape) < right, labels, rng.integers(0, CLASSES, labels.shape)).astype(np.uint8)
    labels[rng.random(labels.shape) < ignored] = NODATA
    mapped[rng.random(labels.shape) < unmapped] = NODATA
    return labels, mapped


def scored(labels, mapped):
    """What scikit-learn is asked about: the labelled pixels, "no class" being a class of its own behind the last."""
    seen = labels != NODATA
    return labels[seen], np.where(mapped[seen] == NODATA, CLASSES, mapped[seen])


CASES = {
    "random": draw(0),
    "all right": draw(1, right=1),
    "by chance": draw(2, right=0),
    "holes in the map": draw(3, unmapped=0.3),
    "two classes only": tuple(np.minimum(each, 1) for each in draw(4, ignored=0)),
    "one class labelled, others mapped": (np.full((8, 8), 2, np.uint8), draw(5, side=8, ignored=0)[1]),
    "never mapped right": (np.zeros((4, 4), np.uint8), np.ones((4, 4), np.uint8)),
    "nothing mapped": (draw(6, side=8)[0], np.full((8, 8), NODATA, np.uint8)),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request):
    return CASES[request.param]


def test_counts_are_those_of_scikit_learn(case):
    table = sk.confusion_matrix(*scored(*case), labels=range(CLASSES + 1))
    confusion = Confusion.of(*case, CLASSES)
    np.testing.assert_array_equal(confusion.counts, table[:CLASSES, :CLASSES])
    np.testing.assert_array_equal(confusion.unmapped, table[:CLASSES, CLASSES])
    assert confusion.pixels == (case[0] != NODATA).sum()


def test_accuracy_and_kappa_are_those_of_scikit_learn(case):
    labels, mapped = scored(*case)
    confusion = Confusion.of(*case, CLASSES)
    assert confusion.oa == pytest.approx(sk.accuracy_score(labels, mapped), rel=1e-9)
    assert confusion.kappa == pytest.approx(sk.cohen_kappa_score(labels, mapped), rel=1e-9)


def test_kappa_is_that_of_statsmodels(case):
    labels, mapped = scored(*case)  # what the map leaves empty is a class of its own there
    table = np.zeros((CLASSES + 1, CLASSES + 1))
    np.add.at(table, (labels, mapped), 1)
    kappa = Confusion.of(*case, CLASSES).kappa
    assert kappa == pytest.approx(cohens_kappa(table, return_results=False), rel=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("iou", sk.jaccard_score), ("f1", sk.f1_score), ("recall", sk.recall_score), ("precision", sk.precision_score)],
)
def test_scores_of_each_class_are_those_of_scikit_learn_and_nan_where_undefined(case, ours, theirs):
    labels, mapped = scored(*case)
    wanted = theirs(labels, mapped, labels=range(CLASSES), average=None, zero_division=0)
    labelled, on_map = (np.bincount(each, minlength=CLASSES + 1)[:CLASSES] for each in (labels, mapped))
    defined = {"recall": labelled, "precision": on_map}.get(ours, labelled + on_map) > 0
    found = getattr(Confusion.of(*case, CLASSES), ours)
    np.testing.assert_allclose(found[defined], wanted[defined], rtol=1e-9)
    assert np.isnan(found[~defined]).all()


def test_means_are_over_the_classes_that_occur(case):
    labels, mapped = scored(*case)
    occurring = sorted({*labels.tolist(), *mapped.tolist()} - {CLASSES})
    confusion = Confusion.of(*case, CLASSES)
    averaged = {"labels": occurring, "average": "macro", "zero_division": 0}
    assert confusion.miou == pytest.approx(sk.jaccard_score(labels, mapped, **averaged), rel=1e-9)
    assert confusion.mf1 == pytest.approx(sk.f1_score(labels, mapped, **averaged), rel=1e-9)


def test_frequency_weighted_iou_is_that_of_scikit_learn(case):
    labels, mapped = scored(*case)
    wanted = sk.jaccard_score(labels, mapped, labels=range(CLASSES), average="weighted", zero_division=0)
    assert Confusion.of(*case, CLASSES).fwiou == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", ["random", "two classes only", "one class labelled, others mapped"])
def test_scores_are_those_of_torchmetrics(name):
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.classification")
    labels, mapped = (torch.from_numpy(each.astype(np.int64)) for each in CASES[name])
    asked = {"num_classes": CLASSES, "ignore_index": NODATA}
    confusion = Confusion.of(*CASES[name], CLASSES)
    # torchmetrics counts in 32 bits
    assert confusion.oa == pytest.approx(float(tm.multiclass_accuracy(mapped, labels, average="micro", **asked)), 1e-6)
    assert confusion.kappa == pytest.approx(float(tm.multiclass_cohen_kappa(mapped, labels, **asked)), abs=1e-6)
    counts = tm.multiclass_confusion_matrix(mapped, labels, **asked).numpy()
    np.testing.assert_array_equal(confusion.counts, counts)
    present = counts.sum(0) + counts.sum(1) > 0
    ious = tm.multiclass_jaccard_index(mapped, labels, average=None, **asked).numpy()
    np.testing.assert_allclose(confusion.iou[present], ious[present], rtol=1e-6)
    weighted = float(tm.multiclass_jaccard_index(mapped, labels, average="weighted", **asked))
    assert confusion.fwiou == pytest.approx(weighted, 1e-6)


def test_a_class_weighs_as_much_as_it_is_labelled():
    labels = np.repeat(np.array([0, 1], np.uint8), [30, 10])
    mapped = np.repeat(np.array([0, 1, 0], np.uint8), [30, 5, 5])
    # IoU of class 0 is 30 / 35, of class 1 is 5 / 10
    assert Confusion.of(labels, mapped, 3).fwiou == pytest.approx((30 * 30 / 35 + 10 * 5 / 10) / 40)


def test_f1_is_twice_the_overlap_over_both_sizes(case):
    labels, mapped = case
    wanted = []
    for index in range(CLASSES):
        one, other = labels == index, (mapped == index) & (labels != NODATA)
        size = one.sum() + other.sum()
        wanted.append(2 * (one & other).sum() / size if size else np.nan)
    np.testing.assert_allclose(Confusion.of(*case, CLASSES).f1, wanted)


@given(pairs, pairs)
def test_confusions_of_parts_add_up_to_the_confusion_of_the_whole(one, other):
    whole = Confusion.of(*np.concatenate([one, other], axis=1), CLASSES)
    parts = Confusion.of(*one, CLASSES) + Confusion.of(*other, CLASSES)
    np.testing.assert_array_equal(parts.counts, whole.counts)
    np.testing.assert_array_equal(parts.unmapped, whole.unmapped)


@given(pairs)
def test_the_confusion_of_no_pixels_adds_nothing(pair):
    confusion = Confusion.of(*pair, CLASSES)
    same = confusion + Confusion.empty(CLASSES)
    np.testing.assert_array_equal(same.counts, confusion.counts)
    np.testing.assert_array_equal(same.unmapped, confusion.unmapped)


@given(pairs)
def test_ignored_pixels_change_nothing(pair):
    seen = pair[0] != NODATA
    with_them, without = Confusion.of(*pair, CLASSES), Confusion.of(*pair[:, seen], CLASSES)
    np.testing.assert_array_equal(with_them.counts, without.counts)
    np.testing.assert_array_equal(with_them.unmapped, without.unmapped)


@given(pairs)
def test_f1_follows_from_iou(pair):
    confusion = Confusion.of(*pair, CLASSES)
    np.testing.assert_allclose(confusion.f1, 2 * confusion.iou / (1 + confusion.iou))


def test_a_hole_in_the_map_counts_against_everything_but_precision():
    labels = np.array([0, 0, 1, 1], np.uint8)
    full, holed = labels.copy(), np.array([0, NODATA, 1, 1], np.uint8)
    whole, part = Confusion.of(labels, full, 2), Confusion.of(labels, holed, 2)
    assert (part.oa, part.miou, part.mf1) < (whole.oa, whole.miou, whole.mf1)
    assert part.kappa < whole.kappa
    assert part.recall.tolist() == [0.5, 1]
    assert part.precision.tolist() == [1, 1]


def test_nothing_labelled_scores_nan_everywhere():
    for labels in (EMPTY, np.full(9, NODATA, np.uint8)):
        confusion = Confusion.of(labels, np.zeros_like(labels), CLASSES)
        assert confusion.pixels == 0
        assert all(math.isnan(score) for score in (confusion.oa, confusion.kappa, confusion.miou, confusion.mf1))
        assert math.isnan(confusion.fwiou)
        assert {confusion.reason(name) for name in SCORES} == {"no labelled pixel"}
        assert np.isnan([confusion.iou, confusion.f1, confusion.recall, confusion.precision]).all()


def test_kappa_is_nan_where_chance_alone_is_right():
    alone = np.full(9, 3, np.uint8)
    confusion = Confusion.of(alone, alone, CLASSES)
    assert math.isnan(confusion.kappa)
    assert "chance alone" in confusion.reason("kappa")
    assert {confusion.reason(name) for name in SCORES if name != "kappa"} == {""}


def test_a_score_without_a_figure_has_a_reason_and_no_other_has(case):
    confusion = Confusion.of(*case, CLASSES)
    for name in SCORES:
        assert bool(confusion.reason(name)) == bool(np.isnan(getattr(confusion, name)).all())


def test_counts_are_64_bit_so_that_gigapixels_fit():
    confusion = Confusion.of(*CASES["random"], CLASSES)
    for _ in range(22):
        confusion += confusion
    assert confusion.pixels == int((CASES["random"][0] != NODATA).sum()) << 22
    assert confusion.kappa == pytest.approx(Confusion.of(*CASES["random"], CLASSES).kappa)


def test_mean_kappa_is_the_mean_of_what_scikit_learn_says_of_each_sample():
    samples = [draw(seed, right=0.2 + seed / 20) for seed in range(8)]
    each = [sk.cohen_kappa_score(*scored(*sample)) for sample in samples]
    assert min(each) > 0
    assert mean_kappa(Confusion.of(*sample, CLASSES) for sample in samples) == pytest.approx(np.mean(each))


def test_mean_kappa_by_hand():
    # po 35 / 50 and pe (25 * 30 + 25 * 20) / 50^2 = 0.5: kappa 0.4
    # po 60 / 100 and pe 0.6 * 0.7 + 0.4 * 0.3 = 0.54: kappa 6 / 46
    tables = np.array([[20, 5], [10, 15]]), np.array([[45, 15], [25, 15]])
    assert mean_kappa(Confusion(each, np.zeros(2, np.int64)) for each in tables) == pytest.approx((0.4 + 6 / 46) / 2)


def test_mean_kappa_leaves_out_samples_without_a_kappa_and_below_chance():
    good = Confusion.of(*draw(0), CLASSES)
    alone = Confusion.of(np.zeros(4, np.uint8), np.zeros(4, np.uint8), CLASSES)
    swapped = Confusion.of(np.array([0, 1], np.uint8), np.array([1, 0], np.uint8), CLASSES)
    assert swapped.kappa < 0
    assert np.isnan(kappas([good, alone, swapped])).tolist() == [False, True, True]
    assert mean_kappa([good, alone, swapped]) == pytest.approx(good.kappa)
    assert math.isnan(mean_kappa([alone, swapped]))
    assert math.isnan(mean_kappa([]))


def test_mean_kappa_is_not_the_kappa_of_all_pixels():
    half = [np.repeat(np.array(each, np.uint8), 50) for each in ([0, 0, 0, 1], [2, 3, 3, 3])]
    samples = [Confusion.of(labels, np.roll(labels, 20), 4) for labels in half]
    assert mean_kappa(samples) < (samples[0] + samples[1]).kappa
