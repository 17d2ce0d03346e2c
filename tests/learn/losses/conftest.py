"""Small batches of logits and labels, drawn at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def draw() -> Callable[..., tuple[Tensor, Tensor]]:
    """A function from a seed to logits (2, K, 6, 7) and labels (2, 6, 7), some of them 255."""

    def drawn(seed: int, *, classes: int = 4, unlabelled: float = 0.2) -> tuple[Tensor, Tensor]:
        chance = np.random.default_rng(seed)
        labels = chance.integers(0, classes, (2, 6, 7))
        labels[chance.random(labels.shape) < unlabelled] = 255
        return torch.from_numpy(2 * chance.normal(size=(2, classes, 6, 7))).float(), torch.from_numpy(labels)

    return drawn
