"""Weights of a first convolution for another number of channels."""

from __future__ import annotations

from torch import Tensor


def adapt_first(weight: Tensor, channels: int) -> Tensor:
    """The first convolution for another number of channels.

    As many channels as before keep their filters. Other numbers all take the mean filter, scaled so that a grey image
    gets the same response: of three, by 3 / channels. For one channel that equals feeding it as red, green and blue
    alike. (timm repeats red, green and blue instead, which would give a SAR image of two bands the filters of red and
    green.)

    Args:
        weight: (F, C, h, w).
        channels: wanted in place of C.
    """
    if channels == weight.shape[1]:
        return weight
    mean = weight.mean(dim=1, keepdim=True)
    return mean.expand(-1, channels, -1, -1).clone() * (weight.shape[1] / channels)
