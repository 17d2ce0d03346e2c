"""The high-frequency branch of F2Net: VMamba with Mamba-2 scans, on a map of full size (VMamba, arXiv 2401.10166).

Maps are (B, H, W, C) from the patch embedding on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from timm.layers.drop import DropPath
from torch import Tensor, nn

from rsfuse_models.layers.ss2d import SS2D, SelectiveScan

STRIDE = 4  # of the patch embedding, input pixels per place
EXPANSION = 4  # hidden channels of the perceptron over its channels


class Downsample(nn.Module):
    """Half the size: 3 x 3 convolution of stride 2, LayerNorm (VMamba's "v3").

    Args:
        channels_in: C.
        channels_out: C'.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(channels_out)

    def forward(self, features: Tensor) -> Tensor:
        """(B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), C')."""
        halved: Tensor = self.norm(self.convolution(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return halved


class PatchEmbedding(nn.Sequential):
    """A quarter of the size by two convolutions of stride 2, each normalised, GELU between (VMamba's "v2").

    An output row i reads input rows 4 i - 3 to 4 i + 3, and no more.

    Args:
        channels_in: C.
        channels: C' of the result; half of it in between.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(Downsample(channels_in, channels // 2), nn.GELU(), Downsample(channels // 2, channels))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) to (B, ceil(H / 4), ceil(W / 4), C')."""
        embedded: Tensor = image.permute(0, 2, 3, 1)
        for layer in self:
            embedded = layer(embedded)
        return embedded


class VSSBlock(nn.Module):
    """x + SS2D(LN(x)), then x + MLP(LN(x)).

    Args:
        channels: C.
        state: size of the scan's state.
        chunk: tokens that meet in one matrix of the scan.
        drop_path: chance of each residual to be skipped in training.
    """

    def __init__(self, channels: int, *, state: int, chunk: int, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mix = SS2D(channels, state=state, chunk=chunk)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, EXPANSION * channels),
            nn.GELU(),
            nn.Linear(EXPANSION * channels, channels),
        )
        self.drop_path = DropPath(drop_path)

    def forward(self, features: Tensor) -> Tensor:
        """Refine (B, H, W, C)."""
        features = features + self.drop_path(self.mix(self.norm(features)))
        refined: Tensor = features + self.drop_path(self.perceptron(features))
        return refined


class VSSBranch(nn.Module):
    """VMamba-Tiny-M2 with the widths of F2Net: stages of VSS blocks at strides 4, 8, 16 and 32, and no norm at the end.

    Args:
        channels_in: D, channels of the high-frequency map.
        depths: blocks of each stage.
        dims: channels of each stage.
        state: N of the scans.
        chunk: Q of the scans.
        drop_path: chance of the last block's residuals to be skipped in training, rising to it from 0 over the depth.

    Raises:
        ValueError: if there are not as many depths as dims, or none.
    """

    def __init__(
        self,
        channels_in: int,
        *,
        depths: Sequence[int] = (2, 2, 4, 2),
        dims: Sequence[int] = (64, 128, 256, 512),
        state: int = 64,
        chunk: int = 64,
        drop_path: float = 0.2,
    ) -> None:
        super().__init__()
        if not depths or len(depths) != len(dims):
            raise ValueError(f"{len(depths)} depths and {len(dims)} dims; each stage has one of both")
        rates = (drop_path * block / max(sum(depths) - 1, 1) for block in range(sum(depths)))
        self.channels, self.stride = dims[-1], STRIDE * 2 ** (len(dims) - 1)
        self.embedding = PatchEmbedding(channels_in, dims[0])
        self.stages = nn.ModuleList(
            nn.Sequential(*(VSSBlock(dim, state=state, chunk=chunk, drop_path=next(rates)) for _ in range(depth)))
            for depth, dim in zip(depths, dims, strict=True)
        )
        self.downsamples = nn.ModuleList(Downsample(*widths) for widths in pairwise(dims))
        self.apply(_initialise)

    def forward(self, embedded: Tensor) -> Tensor:
        """The embedded map (B, H / 4, W / 4, C_0), as `embedding` gives it, to (B, C_3, H / 32, W / 32)."""
        features = self.stages[0](embedded)
        for downsample, stage in zip(self.downsamples, self.stages[1:], strict=True):
            features = stage(downsample(features))
        result: Tensor = features.permute(0, 3, 1, 2)
        return result


def _initialise(module: nn.Module) -> None:
    """As VMamba: linear layers begin small (normal, 0.02), but those that steer a scan as torch makes them."""
    if isinstance(module, SelectiveScan):  # comes after its layer: or nothing would enter the scan for long
        module.project.reset_parameters()
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
