"""Boundary scores are those of a count class by class, and windows add up to exactly the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from rsfuse.legend import NODATA
from rsfuse.metrics import BoundaryCounts

WHOLE = np.s_[:, :]


def blobs(seed, *, classes=4, shape=(70, 90), grain=4.0):
    """A map of smooth regions."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.standard_normal((classes, *shape)), (0, grain, grain))
    return fields.argmax(0).astype(np.uint8)


def pair(seed, *, holes=False, **options):
    """Labels and a map that has them a little aside, with some parts of both unknown."""
    rng = np.random.default_rng(seed)
    labels = blobs(seed, **options)
    mapped = ndimage.shift(labels, rng.choice([-2, -1, 1, 2], 2), order=0, mode="nearest")
    mapped[rng.random(labels.shape) < 0.01] = 0
    if holes:
        labels[ndimage.gaussian_filter(rng.standard_normal(labels.shape), 3) > 0.1] = NODATA
        mapped[ndimage.gaussian_filter(rng.standard_normal(labels.shape), 3) > 0.1] = NODATA
    return labels, mapped


def strip(codes, index, tolerance):
    """Pixels of one class near a known pixel of another."""
    others = (codes != index) & (codes != NODATA)
    if not others.any():
        return np.zeros(codes.shape, bool)
    return (codes == index) & (ndimage.distance_transform_cdt(~others, "chessboard") <= tolerance)


def near(mask, tolerance):
    if not mask.any():
        return np.zeros(mask.shape, bool)
    return ndimage.distance_transform_edt(~mask) <= tolerance


def counted(labels, mapped, classes, tolerance):
    """What is to be counted, of each class by itself and by distance transforms."""
    mapped = np.where(labels == NODATA, np.uint8(NODATA), mapped)
    strips, edges = [], []
    for index in range(classes):
        one, other = (strip(each, index, tolerance) for each in (labels, mapped))
        strips.append([one.sum(), other.sum(), (one & other).sum()])
        one, other = (strip(each, index, 1) for each in (labels, mapped))
        met, met_back = one & near(other, tolerance), other & near(one, tolerance)
        edges.append([each.sum() for each in (one, met, other, met_back)])
    return np.transpose(strips), np.transpose(edges)


def of(labels, mapped, classes, tolerance, inner=WHOLE):
    return BoundaryCounts.of(labels, mapped, classes=classes, tolerance=tolerance, inner=inner)


CASES = {
    "regions": (*pair(0), 4),
    "fine regions": (*pair(1, grain=1.2), 4),
    "unknown parts": (*pair(2, holes=True), 4),
    "a class that does not occur": (*pair(3), 6),
    "two classes": (*pair(4, classes=2), 2),
    "more classes than bits of a byte": (*pair(5, classes=19, grain=2), 19),
    "one column": (*(each[:, :1] for each in pair(6)), 4),
    "noise": (*(np.random.default_rng(7).integers(0, 3, (2, 40, 40), np.uint8)), 3),
}


@pytest.mark.parametrize("tolerance", [1, 2, 3, 7])
@pytest.mark.parametrize("name", CASES)
def test_counts_are_those_of_distance_transforms(name, tolerance):
    counts, (strips, edges) = of(*CASES[name], tolerance), counted(*CASES[name], tolerance)
    np.testing.assert_array_equal(counts.strips, strips)
    np.testing.assert_array_equal(counts.edges, edges)


def test_the_strip_is_what_erosion_by_squares_takes_away():
    labels, mapped = pair(0)
    square, counts = np.ones((3, 3), bool), of(labels, mapped, 4, 3)
    for index in range(4):
        rings = [
            own & ~ndimage.binary_erosion(own, square, iterations=3, border_value=1)
            for own in (labels == index, mapped == index)
        ]
        assert counts.iou[index] == pytest.approx((rings[0] & rings[1]).sum() / (rings[0] | rings[1]).sum(), 1e-12)


@pytest.mark.parametrize("name", ["regions", "unknown parts", "more classes than bits of a byte"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (70, 7), (1, 90), (33, 64)])
def test_windows_add_up_to_the_whole_image(name, height, width):
    labels, mapped, classes = CASES[name]
    tolerance, total = 3, BoundaryCounts.empty(classes, 3)
    for top in range(0, len(labels), height):
        for left in range(0, labels.shape[1], width):
            bottom, right = min(top + height, len(labels)), min(left + width, labels.shape[1])
            # the least that a window has to bring with it
            first, start = max(top - tolerance - 1, 0), max(left - tolerance - 1, 0)
            read = np.s_[first : bottom + tolerance + 1, start : right + tolerance + 1]
            inner = np.s_[top - first : bottom - first, left - start : right - start]
            total += of(labels[read], mapped[read], classes, tolerance, inner)
    whole = of(labels, mapped, classes, tolerance)
    np.testing.assert_array_equal(total.strips, whole.strips)
    np.testing.assert_array_equal(total.edges, whole.edges)


def test_a_window_needs_one_pixel_more_around_it_than_the_tolerance():
    labels, mapped = (np.repeat((np.arange(40) > last).astype(np.uint8)[None], 6, 0) for last in (22, 19))
    inner = np.s_[:, :20]
    # the map's last column of class 0 is 3 px from that of the labels, which shows as such by the column behind it
    for read, met in [(np.s_[:], 6), (np.s_[:, :24], 6), (np.s_[:, :23], 0)]:
        assert of(labels[read], mapped[read], 2, 3, inner).edges[3].tolist() == [met, 0]


def test_beyond_the_raster_and_unlabelled_are_the_same():
    labels, mapped = pair(0)
    wide = [np.pad(each, 9, constant_values=NODATA) for each in (labels, mapped)]
    framed, whole = of(*wide, 4, 3), of(labels, mapped, 4, 3)
    np.testing.assert_array_equal(framed.strips, whole.strips)
    np.testing.assert_array_equal(framed.edges, whole.edges)


def test_the_border_of_the_raster_and_of_what_is_labelled_is_no_boundary():
    labels = np.full((20, 20), NODATA, np.uint8)
    labels[:, 8:] = 1
    counts = of(labels, np.ones_like(labels), 2, 3)
    assert not counts.strips.any()
    assert not counts.edges.any()
    assert np.isnan(counts.iou).all()
    assert np.isnan(counts.f1).all()
    assert "no boundary" in counts.reason


def test_what_the_map_says_of_unlabelled_pixels_changes_nothing():
    labels, mapped = pair(2, holes=True)
    other = np.where(labels == NODATA, np.uint8(3) - np.minimum(mapped, 3), mapped)
    assert (other != mapped).any()
    one, two = of(labels, mapped, 4, 3), of(labels, other, 4, 3)
    np.testing.assert_array_equal(one.strips, two.strips)
    np.testing.assert_array_equal(one.edges, two.edges)


def test_a_labelled_boundary_that_the_map_leaves_empty_is_missed():
    labels = np.repeat(np.array([[0] * 10 + [1] * 10], np.uint8), 20, 0)
    mapped = labels.copy()
    mapped[:10] = NODATA
    counts = of(labels, mapped, 2, 2)
    assert counts.iou.tolist() == [0.5, 0.5]
    assert counts.precision.tolist() == [1, 1]
    # the upper half is empty; its lowest two rows still have the map's edge near
    assert counts.recall.tolist() == [12 / 20, 12 / 20]


def test_a_boundary_one_pixel_aside():
    labels = np.repeat(np.array([[0] * 10 + [1] * 10], np.uint8), 8, 0)
    mapped = np.roll(labels, 1, 1)
    mapped[:, 0] = 0
    counts = of(labels, mapped, 2, 2)
    # of strips two wide one column is in both; of class 1 and of class 0 alike
    assert counts.iou.tolist() == [1 / 3, 1 / 3]
    assert counts.f1.tolist() == [1, 1]
    assert (counts.miou, counts.mf1) == pytest.approx((1 / 3, 1))


def test_near_is_measured_in_a_straight_line():
    labels, mapped = (np.zeros((30, 30), np.uint8) for _ in range(2))
    labels[10, 10], mapped[12, 12] = 1, 1
    assert of(labels, mapped, 2, 2).f1[1] == 0  # 2.83 px off, two moves of a king
    assert of(labels, mapped, 2, 3).f1[1] == 1


def test_an_edge_of_another_class_does_not_count():
    labels = np.repeat(np.array([[0] * 10 + [1] * 10], np.uint8), 8, 0)
    counts = of(labels, np.where(labels == 1, np.uint8(2), labels), 3, 3)
    assert counts.f1.tolist() == [1, 0, 0]
    assert counts.iou.tolist() == [1, 0, 0]


def test_a_map_without_edges_scores_nothing_and_one_that_is_right_everything():
    labels = pair(0)[0]
    blank = of(labels, np.zeros_like(labels), 4, 3)
    assert blank.f1.tolist() == [0] * 4
    assert np.isnan(blank.precision).all()
    exact = of(labels, labels, 4, 3)
    assert exact.iou.tolist() == exact.f1.tolist() == [1] * 4
    assert not exact.reason


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    counts = of(*CASES["fine regions"], 1)
    np.testing.assert_allclose(counts.f1, 2 / (1 / counts.precision + 1 / counts.recall), rtol=1e-12)
    assert (counts.f1 < 1).all()


def test_counts_of_other_tolerances_do_not_add_up():
    with pytest.raises(ValueError, match="1 and 3 px"):
        BoundaryCounts.empty(2, 1) + BoundaryCounts.empty(2, 3)


def test_the_arrays_that_are_given_stay_as_they_are():
    labels, mapped = pair(2, holes=True)
    before = labels.copy(), mapped.copy()
    of(labels, mapped, 4, 3, np.s_[10:50, 10:50])
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(mapped, before[1])
