"""Variations of values: another sensor, haze, hour, season or resampling. What has no data stays 0."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from rsfuse.learn.augment.chance import between
from rsfuse.learn.augment.example import Optical, Sar, has_data
from rsfuse.learn.augment.variation import Variation

_FINE_PX = 0.8, 2.6
"""Standard deviations of the blur that tells fine from coarse."""


class Radiometry(Variation):
    """Gain and offset of each band, and one gamma for all bands of a sensor.

    Args:
        sensor: whose values.
        gain: standard deviation of the logarithm of each band's gain.
        offset: standard deviation of what is added to each band.
        gamma: the power lies between 1 / (1 + gamma) and 1 + gamma; -1 and 1 stay.
    """

    def __init__(self, sensor: type[Optical] | type[Sar], gain: float, offset: float, gamma: float) -> None:
        super().__init__()
        self._transformed_types = (sensor,)
        self._gain, self._offset, self._gamma = gain, offset, gamma

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Gains and offsets, (C, 1, 1), and the power."""
        bands = len(flat_inputs[0]), 1, 1
        return {
            "gains": torch.exp(self._gain * torch.randn(bands)),
            "offsets": self._offset * torch.randn(bands),
            "power": (1 + self._gamma) ** between(-1, 1),
        }

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image of another sensor or hour."""
        bent = image
        if self._gamma:
            unit = (image + 1) / 2  # the scene's percentiles at 0 and 1
            bent = 2 * torch.copysign(unit.abs() ** params["power"], unit) - 1
        return torch.where(has_data(image), bent * params["gains"] + params["offsets"], 0)


class Saturation(Variation):
    """Optical between grey and gaudy: brown water or blue, it is told by its smoothness and its darkness in SAR.

    Args:
        reach: differences of the bands from their mean are multiplied by a factor within this of 1.
    """

    _transformed_types = (Optical,)

    def __init__(self, reach: float) -> None:
        super().__init__()
        self._reach = reach

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The factor."""
        return {"factor": between(1 - self._reach, 1 + self._reach)}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image with other colours and the same brightness."""
        mean = image.mean(0, keepdim=True)
        return torch.where(has_data(image), torch.lerp(mean, image, params["factor"]), 0)


class Detail(Variation):
    """Optical between blurred and crisp: other optics, haze, resampling.

    Args:
        reach: what is finer than a few pixels is multiplied by 1 / (1 + reach) to 1 + reach.
    """

    _transformed_types = (Optical,)

    def __init__(self, reach: float) -> None:
        super().__init__()
        self._reach = reach

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is fine, and the factor."""
        return {"sigma": between(*_FINE_PX), "factor": (1 + self._reach) ** between(-1, 1)}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image with weaker or stronger detail; what has no data is mixed into nothing."""
        known, sigma = has_data(image), params["sigma"]
        reach = min(math.ceil(2 * sigma), min(image.shape[-2:]) - 1)

        def blur(each: Tensor) -> Tensor:
            blurred: Tensor = functional.gaussian_blur(each, [2 * reach + 1] * 2, [sigma] * 2)
            return blurred

        coarse = blur(image)
        if not known.all():
            coarse = coarse / blur(known.float()).clamp(min=1e-6)
        return torch.where(known, torch.lerp(coarse, image, params["factor"]), 0)
