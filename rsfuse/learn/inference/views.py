"""Test-time augmentation: ways to look at a patch, each of which gives its scores back on the patch as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.land_cover import BundleManifest
from rsfuse.learn.inference.arrays import Array, Arrays
from rsfuse.learn.recipes.inputs import Inputs, PercentileScaling

Look = Literal["flips", "turns", "scales", "anchors"]

SCALES = (0.75, 1.0, 1.25)
ANCHORS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""How far the anchor of the scaling is moved, in units of how far it was moved in training."""


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

    def of(self, pixels: Array, arrays: Arrays) -> Array:
        """Pixels (B, C, h, w) as they are seen."""
        flipped = arrays.flipped(pixels) if self.flip else pixels
        seen = arrays.turned(flipped, self.turns) if self.turns else flipped
        height, width = seen.shape[-2:]
        if self.scale == 1 or 0 in seen.shape:
            return seen
        size = max(round(height * self.scale), 1), max(round(width * self.scale), 1)
        return arrays.resized(seen, size, antialias=self.scale < 1)

    def undone(self, scores: Array, size: tuple[int, int], arrays: Arrays) -> Array:
        """Scores (B, K, h', w') of what was seen, as scores (B, K, h, w) of the patch.

        Args:
            scores: of what `of` gave.
            size: height and width of the patch.
            arrays: what the scores are.
        """
        if self.scale != 1:
            upright = size if self.turns % 2 == 0 else size[::-1]
            scores = arrays.resized(scores, upright, antialias=self.scale > 1)
        back = arrays.turned(scores, -self.turns) if self.turns else scores
        return arrays.flipped(back) if self.flip else back


def views(looks: Sequence[Look]) -> list[View]:
    """Every combination of "flips" (two), "turns" (four) and "scales" (three); without any the patch as it is.

    "anchors" is no way to look at pixels that are scaled already, see `scalings`.
    """
    flips = (False, True) if "flips" in looks else (False,)
    turns = range(4) if "turns" in looks else (0,)
    scales = SCALES if "scales" in looks else (1.0,)
    return [View(*each) for each in product(flips, turns, scales)]


def scalings(manifest: BundleManifest, looks: Sequence[Look]) -> list[Inputs]:
    """The inputs of a bundle, under each of the scalings that "anchors" asks for.

    A network that was trained with moved anchors is sure of none of them, since which percentile is dark water in one
    scene and dark trees in another nobody knows. Their mean is surer than each.

    Raises:
        BundleError: if it was trained with one anchor alone.
    """
    if "anchors" not in looks:
        return [manifest.inputs]
    scaling = manifest.inputs.scaling
    if manifest.anchor == 0 or not isinstance(scaling, PercentileScaling):
        raise BundleError(
            "a bundle that was trained with one anchor of its scaling cannot look at a scene with several",
            hint="leave out --tta anchors, or choose a bundle trained with augmentation.anchor",
        )
    moved = {min(max(scaling.toward_median + each * manifest.anchor, 0.0), 1.0) for each in ANCHORS}
    each = [scaling.model_copy(update={"toward_median": share}) for share in sorted(moved)]
    return [manifest.inputs.model_copy(update={"scaling": one}) for one in each]
