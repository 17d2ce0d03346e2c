"""All that is summed over a sharpened image and its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.sharpening.edges import EdgeAgreement
from rsfuse.metrics.sharpening.fidelity import Fidelity
from rsfuse.metrics.sharpening.images import Image, Mask
from rsfuse.metrics.sharpening.q2n import Q2n
from rsfuse.metrics.sharpening.uiqi import BandFidelity


@dataclass(frozen=True)
class Agreement:
    """Sums over the pixels, edges and blocks of an image; those of parts add up to those of the whole.

    Args:
        fidelity: by pixels.
        edges: by their neighbours.
        q2n: by blocks, of all bands together.
        bands: by blocks, of each band.
        highest: number of the reference.
    """

    fidelity: Fidelity
    edges: EdgeAgreement
    q2n: Q2n
    bands: BandFidelity
    highest: float

    @classmethod
    def empty(cls, bands: int) -> Agreement:
        """Of no pixels."""
        return cls(Fidelity.empty(bands), EdgeAgreement.empty(), Q2n.empty(), BandFidelity.empty(bands), -math.inf)

    @classmethod
    def of(cls, reference: Image, sharp: Image, valid: Mask, inner: tuple[slice, slice]) -> Agreement:
        """Compare two images, or parts of them with a pixel more on every side that has one.

        Args:
            reference: (B, h, w), in any unit.
            sharp: (B, h, w), in the same.
            valid: (h, w); a pixel that is not is left out, and a block in which there is one.
            inner: rows and columns without those around; as many as `block_strips` has it.

        Raises:
            ValueError: if their shapes differ.
        """
        if not valid.any():
            return cls.empty(len(reference))
        around = None if valid.all() else valid
        edges = EdgeAgreement.of(reference, sharp, around)
        one, other = (each[:, *inner] for each in (reference, sharp))
        known = None if around is None else around[inner]
        counted = one if known is None else one[:, known]
        highest = float(counted.max()) if counted.size else -math.inf
        by_blocks = Q2n.of(one, other, known), BandFidelity.of(one, other, known)
        return cls(Fidelity.of(one, other, known), edges, *by_blocks, highest)

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.fidelity + other.fidelity,
            self.edges + other.edges,
            self.q2n + other.q2n,
            self.bands + other.bands,
            max(self.highest, other.highest),
        )

    @property
    def rmse(self) -> Floats:
        """(B,) root of the mean squared difference of each band; NaN without pixels."""
        return np.sqrt(self.fidelity.squares / (self.fidelity.pixels or np.nan))
