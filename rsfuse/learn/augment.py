"""Augmentation: what is varied at random, so that a network holds on scenes it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from rsfuse.learn.recipe import Augmentation


@dataclass(frozen=True)
class Example:
    """One training example: scaled optical (C, h, w), scaled SAR (S, h, w), label indices (h, w), 255 for none."""

    optical: Tensor
    sar: Tensor
    labels: Tensor


class Augment:
    """Varies one example after another as a recipe says.

    Args:
        recipe: what to vary and how far.
        random: the source of all chance.
    """

    def __init__(self, recipe: Augmentation, random: torch.Generator) -> None:
        self._recipe, self._random = recipe, random

    def __call__(self, example: Example) -> Example:
        """A varied copy; the sides of the example stay. Without SAR bands, optical is never dropped."""
        recipe = self._recipe
        if recipe.flips:
            example = self._turn(example)
        optical = self._radiometry(example.optical, recipe.optical_gain, recipe.optical_offset, recipe.optical_gamma)
        optical = self._detail(self._saturation(optical, recipe.optical_saturation), recipe.optical_detail)
        if len(example.sar) == 0:
            return replace(example, optical=optical)
        sar = self._shift(example.sar, recipe.shift_px)
        sar = self._speckle(self._radiometry(sar, recipe.sar_gain, recipe.sar_offset, recipe.sar_gamma))
        return self._drop(replace(example, optical=optical, sar=sar))

    def zoom(self) -> float:
        """How much larger than life the next example is to be shown."""
        reach = torch.log1p(torch.tensor(self._recipe.zoom)).item()
        return float(torch.exp(torch.tensor(self._between(-reach, reach))))

    def mix(self, example: Example, other: Example) -> Example:
        """A rectangle of the other example in this one, at the same place; a tenth to a half of its area."""
        height, width = example.labels.shape
        area, stretch = self._between(0.1, 0.5), 2 ** self._between(-1, 1)
        rows, columns = (
            min(round(side * share), side)
            for side, share in ((height, (area * stretch) ** 0.5), (width, (area / stretch) ** 0.5))
        )
        top, left = int(self._between(0, height - rows + 1)), int(self._between(0, width - columns + 1))
        here = ..., slice(top, top + rows), slice(left, left + columns)
        mixed = Example(example.optical.clone(), example.sar.clone(), example.labels.clone())
        for target, source in ((mixed.optical, other.optical), (mixed.sar, other.sar), (mixed.labels, other.labels)):
            target[here] = source[here]
        return mixed

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self._random).item()

    def _turn(self, example: Example) -> Example:
        """One of the eight ways to lay a square on itself."""
        turns = int(self._between(0, 4))
        mirrored = self._between(0, 1) < 0.5

        def lay(image: Tensor) -> Tensor:
            turned = torch.rot90(image, turns, (-2, -1))
            return turned.flip(-1) if mirrored else turned

        return Example(lay(example.optical), lay(example.sar), lay(example.labels))

    def _radiometry(self, image: Tensor, gain: float, offset: float, gamma: float) -> Tensor:
        """Another sensor, haze, hour: gain and offset for each band, one gamma for all, on the part that has data."""
        bands = (len(image), 1, 1)
        gains = torch.exp(gain * torch.randn(bands, generator=self._random))
        offsets = offset * torch.randn(bands, generator=self._random)
        power = (1 + gamma) ** self._between(-1, 1)
        unit = (image + 1) / 2  # the scene's percentiles at 0 and 1
        bent = torch.sign(unit) * unit.abs() ** power
        return torch.where(image == 0, image, (2 * bent - 1) * gains + offsets)  # 0: no data

    def _saturation(self, image: Tensor, reach: float) -> Tensor:
        """Between grey and gaudy: brown water or blue, the eye tells it by its smoothness and its darkness in SAR."""
        mean = image.mean(0, keepdim=True)
        return torch.where(image == 0, image, mean + (image - mean) * self._between(1 - reach, 1 + reach))

    def _detail(self, image: Tensor, reach: float) -> Tensor:
        """Other optics, haze, resampling: what is finer than a window of 3 to 9 pixels, weaker or stronger."""
        if reach == 0:
            return image
        side = 2 * int(self._between(1, 5)) + 1
        known = (image != 0).float()
        mean, share = (functional.avg_pool2d(each, side, 1, side // 2) for each in (image, known))
        coarse = mean / share.clamp(min=1e-6)
        return torch.where(image == 0, image, coarse + (image - coarse) * (1 + reach) ** self._between(-1, 1))

    def _shift(self, image: Tensor, reach: int) -> Tensor:
        right, down = (round(self._between(-reach, reach)) for _ in range(2))
        padded = functional.pad(image[None], (reach, reach, reach, reach), mode="replicate")[0]
        height, width = image.shape[-2:]
        return padded[:, reach - down : reach - down + height, reach - right : reach - right + width]

    def _speckle(self, sar: Tensor) -> Tensor:
        spread = self._between(0, self._recipe.speckle)
        if spread < 0.01:
            return sar
        shape = torch.full_like(sar, spread**-2)
        noise = torch._standard_gamma(shape, generator=self._random) / shape
        return torch.where(sar == 0, sar, (sar + 1) * noise - 1)

    def _drop(self, example: Example) -> Example:
        """Now and then a sensor is missing, never both."""
        chance = self._between(0, 1)
        if chance < self._recipe.drop_optical:
            return replace(example, optical=torch.zeros_like(example.optical))
        if chance > 1 - self._recipe.drop_sar:
            return replace(example, sar=torch.zeros_like(example.sar))
        return example
