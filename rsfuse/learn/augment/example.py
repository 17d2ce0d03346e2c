"""A training example, in the types by which torchvision tells what is to be done with a tensor."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torchvision import tv_tensors


class Optical(tv_tensors.Image):  # type: ignore[misc]  # torchvision has no hints
    """Scaled optical, (C, h, w)."""


class Sar(tv_tensors.Image):  # type: ignore[misc]  # torchvision has no hints
    """Scaled SAR, (S, h, w); S is 0 for a network that takes optical alone."""


class Example(NamedTuple):
    """One place seen by both sensors; transforms of torchvision look inside.

    Args:
        optical: as `Optical`.
        sar: as `Sar`.
        labels: (h, w) indices of classes as `tv_tensors.Mask` of bytes, 255 for none.
    """

    optical: Tensor
    sar: Tensor
    labels: Tensor

    @classmethod
    def of(cls, optical: Tensor, sar: Tensor, labels: Tensor) -> Example:
        """The example of three plain tensors."""
        return cls(optical.as_subclass(Optical), sar.as_subclass(Sar), labels.as_subclass(tv_tensors.Mask))


def has_data(image: Tensor) -> Tensor:
    """(1, h, w): true where any band of a scaled image (C, h, w) is not exactly 0."""
    return image.any(0, keepdim=True)
