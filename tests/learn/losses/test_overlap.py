"""Dice and Lovasz-softmax against their definitions, and against scores of hard maps by scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score
from torch.nn import functional as F

from rsfuse.learn.losses.overlap import Dice, Lovasz


def flat(scores, labels):
    """Probabilities (N, K) and labels (N,) of the labelled pixels."""
    labelled = labels.numpy() != 255
    return scores.double().softmax(1).movedim(1, -1).numpy()[labelled], labels.numpy()[labelled]


def without(labels, absent):
    return labels.where(labels != absent, 255)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("absent", [None, 1])
def test_dice_is_the_mean_of_its_formula_over_the_classes_in_the_labels(classes, absent, draw):
    scores, labels = draw(0, classes=classes)
    labels = without(labels, absent) if absent else labels
    probabilities, truth = flat(scores, labels)
    losses = []
    for k in sorted(set(truth)):
        both = sum(p for p, label in zip(probabilities[:, k], truth, strict=True) if label == k)
        losses.append(1 - 2 * both / (probabilities[:, k].sum() + (truth == k).sum()))
    assert Dice()(scores, labels).item() == pytest.approx(np.mean(losses), rel=1e-5)


def lovasz_extension(errors, truth):
    """Definition 2 of Berman et al.: errors weighed by what each adds to 1 - IoU of the set of mistakes before it."""

    def jaccard_loss(mistakes):
        return len(mistakes) / len({*np.flatnonzero(truth), *mistakes})

    order = np.argsort(-errors)
    return sum(
        errors[place] * (jaccard_loss(order[: rank + 1]) - jaccard_loss(order[:rank]))
        for rank, place in enumerate(order)
    )


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("absent", [None, 1])
def test_lovasz_is_the_mean_of_the_extension_over_the_classes_in_the_labels(classes, absent, draw):
    scores, labels = draw(1, classes=classes)
    labels = without(labels, absent) if absent else labels
    probabilities, truth = flat(scores, labels)
    losses = [lovasz_extension(np.abs((truth == k) - probabilities[:, k]), truth == k) for k in sorted(set(truth))]
    assert Lovasz()(scores, labels).item() == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(("term", "score"), [(Dice(), f1_score), (Lovasz(), jaccard_score)])
def test_the_loss_of_a_hard_map_is_one_less_its_score(term, score, draw):
    scores, labels = draw(2)
    labels = without(labels, 3)
    hard = scores.argmax(1)
    loss = term(100.0 * F.one_hot(hard, 4).movedim(-1, 1), labels)
    truth = labels[labels != 255]
    expected = score(truth, hard[labels != 255], labels=[0, 1, 2], average="macro")
    assert loss.item() == pytest.approx(1 - expected, rel=1e-5)


@pytest.mark.parametrize("term", [Dice(), Lovasz()])
def test_overlap_is_of_the_whole_batch_not_of_each_sample(term, draw):
    scores, labels = draw(3)
    side_by_side = torch.cat(list(scores), -1)[None], torch.cat(list(labels), -1)[None]
    torch.testing.assert_close(term(scores, labels), term(*side_by_side))
