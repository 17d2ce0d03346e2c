"""The contract of every pan-sharpening network: what goes in, what comes out, and how sizes are made to fit."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from torch import Tensor, nn

from rsfuse_models.layers.padding import missing, pad_edge


class SharpeningNetwork(nn.Module, ABC):
    """A network from a panchromatic image and a coarser multispectral one to the multispectral one on the fine grid.

    A subclass writes `sharpen` for panchromatic sides that divide by `multiple`. Callers use `forward`, which takes
    any side: it pads both images below and to the right with the edge pixel, by whole multispectral pixels, so that
    they stay aligned, and crops the result.

    Args:
        bands: B, of the multispectral image.
        ratio: r, panchromatic pixels along the side of a multispectral one; 1 where both have one grid already.
        multiple: what H and W of `sharpen` divide by.

    Raises:
        ValueError: if bands, ratio or multiple is below 1.
    """

    def __init__(self, *, bands: int, ratio: int, multiple: int) -> None:
        if min(bands, ratio, multiple) < 1:
            raise ValueError(f"bands {bands}, ratio {ratio} and multiple {multiple} must be at least 1")
        super().__init__()
        self.bands = bands
        self.ratio = ratio
        self.multiple = multiple

    @abstractmethod
    def sharpen(self, pan: Tensor, ms: Tensor) -> Tensor:
        """Sharpened (B, bands, H, W), alike in training and evaluation mode; H and W divide by `multiple`."""

    def forward(self, pan: Tensor, ms: Tensor) -> Tensor:
        """Sharpen one batch.

        Args:
            pan: (B, 1, H, W), in the unit of `ms`: the digital numbers over the sensor's largest one.
            ms: (B, bands, H / ratio, W / ratio); its upper left corner is that of `pan`.

        Returns:
            (B, bands, H, W), in the same unit, not clipped.

        Raises:
            ValueError: if the channels, the batches or the sizes do not fit.
        """
        self._check(pan, ms)
        step = self.multiple // math.gcd(self.multiple, self.ratio)  # in multispectral pixels
        below, right = (missing(side, step) for side in ms.shape[-2:])
        sharp = self.sharpen(pad_edge(pan, below * self.ratio, right * self.ratio), pad_edge(ms, below, right))
        return sharp[..., : pan.shape[-2], : pan.shape[-1]]

    def _check(self, pan: Tensor, ms: Tensor) -> None:
        if (pan.shape[1], ms.shape[1]) != (1, self.bands):
            raise ValueError(
                f"panchromatic and multispectral image have {pan.shape[1]} and {ms.shape[1]} channels; "
                f"this network takes 1 and {self.bands}"
            )
        if pan.shape[0] != ms.shape[0]:
            raise ValueError(f"{pan.shape[0]} panchromatic and {ms.shape[0]} multispectral images; they go in pairs")
        (height, width), (rows, columns) = pan.shape[-2:], ms.shape[-2:]
        if (height, width) != (rows * self.ratio, columns * self.ratio):
            raise ValueError(
                f"the panchromatic image is {height} x {width}, the multispectral one {rows} x {columns}; "
                f"at ratio {self.ratio} it must be {rows * self.ratio} x {columns * self.ratio}"
            )
