"""Two examples in one (CutMix, arXiv 1905.04899). No transform of torchvision's: those see one example at a time."""

from __future__ import annotations

from rsfuse.learn.augment.chance import below, between
from rsfuse.learn.augment.example import Example


def mix(example: Example, other: Example) -> Example:
    """A rectangle of the other example in this one, at the same place; a tenth to a half of its area."""
    height, width = example.labels.shape
    area, stretch = between(0.1, 0.5), 2 ** between(-1, 1)
    rows = min(round(height * (area * stretch) ** 0.5), height)
    columns = min(round(width * (area / stretch) ** 0.5), width)
    top, left = below(height - rows + 1), below(width - columns + 1)
    here = ..., slice(top, top + rows), slice(left, left + columns)
    mixed = Example.of(*(each.clone() for each in example))
    for target, source in zip(mixed, other, strict=True):
        target[here] = source[here]
    return mixed
