"""What is measured of a graph: by how much its numbers are off, and how many pixels come out otherwise."""

import numpy as np
import pytest

from rsfuse.learn.export.agreement import compare
from rsfuse.learn.export.samples import PatchSample
from rsfuse.legend import NODATA

SIDE, CLASSES = 8, 3


def patch(number, *, valid=True, labels=None):
    """A patch whose first input says which one it is."""
    images = np.full((1, SIDE, SIDE), number, np.float32), np.zeros((1, SIDE, SIDE), np.float32)
    return PatchSample(images, np.full((SIDE, SIDE), valid), labels)


def softmax(scores):
    grown = np.exp(scores - scores.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


def scorer(change=lambda scores, number: scores):
    """What maps land cover: class 0 wins everywhere, by scores of 4, 2 and -8; changed patch by patch."""

    def run(images):
        numbers = images[0][:, 0, 0, 0].astype(int)
        scores = np.tile(np.array([4, 2, -8], np.float32)[None, :, None, None], (len(numbers), 1, SIDE, SIDE))
        scores = np.stack([change(each, number) for each, number in zip(scores, numbers, strict=True)])
        return [scores, softmax(scores)]

    return run


def measure(expect, find, patches, divisor=None):
    told = []
    found = compare(expect, find, patches, divisor=divisor, progress=lambda *each: told.append(each))
    assert told[-1] == (len(patches), len(patches))
    return found


def test_what_is_the_same_agrees():
    found = measure(scorer(), scorer(), [patch(number) for number in range(5)])
    assert (found.largest_error, found.differing, found.mean_error, found.miou) == (0, 0, 0, None)


def test_pixels_of_another_class_are_counted_and_errors_are_of_the_largest_score():
    def turn(scores, number):
        if number == 2:  # of five patches, in the second batch
            scores[1, 0, :4] += 3
        return scores

    found = measure(scorer(), scorer(turn), [patch(number) for number in range(5)])
    assert found.differing == pytest.approx(4 / (5 * SIDE**2))
    assert found.largest_error == pytest.approx(3 / 8)
    moved = np.abs(softmax(np.array([[4.0, 2, -8]])) - softmax(np.array([[4.0, 5, -8]]))).mean()
    assert found.mean_error == pytest.approx(moved * found.differing, rel=1e-5)


def test_what_has_no_data_does_not_count():
    def spoil(scores, number):
        return scores if number else np.full_like(scores, np.nan)

    patches = [patch(0, valid=False), patch(1)]
    assert measure(scorer(), scorer(spoil), patches).differing == 0
    found = measure(scorer(), scorer(spoil), [patch(0), patch(1)])
    assert np.isnan(found.largest_error)


@pytest.mark.parametrize("bad", [0, 4])
def test_nan_of_any_patch_is_never_lost(bad):
    def spoil(scores, number):
        return scores * np.float32(np.nan) if number == bad else scores + number

    assert np.isnan(measure(scorer(), scorer(spoil), [patch(number) for number in range(5)]).largest_error)


def test_both_are_held_against_labels():
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[:4], labels[-1] = 1, NODATA

    def right(scores, number):
        scores[1, :4] += 3
        return scores

    found = measure(scorer(), scorer(right), [patch(1, labels=labels), patch(2)])
    of_network, of_graph = found.miou
    assert of_graph == 1
    assert of_network == pytest.approx((3 / 7 + 0) / 2)


def test_sharpened_numbers_differ_by_digital_numbers():
    def sharpen(off):
        def run(images):
            pan = np.full((len(images[0]), 4, SIDE, SIDE), 0.5, np.float32)
            pan[:, 0, 0, 0] += off / 1000
            pan[:, 1] += 0.4 / 1000 if off else 0
            return [pan]

        return run

    found = measure(sharpen(0), sharpen(1.5), [patch(1), patch(2), patch(3)], divisor=1000)
    assert found.differing == pytest.approx(1 / (4 * SIDE**2))
    assert found.largest_error == pytest.approx(0.0015 / 0.5, rel=1e-3)
    assert found.mean_error == pytest.approx((1.5 / SIDE**2 + 0.4) / 4, rel=1e-3)
    assert found.miou is None


def test_a_graph_is_shown_more_than_one_patch_at_once():
    def alone(images):
        assert len(images[0]) == 1
        return scorer()(images)

    with pytest.raises(AssertionError):
        measure(scorer(), alone, [patch(1), patch(2)])
