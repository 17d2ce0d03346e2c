"""An image taken apart into low and high frequencies at full size: F2Net's AFD, and a Laplacian pyramid to compare.

Both project the bands to D channels and give low and high with low + high = projection. Both can do so for a part of
the rows: what is `halo` rows away from a cut is exactly what the whole image would give.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.shares import shares

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # Burt and Adelson (1983), a = 3/8


class Frequencies(NamedTuple):
    """Two maps that add up to the projected image.

    Args:
        low: (B, D, H, W).
        high: (B, D, H, W).
    """

    low: Tensor
    high: Tensor


class AdaptiveDecomposition(nn.Module):
    """AFD: each place has its own low-pass filter, high is what that leaves (arXiv 2506.07847, section on AFD).

    X = Conv1x1(I); per group of channels W = softmax of a 3 x 3 convolution of the group, over the k^2 taps; low is X
    filtered by W, with zeros around the image; high = X - low, the identity kernel minus the low-pass.

    Args:
        channels_in: bands of the image.
        channels: D.
        groups: N; the channels of a group share their filters.
        kernel: k, odd.

    Raises:
        ValueError: if D does not divide by N, or k is even or below 1.
    """

    def __init__(self, channels_in: int, channels: int, *, groups: int = 8, kernel: int = 3) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"{channels} channels do not divide into {groups} groups")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"a kernel of {kernel} has no centre; take an odd one")
        self.groups, self.kernel = groups, kernel
        self.halo = max(kernel // 2, 1)  # rows, of the taps and of the convolution that makes them
        self.project = nn.Conv2d(channels_in, channels, 1)
        self.filters = nn.Conv2d(channels, groups * kernel**2, 3, padding=1, groups=groups)

    def forward(self, image: Tensor) -> Frequencies:
        """(B, C, H, W) to its low and high part, (B, D, H, W) each."""
        projected = self.project(image)
        weights = shares(torch.unflatten(self.filters(projected), 1, (self.groups, -1)), 2)  # (B, N, k^2, H, W)
        low = self._filter(projected, weights)
        return Frequencies(low, projected - low)

    def _filter(self, projected: Tensor, weights: Tensor) -> Tensor:
        height, width = projected.shape[-2:]
        values = torch.unflatten(projected.to(weights.dtype), 1, (self.groups, -1))  # weights may be wider: a softmax
        around = F.pad(values, [self.kernel // 2] * 4)
        low = torch.zeros_like(values)
        for tap in range(self.kernel**2):  # one after the other: k^2 shifted copies at once would be the largest tensor
            row, column = divmod(tap, self.kernel)
            low = torch.addcmul(low, weights[:, :, tap, None], around[..., row : row + height, column : column + width])
        return low.flatten(1, 2)


class LaplacianDecomposition(nn.Module):
    """One level of a Laplacian pyramid (Burt and Adelson, IEEE Trans. Commun. 1983) of the projected image.

    low = expand(reduce(X)) with the binomial filter 1 4 6 4 1, high = X - low. The paper's ablation names the pyramid
    and nothing more; one level and the edge pixel around the image are our reconstruction.

    Args:
        channels_in: bands of the image.
        channels: D.
    """

    binomial: Tensor

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.halo = 4  # rows: two of reduce, two of expand
        self.project = nn.Conv2d(channels_in, channels, 1)
        taps = torch.tensor(BINOMIAL)
        self.register_buffer("binomial", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, image: Tensor) -> Frequencies:
        """(B, C, H, W) to its low and high part, (B, D, H, W) each."""
        projected = self.project(image)
        low = self._expand(self._reduce(projected), (projected.shape[-2], projected.shape[-1]))
        return Frequencies(low, projected - low)

    def _reduce(self, features: Tensor) -> Tensor:
        """Blur and keep every other place: (B, D, H, W) to (B, D, ceil(H / 2), ceil(W / 2))."""
        kernel = self.binomial.to(features.dtype).expand(features.shape[1], -1, -1, -1)
        return F.conv2d(F.pad(features, [2] * 4, mode="replicate"), kernel, stride=2, groups=features.shape[1])

    def _expand(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Twice the size, and cropped to `size`: places between others become their weighted means."""
        kernel = 4 * self.binomial.to(features.dtype).expand(features.shape[1], -1, -1, -1)
        around = F.pad(features, [1] * 4, mode="replicate")
        # place j of the padded map lands at 2 j: the first of the map, j = 1, at 2 + 2 of the filter's reach
        large = F.conv_transpose2d(around, kernel, stride=2, groups=features.shape[1])
        return large[..., 4 : 4 + size[0], 4 : 4 + size[1]]
