"""Calibration error is that of torchmetrics, adds up, and says why it is NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsfuse.legend import NODATA
from rsfuse.metrics import Calibration
from rsfuse.metrics.calibration import BINS

CLASSES = 5


def draw(seed, *, pixels=3000, unknown=0.0):
    """Labels, a map, and how sure it is of each pixel, with scores of all classes."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(CLASSES, 0.5), pixels)
    labels = np.array([rng.choice(CLASSES, p=each**0.5 / (each**0.5).sum()) for each in scores], np.uint8)
    mapped = scores.argmax(1).astype(np.uint8)
    labels[rng.random(pixels) < unknown] = NODATA
    mapped[rng.random(pixels) < unknown] = NODATA
    return labels, mapped, scores.max(1), scores


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_torchmetrics(bins):
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.classification")
    labels, mapped, confidence, scores = draw(0)
    wanted = tm.multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(labels.astype(np.int64)), CLASSES, n_bins=bins
    )
    found = Calibration.of(labels, mapped, confidence, bins).ece
    assert found == pytest.approx(float(wanted), abs=1e-6)  # torchmetrics counts in single precision
    assert found > 0.02 or bins == 1


def test_the_error_is_that_of_a_loop_over_bins():
    labels, mapped, confidence, _ = draw(1, unknown=0.2)
    known = (labels != NODATA) & (mapped != NODATA)
    wanted = 0.0
    for number in range(BINS):
        chosen = known & (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if chosen.any():
            gap = abs((labels == mapped)[chosen].mean() - confidence[chosen].mean())
            wanted += chosen.sum() / known.sum() * gap
    assert Calibration.of(labels, mapped, confidence).ece == pytest.approx(wanted, abs=1e-12)


def test_parts_add_up_to_the_whole():
    labels, mapped, confidence, _ = draw(2, unknown=0.1)
    whole, total = Calibration.of(labels, mapped, confidence), Calibration.empty()
    for part in np.array_split(np.arange(len(labels)), 7):
        total += Calibration.of(labels[part], mapped[part], confidence[part])
    np.testing.assert_array_equal(total.pixels, whole.pixels)
    np.testing.assert_array_equal(total.right, whole.right)
    np.testing.assert_allclose(total.sure, whole.sure, rtol=1e-12)
    assert total.ece == pytest.approx(whole.ece, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bin_holds_its_upper_border(dtype):
    # tenths of 1 to 10; as float32 many lie above the same tenth as float64
    confidence = (np.arange(1, 11) / 10).astype(dtype)
    same = np.zeros(10, np.uint8)
    assert Calibration.of(same, same, confidence, 10).pixels.tolist() == [1] * 10


def test_no_confidence_at_all_is_in_the_first_bin():
    same = np.zeros(2, np.uint8)
    assert Calibration.of(same, same, np.array([0.0, 1.0]), 4).pixels.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("full", [254, 255])
def test_bytes_are_counted_like_the_numbers_they_mean(full):
    labels, mapped, confidence, _ = draw(3, unknown=0.1)
    written = np.round(confidence * full).astype(np.uint8)
    quick = Calibration.of_bytes(labels, mapped, written, full=full, bins=15)
    slow = Calibration.of(labels, mapped, written / full, 15)
    np.testing.assert_array_equal(quick.pixels, slow.pixels)
    np.testing.assert_array_equal(quick.right, slow.right)
    np.testing.assert_allclose(quick.sure, slow.sure, rtol=1e-12)


def test_unknown_pixels_do_not_count_whatever_stands_there():
    labels, mapped = (np.array(each, np.uint8) for each in ([0, NODATA, 1, 1], [0, 1, NODATA, 0]))
    found = Calibration.of(labels, mapped, np.array([0.9, np.nan, np.nan, 0.9]), 2)
    assert (found.pixels.tolist(), found.right.tolist()) == ([0, 2], [0, 1])
    assert found.ece == pytest.approx(0.4)
    quick = Calibration.of_bytes(labels, mapped, np.array([250, 255, 255, 250], np.uint8), full=254, bins=2)
    assert (quick.pixels.tolist(), quick.right.tolist()) == ([0, 2], [0, 1])


def test_a_map_that_is_sure_and_right_has_no_error():
    same = np.ones(9, np.uint8)
    assert Calibration.of(same, same, np.ones(9)).ece == 0
    assert Calibration.of(same, same, np.ones(9)).reason == ""


def test_nothing_labelled_has_no_error_and_a_reason():
    nothing = np.full(9, NODATA, np.uint8)
    found = Calibration.of(nothing, np.zeros_like(nothing), np.ones(9))
    assert math.isnan(found.ece)
    assert "no labelled pixel" in found.reason


def test_the_table_tells_each_bin():
    labels, mapped = np.array([0, 0, 1], np.uint8), np.zeros(3, np.uint8)
    low, high = Calibration.of(labels, mapped, np.array([0.75, 0.75, 0.9]), 2).table
    assert low[:3] == (0, 0.5, 0)
    assert math.isnan(low.confidence)
    assert math.isnan(low.accuracy)
    assert high == pytest.approx((0.5, 1, 3, 0.8, 2 / 3))
