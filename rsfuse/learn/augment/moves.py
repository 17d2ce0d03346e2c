"""Variations that move pixels and change no values. Mirroring is torchvision's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from rsfuse.learn.augment.chance import below
from rsfuse.learn.augment.example import Optical, Sar
from rsfuse.learn.augment.variation import Variation


class QuarterTurns(Variation):
    """Turns all three by 0, 90, 180 or 270 degrees, each as often."""

    _transformed_types = (Optical, Sar, tv_tensors.Mask)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """How many turns."""
        return {"turns": below(4)}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image turned."""
        return torch.rot90(image, params["turns"], (-2, -1))


class Shift(Variation):
    """Moves SAR against optical, as where the two were not laid on each other well.

    Args:
        reach: in whole pixels along each axis; what comes in from outside repeats the edge.
    """

    _transformed_types = (Sar,)

    def __init__(self, reach: int) -> None:
        super().__init__()
        self._reach = reach

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """How far from the top left corner of the padded image the window lies."""
        return {"top": below(2 * self._reach + 1), "left": below(2 * self._reach + 1)}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image moved; its sides stay."""
        if len(image) == 0:
            return image  # torch does not pad images without bands
        padded = functional.pad(image, [self._reach] * 4, padding_mode="edge")
        moved: Tensor = functional.crop(padded, params["top"], params["left"], *image.shape[-2:])
        return moved
