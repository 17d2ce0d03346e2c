"""Clouds on optical: soft white patches, and their shadows."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from rsfuse.learn.augment.chance import between, happens
from rsfuse.learn.augment.example import Optical, has_data
from rsfuse.learn.augment.variation import Variation

_COVERAGE = 0.05, 2 / 3
"""Share of the crop with any cloud over it."""
_WHITE, _TINT = (1.05, 1.45), 0.05
"""Value of an opaque cloud, in which the scene's percentiles lie at -1 and 1; and how far a band may be off it."""
_OPACITY = 0.6, 1.0
_SOFTNESS = 0.3, 1.2
"""From the edge of a cloud to where it is thickest, in standard deviations of the field it is cut from."""
_SHADOW = 0.3, 0.7
"""Share of the light that a shadow takes."""
_CELLS = 3, 6, 12, 24
"""Random numbers along a side, from the shapes of clouds to their fringes; each weighs half of the one before it."""


class Clouds(Variation):
    """Lays clouds over optical; up to two thirds of a sample lie under them.

    Args:
        share: of the samples.
    """

    _transformed_types = (Optical,)

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Opacity of clouds and depth of shadows, (1, h, w) from 0 to 1, and the white, (C, 1, 1)."""
        if not happens(self._share):
            return {"opacity": None}
        bands, height, width = flat_inputs[0].shape
        clouds, shadows = _clouds_and_shadows(height, width)
        white = between(*_WHITE) + _TINT * (2 * torch.rand(bands, 1, 1) - 1)
        return {"opacity": clouds * between(*_OPACITY), "shadow": shadows * between(*_SHADOW), "white": white}

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image under clouds."""
        if params["opacity"] is None:
            return image
        shaded = image - params["shadow"] * (image + 1).clamp(min=0)
        return torch.where(has_data(image), torch.lerp(shaded, params["white"], params["opacity"]), 0)


def smooth_field(height: int, width: int) -> Tensor:
    """(1, h, w) random numbers around 0, alike where near."""
    field = torch.zeros(1, height, width)
    for octave, cells in enumerate(_CELLS):
        coarse = torch.randn(1, cells, cells) / 2**octave
        field += functional.resize_image(coarse, [height, width], InterpolationMode.BICUBIC, antialias=False)
    return field


def _clouds_and_shadows(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two windows of one field of clouds, each (1, h, w) from 0 to 1, a little way from each other."""
    reach = max(min(height, width) // 8, 1)
    field = smooth_field(height + 2 * reach, width + 2 * reach)
    inner = field[:, reach : reach + height, reach : reach + width]
    clear = math.ceil((1 - between(*_COVERAGE)) * height * width)
    edge, softness = inner.flatten().kthvalue(clear).values, between(*_SOFTNESS) * field.std()
    thickness = ((field - edge) / softness).clamp(0, 1)
    thickness = thickness * thickness * (3 - 2 * thickness)
    angle, distance = between(0, 2 * math.pi), between(reach / 2, reach)
    down, right = (round(distance * part) for part in (math.sin(angle), math.cos(angle)))

    def window(top: int, left: int) -> Tensor:
        return thickness[:, top : top + height, left : left + width]

    return window(reach, reach), window(reach - down, reach - right)
