"""Crops: which part of a tile a sample shows, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from rsfuse.learn.augment.chance import below, between
from rsfuse.learn.augment.example import Optical, Sar, has_data
from rsfuse.learn.augment.variation import Variation
from rsfuse.legend import NODATA

_REDRAWS = 10
_LOOKS = 4
"""Places that are looked at for a class that a crop should show."""


@dataclass(frozen=True)
class Cut:
    """A part of a tile that becomes a crop.

    Args:
        window: in the tile's pixels, inside it.
        side: of the square that was to be read; the window is smaller where the tile is.
    """

    window: Window
    side: int


@dataclass(frozen=True)
class Cropping:
    """How crops are drawn.

    Args:
        crop: side of a crop in pixels.
        scale: the crop shows things larger by a factor drawn evenly between these.
        category_limit: places are drawn again, up to ten times, while one class has a larger share of the labels
            than this, or there are none; 1 for never. The last one stays.
    """

    crop: int
    scale: tuple[float, float] = (1.0, 1.0)
    category_limit: float = 1.0

    def draw(self, labels: NDArray[np.uint8], wanted: int | None = None) -> Cut:
        """A part of a tile.

        Args:
            labels: of the whole tile, (h, w) indices of classes, 255 for none.
            wanted: the class that the crop should show: of several places, that with most of it. None for any.
        """
        side = max(round(self.crop / between(*self.scale)), 1)
        if wanted is None:
            return Cut(self._place(labels, side), side)
        places = [self._place(labels, side) for _ in range(_LOOKS)]
        shown = [np.count_nonzero(labels[place.toslices()] == wanted) for place in places]
        return Cut(places[int(np.argmax(shown))], side)

    def _place(self, labels: NDArray[np.uint8], side: int) -> Window:
        height, width = (min(side, length) for length in labels.shape)
        for _ in range(1 + _REDRAWS):
            top, left = below(labels.shape[0] - height + 1), below(labels.shape[1] - width + 1)
            place = Window(left, top, width, height)
            if self.category_limit == 1 or _largest_share(labels[place.toslices()]) <= self.category_limit:
                break
        return place


class ToCrop(Variation):
    """Brings what a `Cut` has read to the side of a crop: bilinear for images, the nearest one for labels.

    Where the tile was smaller than the cut, the rest is no data, below and to the right.

    Args:
        crop: side of the crop in pixels.
        side: of the cut.
    """

    _transformed_types = (Optical, Sar, tv_tensors.Mask)

    def __init__(self, crop: int, side: int) -> None:
        super().__init__()
        self._crop, self._side = crop, side

    def vary(self, image: Tensor, params: dict[str, Any]) -> Tensor:
        """The image, (C, crop, crop) or (crop, crop)."""
        height, width = (max(round(length * self._crop / self._side), 1) for length in image.shape[-2:])
        labels = image.ndim == 2
        sized = nearest(image[None], (height, width)) if labels else bilinear(image, (height, width))
        margin = [0, 0, self._crop - width, self._crop - height]
        padded: Tensor = functional.pad(sized, margin, fill=NODATA if labels else 0) if any(margin) else sized
        return padded[0] if labels else padded


def nearest(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, h, w) brought to a size, each pixel that of the nearest centre.

    The plain "nearest" of torchvision, which it takes for masks, lies half a pixel off from "bilinear".
    """
    sized: Tensor = functional.resize_image(image, list(size), InterpolationMode.NEAREST_EXACT)
    return sized


def bilinear(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A scaled image (C, h, w) brought to a size; what has no data, all bands 0, stays so and is mixed into nothing.

    Without anti-aliasing, as the published recipes have it, down to half the size: so far no pixel is passed over.
    """
    antialias = 2 * size[0] < image.shape[-2] or 2 * size[1] < image.shape[-1]

    def resize(each: Tensor) -> Tensor:
        sized: Tensor = functional.resize_image(each, list(size), antialias=antialias)
        return sized

    known = has_data(image)
    if tuple(image.shape[-2:]) == size or known.all():
        return resize(image)
    share = resize(known.float()).clamp(min=1e-6)
    return torch.where(nearest(known.byte(), size).bool(), resize(image) / share, 0)


def _largest_share(labels: NDArray[np.uint8]) -> float:
    """Of one class among the labelled pixels; above 1 where none is labelled."""
    counts = np.bincount(labels.ravel(), minlength=NODATA + 1)[:NODATA]
    return float(counts.max() / counts.sum()) if counts.any() else np.inf
