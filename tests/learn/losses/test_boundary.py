"""The boundary loss against loops over pixels, and against morphology where maps are hard."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional as F

from rsfuse.learn.losses.boundary import Boundary


def around(image, row, column, by):
    return image[max(row - by, 0) : row + by + 1, max(column - by, 0) : column + by + 1]


def each_pixel(image, function):
    return np.array([[function(row, column) for column in range(image.shape[1])] for row in range(image.shape[0])])


def outline(areas, labels):
    """How far a pixel lies above the least around it; 0 beside pixels without a label."""

    def at(row, column):
        known = (around(labels, row, column, 1) != 255).all()
        return areas[row, column] - around(areas, row, column, 1).min() if known else 0.0

    return each_pixel(areas, at)


def widened(lines, by):
    return each_pixel(lines, lambda row, column: around(lines, row, column, by).max())


def expected_loss(probabilities, labels, by):
    losses = []
    for k in range(probabilities.shape[1]):
        drawn = [outline(p, y) for p, y in zip(probabilities[:, k], labels, strict=True)]
        true = [outline((y == k).astype(float), y) for y in labels]
        if not np.any(true):
            continue
        precision = sum((d * widened(t, by)).sum() for d, t in zip(drawn, true, strict=True)) / np.sum(drawn)
        recall = sum((t * widened(d, by)).sum() for d, t in zip(drawn, true, strict=True)) / np.sum(true)
        losses.append(1 - 2 * precision * recall / (precision + recall))
    return np.mean(losses)


@pytest.fixture
def areas(draw):
    """Soft scores, and labels of stripes; without labels in a corner, and without class 3."""
    scores, _ = draw(0)
    labels = (torch.arange(7) // 3).expand(2, 6, 7).clone()
    labels[0, :3, :3] = 255
    labels[1, 4] = (labels[1, 4] + 1) % 3
    return scores, labels


@pytest.mark.parametrize("tolerance", [1, 2, 5, 9])
def test_the_boundary_loss_is_one_less_f1_of_outlines(areas, tolerance):
    scores, labels = areas
    expected = expected_loss(scores.double().softmax(1).numpy(), labels.numpy(), tolerance)
    assert Boundary(tolerance)(scores, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tolerance", [1, 3])
def test_the_loss_of_a_hard_map_is_that_of_morphology(tolerance):
    square = np.ones((3, 3))
    chance = np.random.default_rng(1)
    truth, drawn = (ndimage.gaussian_filter(chance.normal(size=(24, 24)), 2) > 0 for _ in range(2))
    losses = []
    for of_truth, of_drawn in ((truth, drawn), (~truth, ~drawn)):
        lines = [each & ~ndimage.binary_erosion(each, square, border_value=1) for each in (of_truth, of_drawn)]
        near = [ndimage.binary_dilation(each, square, iterations=tolerance) for each in lines]
        precision, recall = near[0][lines[1]].mean(), near[1][lines[0]].mean()
        losses.append(1 - 2 * precision * recall / (precision + recall))
    scores = 100.0 * F.one_hot(torch.from_numpy(drawn[None]).long(), 2).movedim(-1, 1)
    loss = Boundary(tolerance)(scores, torch.from_numpy(truth[None]).long())
    assert 0.05 < np.mean(losses) < 0.95
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize(("shift", "free"), [(1, True), (2, True), (3, False), (4, False)])
def test_an_outline_may_lie_as_far_off_as_the_tolerance_says(shift, free):
    columns = torch.arange(20).expand(1, 20, 20)
    truth, drawn = (columns >= 8).long(), (columns >= 8 + shift).long()
    loss = Boundary(2)(100.0 * F.one_hot(drawn, 2).movedim(-1, 1), truth)
    assert (loss.item() < 1e-5) == free


def test_neither_the_edge_of_the_tile_nor_that_of_the_labels_is_an_outline(draw):
    scores, labels = draw(2)
    one_class = torch.ones_like(labels)
    one_class[:, 2:, 3:] = 255
    assert Boundary(1)(scores, one_class) == 0
