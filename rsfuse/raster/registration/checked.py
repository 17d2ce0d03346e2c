"""A pair that was looked at: the rasters, the shifts that were found, and what they say."""

from __future__ import annotations

from dataclasses import dataclass

from rsfuse.geometry.registration import Registration, Verdict
from rsfuse.raster.registration.overlay import Overlay


@dataclass(frozen=True)
class Checked:
    """One look at a pair.

    Args:
        overlay: the pair, still open.
        found: shifts of its tiles, in pixels of the overlay's grid.
        verdict: whether that passes.
    """

    overlay: Overlay
    found: Registration
    verdict: Verdict
