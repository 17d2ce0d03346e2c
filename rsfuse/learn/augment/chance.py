"""Where chance comes from: torch's own generator, as in all of torchvision, set for one sample and then put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let all chance inside come from a seed, and leave the generator outside as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would set the generators of all GPUs, too
        yield


def between(low: float, high: float) -> float:
    """A number drawn evenly between two."""
    return low + (high - low) * torch.rand(()).item()


def below(count: int) -> int:
    """A whole number from 0 to count - 1."""
    return int(torch.randint(count, ()))


def happens(share: float) -> bool:
    """True so often."""
    return torch.rand(()).item() < share
