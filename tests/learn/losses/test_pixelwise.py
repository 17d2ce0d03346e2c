"""Cross-entropy, focal loss and OHEM against loops, scikit-learn, torch and torchvision."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from rsfuse.learn.losses.pixelwise import CrossEntropy, Focal, HardPixels

EVEN = torch.ones(4)
UNEVEN = torch.tensor([0.2, 1.0, 2.3, 0.5])


def pixels_of(scores, labels):
    """Probabilities (K,) and label of each labelled pixel, one after the other."""
    probabilities = scores.double().softmax(1).numpy()
    for sample, row, column in np.argwhere(labels.numpy() != 255):
        yield probabilities[sample, :, row, column], int(labels[sample, row, column])


def test_cross_entropy_is_that_of_scikit_learn(draw):
    scores, labels = draw(0)
    probabilities, truth = zip(*pixels_of(scores, labels), strict=True)
    expected = log_loss(truth, np.array(probabilities), labels=range(4))
    assert CrossEntropy(EVEN)(scores, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_weighs_classes_and_divides_by_the_count_of_labels(smoothing, draw):
    scores, labels = draw(1)
    losses = [
        sum(
            UNEVEN[k].item() * ((1 - smoothing) * (k == label) + smoothing / 4) * -math.log(probabilities[k])
            for k in range(4)
        )
        for probabilities, label in pixels_of(scores, labels)
    ]
    loss = CrossEntropy(UNEVEN, smoothing=smoothing)(scores, labels)
    assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_loss_is_the_sum_of_its_formula(gamma, draw):
    scores, labels = draw(2)
    losses = [-UNEVEN[k].item() * (1 - p[k]) ** gamma * math.log(p[k]) for p, k in pixels_of(scores, labels)]
    loss = Focal(UNEVEN, gamma=gamma)(scores, labels)
    assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_focal_loss_of_two_classes_is_that_of_torchvision(draw):
    scores, labels = draw(3, classes=2, unlabelled=0.0)
    expected = sigmoid_focal_loss(scores[:, 1] - scores[:, 0], labels.float(), alpha=-1, gamma=2, reduction="mean")
    torch.testing.assert_close(Focal(torch.ones(2))(scores, labels), expected)


def test_focal_loss_without_focus_is_cross_entropy(draw):
    scores, labels = draw(4)
    torch.testing.assert_close(Focal(UNEVEN, gamma=0)(scores, labels), CrossEntropy(UNEVEN)(scores, labels))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("probability", [0.01, 0.2, 0.7, 1.0])
def test_ohem_is_the_mean_over_hard_pixels_or_over_the_hardest_share(probability, share, draw):
    scores, labels = draw(5)
    pixels = sorted((p[k], UNEVEN[k].item()) for p, k in pixels_of(scores, labels))
    hard = [each for each in pixels if each[0] < probability]
    kept = pixels[: max(len(hard), math.ceil(share * len(pixels)))]
    expected = sum(-weight * math.log(own) for own, weight in kept) / len(kept)
    loss = HardPixels(UNEVEN, probability=probability, share=share)(scores, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_ohem_of_all_pixels_is_cross_entropy_and_of_fewer_is_more(draw):
    scores, labels = draw(6)
    everything = HardPixels(EVEN, share=1.0)(scores, labels)
    torch.testing.assert_close(everything, F.cross_entropy(scores, labels, ignore_index=255))
    assert HardPixels(EVEN, probability=0.1, share=0.1)(scores, labels) > everything


def test_ohem_moves_hard_pixels_alone(draw):
    scores, labels = draw(7)
    scores = scores.requires_grad_()
    HardPixels(EVEN, probability=0.5, share=0.01)(scores, labels).backward()
    for (sample, row, column), (probabilities, label) in zip(
        np.argwhere(labels.numpy() != 255), pixels_of(scores.detach(), labels), strict=True
    ):
        assert bool(scores.grad[sample, :, row, column].any()) == (probabilities[label] < 0.5)
