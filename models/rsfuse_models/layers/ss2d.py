"""SS2D: a sequence model looks at a map along four paths (VMamba, arXiv 2401.10166; here with Mamba-2 scans).

The paths are row by row, column by column, and both from the end. Each has a scan of its own (`layers/ssd.py`), and
at every place the four answers are added. Maps are (B, H, W, C) here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rsfuse_models.layers.precision import at_least_float32
from rsfuse_models.layers.ssd import ssd

DIRECTIONS = 4  # rows, columns, rows from the end, columns from the end
HEAD = 16  # channels per head at most
# chunks held at the same time: on a CPU few enough to stay in its cache, elsewhere enough to be worth a launch
BLOCK_CPU, BLOCK_ELSEWHERE = 16, 256


class SelectiveScan(nn.Module):
    """The Mamba-2 scan along one path; step, entry and reading of each token depend on the token.

    As in VMamba's Mamba-2 form: R = ceil(C / 16) heads of C / R channels, one scalar decay per head, b and c shared by
    the heads, dt = softplus(projection + bias), and a skip d x. At the start the decay is exp(-dt), d is 1 and the bias
    of dt lies between 0 and 0.1.

    Args:
        channels: C.
        state: N, size of the state per channel.
        chunk: Q of `ssd`.

    Raises:
        ValueError: if C does not divide into its heads.
    """

    def __init__(self, channels: int, *, state: int, chunk: int) -> None:
        super().__init__()
        self.heads, self.states = math.ceil(channels / HEAD), state
        if channels % self.heads:
            raise ValueError(f"{channels} channels do not divide into {self.heads} heads of {HEAD} at most")
        self.chunk = chunk
        self.project = nn.Linear(channels, self.heads + 2 * state, bias=False)
        self.log_rate = nn.Parameter(torch.zeros(self.heads))  # a = -exp of it
        self.step_bias = nn.Parameter(0.1 * torch.rand(self.heads))
        self.skip = nn.Parameter(torch.ones(channels))

    def forward(
        self, sequence: Tensor, state: Tensor | None = None, *, block: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scan a sequence, or a part that goes on from a state.

        Args:
            sequence: (B, L, C).
            state: (B, R, N, C / R) before its first token; None for 0.
            block: chunks held at the same time; None for all.

        Returns:
            (B, L, C) in float32 at least, and the state after the last token.
        """
        weight = self.project.weight
        maps = F.linear(sequence, weight[self.heads :])
        with torch.autocast(sequence.device.type, enabled=False):
            x = at_least_float32(sequence)
            # not in half precision, as b and c may be: the steps are summed up over the path, their errors too
            dt = F.softplus(F.linear(x, weight[: self.heads].to(x.dtype)) + self.step_bias)
            b, c = maps.to(x.dtype).chunk(2, dim=-1)
            heads = torch.unflatten(x, 2, (self.heads, -1))
            y, state = ssd(heads, dt, -self.log_rate.exp(), b, c, chunk=self.chunk, block=block, state=state)
            return y.flatten(2) + self.skip * x, state


class SS2D(nn.Module):
    """Mix a map over its places: convolution, four scans, their sum ("m0_noz": Mamba-2, without a gate).

    Linear, 3 x 3 depthwise convolution, GELU, four scans, LayerNorm, Linear. The directions run one after the other,
    each over a few lines at a time with its state carried on; lines padded to whole chunks change nothing. So no more
    than one path and one set of scan matrices exists at a time.

    Args:
        channels: C.
        state: N, size of the state per channel.
        chunk: tokens that meet in one matrix.
        block: chunks held at the same time; None for what suits the device.

    Raises:
        ValueError: if C does not divide into its heads.
    """

    def __init__(self, channels: int, *, state: int = 64, chunk: int = 64, block: int | None = None) -> None:
        super().__init__()
        self.chunk, self.block = chunk, block
        self.project_in = nn.Linear(channels, channels, bias=False)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.scans = nn.ModuleList(SelectiveScan(channels, state=state, chunk=chunk) for _ in range(DIRECTIONS))
        self.norm = nn.LayerNorm(channels)
        self.project_out = nn.Linear(channels, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Mix (B, H, W, C)."""
        x = self.project_in(features).permute(0, 3, 1, 2)
        x = F.gelu(self.convolution(x)).permute(0, 2, 3, 1)
        mixed: Tensor = self.project_out(self.norm(self.scan(x)))
        return mixed

    def scan(self, features: Tensor) -> Tensor:
        """Sum of the four scans of (B, H, W, C), in float32 at least."""
        merged = self._along(features, 0)
        for direction in range(1, DIRECTIONS):
            merged = merged + self._along(features, direction)
        return merged

    def _along(self, features: Tensor, direction: int) -> Tensor:
        """The scan along one path, as a map (B, H, W, C)."""
        columns, backward = _path(direction)
        parts = list(self._strips(features.transpose(1, 2) if columns else features, direction))
        lines = torch.cat(parts[::-1] if backward else parts, dim=1)
        return lines.transpose(1, 2) if columns else lines

    def _strips(self, lines: Tensor, direction: int) -> Iterator[Tensor]:
        """A few lines (B, n, W, C) at a time, in the order of the path, the state carried on."""
        count, length = lines.shape[1:3]
        block = self.block or (BLOCK_CPU if lines.device.type == "cpu" else BLOCK_ELSEWHERE)
        rows = max(self.chunk * block // length, 1)
        starts = range(0, count, rows)
        _, backward = _path(direction)
        state = None
        for start in reversed(starts) if backward else starts:
            strip = lines[:, start : start + rows]
            sequence = strip.flatten(1, 2)
            y, state = self.scans[direction](sequence.flip(1) if backward else sequence, state, block=block)
            yield torch.unflatten(y.flip(1) if backward else y, 1, strip.shape[1:3])


def _path(direction: int) -> tuple[bool, bool]:
    """Whether a path runs along columns, and whether from the end."""
    return direction % 2 == 1, direction >= 2
