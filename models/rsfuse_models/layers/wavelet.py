"""Haar wavelets as plain tensor arithmetic, and other wavelets through pytorch_wavelets.

One level of the orthonormal Haar transform of a block [[a, b], [c, d]] (a, b the upper row):
LL = (a + b + c + d) / 2, LH = (a + b - c - d) / 2 (rows differ), HL = (a - b + c - d) / 2 (columns differ),
HH = (a - b - c + d) / 2. Names and signs are those of PyWavelets' (cH, cV, cD) for LH, HL, HH.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def haar(image: Tensor) -> Tensor:
    """One level of the Haar transform.

    Args:
        image: (B, C, H, W).

    Returns:
        (B, 4 C, H / 2, W / 2): LL of all channels, then LH, HL and HH. The energy is that of the image.

    Raises:
        ValueError: if H or W is odd.
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f"a map of {height} x {width} has no halves; pad it to even sides")
    a, b = image[..., ::2, ::2], image[..., ::2, 1::2]
    c, d = image[..., 1::2, ::2], image[..., 1::2, 1::2]
    top, bottom, rise, fall = a + b, c + d, a - b, c - d
    return torch.cat([top + bottom, top - bottom, rise + fall, rise - fall], dim=1) / 2


def inverse_haar(bands: Tensor) -> Tensor:
    """The image of its Haar bands: (B, 4 C, H, W) in the order of `haar` to (B, C, 2 H, 2 W).

    Raises:
        ValueError: if the channels are not four of each.
    """
    if bands.shape[1] % 4:
        raise ValueError(f"{bands.shape[1]} channels are not LL, LH, HL and HH of as many each")
    low, rows, columns, both = bands.chunk(4, dim=1)
    upper = torch.stack([low + rows + columns + both, low + rows - columns - both], dim=-1)
    lower = torch.stack([low - rows + columns - both, low - rows - columns + both], dim=-1)
    image = torch.stack([upper, lower], dim=-3) / 2  # (B, C, H, 2, W, 2)
    return image.flatten(-2).flatten(-3, -2)


def high_frequency(image: Tensor) -> Tensor:
    """What is left of an image without the approximation of one Haar level, at full size; (B, C, H, W) to the same."""
    return image - low_frequency(image)


def low_frequency(image: Tensor) -> Tensor:
    """The approximation of one Haar level alone, at full size.

    It inverts to the means of 2 x 2 blocks, so no transform is needed. An odd side is continued by its last pixel, and
    cropped again.

    Args:
        image: (B, C, H, W).

    Returns:
        (B, C, H, W).
    """
    return _like(F.interpolate(F.avg_pool2d(_even(image), 2), scale_factor=2.0), image)


class HighFrequency(nn.Module):
    """`high_frequency` for any wavelet; others than Haar run through pytorch_wavelets, in float32.

    Args:
        wavelet: a name that PyWavelets knows, such as "haar" or "db2".

    Raises:
        ValueError: if no wavelet has this name.
    """

    def __init__(self, wavelet: str) -> None:
        super().__init__()
        self.transforms = nn.ModuleList()
        if wavelet != "haar":
            from pytorch_wavelets import DWTForward, DWTInverse  # slow to import, and for the seldom case only

            try:
                self.transforms.append(DWTForward(J=1, wave=wavelet, mode="symmetric"))
            except ValueError as error:
                raise ValueError(f"no wavelet is called {wavelet!r}: {error}") from error
            self.transforms.append(DWTInverse(wave=wavelet, mode="symmetric"))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        if not self.transforms:
            return high_frequency(image)
        forward, inverse = self.transforms
        with torch.autocast(image.device.type, enabled=False):
            approximation, details = forward(_even(image).float())
            high: Tensor = inverse((torch.zeros_like(approximation), details))
        return _like(high, image)


def _even(image: Tensor) -> Tensor:
    """The image with even sides, continued by its last pixels."""
    below, right = (side % 2 for side in image.shape[-2:])
    return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image


def _like(larger: Tensor, image: Tensor) -> Tensor:
    return larger[..., : image.shape[-2], : image.shape[-1]]
