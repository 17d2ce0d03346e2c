"""Two maps of one scene become one: F2Net's HFF, and the plain ways that the paper compares it to."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from rsfuse_models.layers.heads import resize

Fusion = Literal["hff", "concat", "add"]


class ChannelAttention(nn.Module):
    """Weights in (0, 1) for the channels of a map, from their means: A = sigmoid(MLP(GAP F)).

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.perceptron = _perceptron(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C)."""
        weights: Tensor = self.perceptron(features.mean((-2, -1))).sigmoid()
        return weights


class HybridFusion(nn.Module):
    """HFF: how the channels of two maps go together decides what each gives (arXiv 2506.07847, section on HFF).

    A_a and A_b are channel attentions, M = sigmoid(A_a A_b^T) relates each channel of one to each of the other;
    A~_a = sigmoid(q_a(M) + A_a) with a small network q_a that reads the rows of M, A~_b likewise from its columns; the
    result is Conv1x1(A~_a F_a) + Conv1x1(A~_b F_b).

    Args:
        channels_a: C_a.
        channels_b: C_b.
        channels: C of the result; the paper does not say.
    """

    def __init__(self, channels_a: int, channels_b: int, channels: int) -> None:
        super().__init__()
        self.attention_a, self.attention_b = ChannelAttention(channels_a), ChannelAttention(channels_b)
        self.query_a, self.query_b = _query(channels_b), _query(channels_a)
        self.mix_a, self.mix_b = nn.Conv2d(channels_a, channels, 1), nn.Conv2d(channels_b, channels, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, C_a, H, W) and (B, C_b, h, w), resized to the first, to (B, C, H, W)."""
        b = resize(b, a.shape[-2:])
        own_a, own_b = self.attention_a(a), self.attention_b(b)
        both = (own_a[:, :, None] * own_b[:, None]).sigmoid()  # M, (B, C_a, C_b)
        weight_a = (self.query_a(both).squeeze(-1) + own_a).sigmoid()
        weight_b = (self.query_b(both.transpose(1, 2)).squeeze(-1) + own_b).sigmoid()
        fused: Tensor = self.mix_a(a * weight_a[..., None, None]) + self.mix_b(b * weight_b[..., None, None])
        return fused


class PlainFusion(nn.Module):
    """Concatenate two maps and project, or project each and add.

    A convolution of a concatenation is a sum of convolutions. So that the two differ, adding projects only the map
    whose channels do not fit (ours: the paper does not say how its maps are made to fit).

    Args:
        channels_a: C_a.
        channels_b: C_b.
        channels: C of the result.
        fusion: "concat" or "add".
    """

    def __init__(self, channels_a: int, channels_b: int, channels: int, *, fusion: Literal["concat", "add"]) -> None:
        super().__init__()
        self.concatenates = fusion == "concat"
        if self.concatenates:
            self.mix: nn.Module = nn.Conv2d(channels_a + channels_b, channels, 1)
        else:
            self.fit_a, self.fit_b = _fit(channels_a, channels), _fit(channels_b, channels)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, C_a, H, W) and (B, C_b, h, w), resized to the first, to (B, C, H, W)."""
        b = resize(b, a.shape[-2:])
        fused: Tensor = self.mix(torch.cat([a, b], dim=1)) if self.concatenates else self.fit_a(a) + self.fit_b(b)
        return fused


def build_fusion(fusion: Fusion, channels_a: int, channels_b: int, channels: int) -> nn.Module:
    """The fusion of that name.

    Raises:
        ValueError: if no fusion has it.
    """
    if fusion == "hff":
        return HybridFusion(channels_a, channels_b, channels)
    if fusion not in ("concat", "add"):
        raise ValueError(f"no fusion is called {fusion!r}; choose one of hff, concat, add")
    return PlainFusion(channels_a, channels_b, channels, fusion=fusion)


def _perceptron(channels_in: int, channels_out: int) -> nn.Sequential:
    hidden = max(channels_in // 4, 8)
    return nn.Sequential(nn.Linear(channels_in, hidden), nn.ReLU(), nn.Linear(hidden, channels_out))


def _query(channels: int) -> nn.Sequential:
    """q: the rows of M lie near 0.56 all over, so a hidden unit is on for all rows or for none; begin with all on."""
    query = _perceptron(channels, 1)
    nn.init.ones_(query.get_parameter("0.bias"))
    return query


def _fit(channels_in: int, channels: int) -> nn.Module:
    return nn.Identity() if channels_in == channels else nn.Conv2d(channels_in, channels, 1)
