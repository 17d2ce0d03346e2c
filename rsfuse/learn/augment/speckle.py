"""Speckle: the noise of SAR, which multiplies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Gamma

from rsfuse.learn.augment.chance import between
from rsfuse.learn.augment.example import Sar, has_data
from rsfuse.learn.augment.variation import Variation

_HARDLY_ANY = 0.01


class Speckle(Variation):
    """Multiplies SAR values, counted from -1, by gamma noise of mean 1, each pixel and band by its own.

    Args:
        spread: the standard deviation of the noise lies between 0 and this.
    """

    _transformed_types = (Sar,)

    def __init__(self, spread: float) -> None:
        super().__init__()
        self._spread = spread

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The noise, (S, h, w), or None for hardly any."""
        spread = between(0, self._spread)
        if spread < _HARDLY_ANY:
            return {"noise": None}
        looks = torch.tensor(spread**-2)
        return {"noise": Gamma(looks, looks, validate_args=False).sample(flat_inputs[0].shape)}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image with noise."""
        noise = params["noise"]
        return image if noise is None else torch.where(has_data(image), (image + 1) * noise - 1, 0)
