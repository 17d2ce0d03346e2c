"""The long-range branch of F2Net: a small vision transformer (ViT, arXiv 2010.11929) without a class token.

Tokens are maps (B, H, W, C): where there are too many of them to be looked at, it matters which lie side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.cells import mean_cells

PATCH = 8  # pixels, side
GRID = 64  # positions per side that are learnt
EXPANSION = 4  # hidden channels of the perceptron over its channels


class Attention(nn.Module):
    """Every token looks at every other one (arXiv 1706.03762, section 3.2), or at averages where they are many.

    A side of more than `keys` tokens is averaged to `keys` before it becomes keys and values (our reconstruction). No
    place is left out, and the time is linear in the tokens from there on; without a limit it grows with their square.
    By torch's fused attention, which never holds the weights of all pairs.

    Args:
        dim: C.
        heads: of C / heads channels each.
        keys: k, the most tokens of a side that are looked at; None for no limit.

    Raises:
        ValueError: if C does not divide into the heads or `keys` is below 1.
    """

    def __init__(self, dim: int, heads: int, *, keys: int | None = None) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels do not divide into {heads} heads")
        if keys is not None and keys < 1:
            raise ValueError(f"{keys} keys a side leave nothing to look at")
        self.heads, self.keys = heads, keys
        self.project_in, self.project_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix (B, H, W, C)."""
        seen = self._seen(tokens)
        if seen is tokens:
            query, key, value = self._heads(self.project_in(tokens), 3)
        else:  # a mean of projections is the projection of a mean: averaging first has fewer to project
            dim = tokens.shape[-1]
            weight, bias = self.project_in.weight, self.project_in.bias
            (query,) = self._heads(F.linear(tokens, weight[:dim], bias[:dim]), 1)
            key, value = self._heads(F.linear(seen, weight[dim:], bias[dim:]), 2)
        mixed = F.scaled_dot_product_attention(query, key, value)  # (B, heads, H W, C / heads)
        result: Tensor = self.project_out(mixed.transpose(1, 2).flatten(2))
        return torch.unflatten(result, 1, tokens.shape[1:3])

    def _seen(self, tokens: Tensor) -> Tensor:
        """What the tokens look at: themselves, or (B, min(H, k), min(W, k), C) means."""
        height, width = tokens.shape[1:3]
        if self.keys is None or max(height, width) <= self.keys:
            return tokens
        size = min(height, self.keys), min(width, self.keys)
        return mean_cells(tokens.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)

    def _heads(self, projected: Tensor, parts: int) -> Tensor:
        """(B, H, W, parts C) to (parts, B, heads, H W, C / heads)."""
        return torch.unflatten(projected.flatten(1, 2), 2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)


class TransformerBlock(nn.Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)).

    Args:
        dim: C.
        heads: of the attention.
        keys: the most tokens of a side that are looked at; None for no limit.
    """

    def __init__(self, dim: int, heads: int, *, keys: int | None = None) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads, keys=keys))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, EXPANSION * dim), nn.GELU(), nn.Linear(EXPANSION * dim, dim)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Refine (B, H, W, C)."""
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
        keys: the most tokens of a side that are looked at, from there on by averages; None for no limit.

    Raises:
        ValueError: if C does not divide into the heads or `keys` is below 1.
    """

    def __init__(
        self, channels_in: int, *, layers: int = 6, dim: int = 192, heads: int = 3, keys: int | None = GRID
    ) -> None:
        super().__init__()
        self.channels, self.stride = dim, PATCH
        self.embedding = nn.Conv2d(channels_in, dim, PATCH, stride=PATCH)
        self.positions = nn.Parameter(torch.empty(1, dim, GRID, GRID))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(*(TransformerBlock(dim, heads, keys=keys) for _ in range(layers)))
        self.apply(_initialise)

    def forward(self, low: Tensor) -> Tensor:
        """(B, D, h, w), sides that divide by 8, to (B, C, h / 8, w / 8)."""
        patches = self.embedding(low)
        tokens = patches + self._positions(patches.shape[-2], patches.shape[-1])
        result: Tensor = self.blocks(tokens.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
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
