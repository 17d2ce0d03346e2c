"""The long-range branch of F2Net: a small vision transformer (ViT, arXiv 2010.11929) without a class token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 8  # pixels, side
GRID = 64  # positions per side that are learnt
EXPANSION = 4  # hidden channels of the perceptron over its channels


class Attention(nn.Module):
    """Every token looks at every other one (arXiv 1706.03762, section 3.2).

    By torch's fused attention, which never holds the L x L weights; its time grows with L^2 all the same.

    Args:
        dim: C.
        heads: of C / heads channels each.

    Raises:
        ValueError: if C does not divide into the heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels do not divide into {heads} heads")
        self.heads = heads
        self.project_in, self.project_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix (B, L, C)."""
        query, key, value = self.project_in(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)  # (B, heads, L, C / heads)
        result: Tensor = self.project_out(mixed.transpose(1, 2).flatten(2))
        return result


class TransformerBlock(nn.Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)).

    Args:
        dim: C.
        heads: of the attention.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, EXPANSION * dim), nn.GELU(), nn.Linear(EXPANSION * dim, dim)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Refine (B, L, C)."""
        tokens = tokens + self.attention(tokens)
        refined: Tensor = tokens + self.perceptron(tokens)
        return refined


class ViTBranch(nn.Module):
    """Patches of 8 x 8 pixels through transformer blocks, back to a map; the norm at its end is the caller's.

    Args:
        channels_in: D, channels of the low-frequency map.
        layers: blocks.
        dim: C.
        heads: of the attention.

    Raises:
        ValueError: if C does not divide into the heads.
    """

    def __init__(self, channels_in: int, *, layers: int = 6, dim: int = 192, heads: int = 3) -> None:
        super().__init__()
        self.channels, self.stride = dim, PATCH
        self.embedding = nn.Conv2d(channels_in, dim, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.empty(1, dim, GRID, GRID))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads) for _ in range(layers)))
        self.apply(_initialise)

    def forward(self, low: Tensor) -> Tensor:
        """(B, D, h, w), sides that divide by 8, to (B, C, h / 8, w / 8)."""
        patches = self.embedding(low)
        size = patches.shape[-2:]
        tokens = patches + self._positions(size[0], size[1])
        result: Tensor = self.blocks(tokens.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, size)
        return result

    def _positions(self, height: int, width: int) -> Tensor:
        """The grid of positions at the size of the map, bicubic."""
        if (height, width) == (GRID, GRID):
            return self.positions
        return F.interpolate(self.positions, size=(height, width), mode="bicubic", align_corners=False)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
