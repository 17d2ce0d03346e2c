"""Mean IoU by convention: the three differ where a class does not occur, and only there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion, mean_ious

LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 2], np.uint8)
MAPPED = np.array([1, 0, 1, 1, 2, 2, 2, 1], np.uint8)


def test_all_agree_where_every_class_occurs():
    confusion = Confusion.of(LABELS, MAPPED, 3)
    assert list(mean_ious(confusion).values()) == pytest.approx([confusion.miou] * 3, rel=1e-12)


def test_a_class_that_does_not_occur_is_left_out_or_counts_nothing():
    confusion = Confusion.of(LABELS, MAPPED, 5)
    means, total = mean_ious(confusion), 1 / 2 + 2 / 5 + 2 / 4
    assert means["present"] == pytest.approx(total / 3)
    assert means["all"] == pytest.approx(total / 5)
    assert means["deepglobe"] == means["all"]


def test_deepglobe_leaves_unknown_out_of_the_mean():
    means = mean_ious(Confusion.of(LABELS, MAPPED, 4), unknown=0)
    assert means["deepglobe"] == pytest.approx((2 / 5 + 2 / 4 + 0) / 3)
    assert means["all"] == pytest.approx((1 / 2 + 2 / 5 + 2 / 4 + 0) / 4)


def test_pixels_labelled_unknown_count_in_other_classes_unless_they_are_ignored():
    ignored = np.where(LABELS == 0, np.uint8(NODATA), LABELS)
    as_glnet = mean_ious(Confusion.of(LABELS, MAPPED, 3), unknown=0)["deepglobe"]
    as_challenge = mean_ious(Confusion.of(ignored, MAPPED, 3), unknown=0)["deepglobe"]
    assert as_challenge == pytest.approx((2 / 4 + 2 / 4) / 2)
    assert as_glnet == pytest.approx((2 / 5 + 2 / 4) / 2)


def test_without_labels_there_is_no_mean():
    means = mean_ious(Confusion.of(np.full(8, NODATA, np.uint8), MAPPED, 3), unknown=0)
    assert sorted(means) == ["all", "deepglobe", "present"]
    assert all(math.isnan(value) for value in means.values())
