"""Class weights follow from shares as their names say."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from rsfuse.errors import TileSetError
from rsfuse.learn.losses.class_weights import class_weights

counts = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any)


def test_without_weighting_every_class_counts_one():
    assert class_weights("none", torch.tensor([3, 0, 8])).tolist() == [1, 1, 1]


@given(pixels=counts)
@pytest.mark.parametrize(("weighting", "power"), [("inverse", 1.0), ("inverse-root", 0.5)])
def test_weights_fall_with_the_share_and_have_mean_one_over_the_classes_present(pixels, weighting, power):
    weights = class_weights(weighting, torch.tensor(pixels)).tolist()
    raw = [each**-power for each in pixels if each]
    expected = iter([each / (sum(raw) / len(raw)) for each in raw])
    assert weights == pytest.approx([next(expected) if each else 0 for each in pixels], rel=1e-5)


@given(pixels=counts)
def test_median_frequency_is_the_median_share_over_each(pixels):
    weights = class_weights("median-frequency", torch.tensor(pixels)).tolist()
    median = np.median([each for each in pixels if each])
    assert weights == pytest.approx([median / each if each else 0 for each in pixels], rel=1e-5)


def test_inverse_weights_are_in_proportion_to_the_balanced_ones_of_scikit_learn():
    truth = np.repeat([0, 1, 2], [50, 5, 20])
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=truth)
    weights = class_weights("inverse", torch.tensor([50, 5, 20]))
    np.testing.assert_allclose(weights, balanced / balanced.mean(), rtol=1e-6)


@pytest.mark.parametrize("weighting", ["inverse", "inverse-root", "median-frequency"])
def test_weights_that_nothing_tells_are_refused(weighting):
    with pytest.raises(TileSetError, match=weighting) as raised:
        class_weights(weighting, torch.zeros(4, dtype=torch.int64))
    assert "rsfuse info" in raised.value.hint
