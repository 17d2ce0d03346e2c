"""Test-time augmentation: ways to look at a patch, each of which gives its scores back on the patch as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from torch import Tensor
from torch.nn.functional import interpolate

Look = Literal["flips", "turns", "scales"]

SCALES = (0.75, 1.0, 1.25)


@dataclass(frozen=True)
class View:
    """One way to look at a patch.

    Args:
        flip: left and right change sides.
        turns: quarter turns to the left, after that.
        scale: by which both sides grow, after that.
    """

    flip: bool = False
    turns: int = 0
    scale: float = 1.0

    def of(self, pixels: Tensor) -> Tensor:
        """Pixels (B, C, h, w) as they are seen."""
        seen = (pixels.flip(-1) if self.flip else pixels).rot90(self.turns, (-2, -1))
        if self.scale == 1 or not seen.numel():
            return seen
        height, width = (max(round(side * self.scale), 1) for side in seen.shape[-2:])
        return interpolate(seen, size=(height, width), mode="bilinear", align_corners=False, antialias=self.scale < 1)

    def undone(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        """Scores (B, K, h', w') of what was seen, as scores (B, K, h, w) of the patch.

        Args:
            scores: of what `of` gave.
            size: height and width of the patch.
        """
        if self.scale != 1:
            upright = size if self.turns % 2 == 0 else size[::-1]
            scores = interpolate(scores, size=upright, mode="bilinear", align_corners=False, antialias=self.scale > 1)
        back = scores.rot90(-self.turns, (-2, -1))
        return back.flip(-1) if self.flip else back


def views(looks: Sequence[Look]) -> list[View]:
    """Every combination of some ways to look: "flips" two, "turns" four, "scales" three; of none the patch as it is."""
    flips = (False, True) if "flips" in looks else (False,)
    turns = range(4) if "turns" in looks else (0,)
    scales = SCALES if "scales" in looks else (1.0,)
    return [View(*each) for each in product(flips, turns, scales)]
