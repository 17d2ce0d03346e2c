"""Samples without one of the sensors, so that a network does not lean on both."""

from __future__ import annotations

from typing import Any

import torch

from rsfuse.learn.augment.chance import between
from rsfuse.learn.augment.example import Optical, Sar
from rsfuse.learn.augment.variation import Variation


class DropSensor(Variation):
    """Now and then sets a sensor to 0, never the only one with data.

    Args:
        optical: share of samples without optical.
        sar: share of samples without SAR; the two together are 1 at most.
    """

    def __init__(self, optical: float, sar: float) -> None:
        super().__init__()
        self._optical, self._sar = optical, sar

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The type of what is dropped, or None."""
        optical, sar = flat_inputs
        chance = between(0, 1)
        if chance < self._optical and sar.any():
            return {"dropped": Optical}
        return {"dropped": Sar if chance >= 1 - self._sar and optical.any() else None}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image, or zeros."""
        return torch.zeros_like(inpt).as_subclass(type(inpt)) if type(inpt) is params["dropped"] else inpt
