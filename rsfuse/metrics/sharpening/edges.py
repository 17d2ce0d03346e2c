"""SCC: whether the edges of a sharpened image are those of its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats, ratio
from rsfuse.metrics.sharpening.images import Image, Mask, check_alike

_PART = 16_384  # pixels that are worked on together: what they take stays in the caches of a core


@dataclass(frozen=True)
class EdgeAgreement:
    """Sums over the gradients of two images: g of the reference, h of the sharpened image.

    A gradient is the length of both differences of Sobel in the 3 x 3 px around a pixel. The outermost pixels have
    none, so those of strips that overlap by two rows add up to those of the whole image.

    Args:
        both: of g h, over all bands and pixels.
        reference: of g^2.
        sharp: of h^2.
    """

    both: float
    reference: float
    sharp: float

    @classmethod
    def empty(cls) -> EdgeAgreement:
        """Of no pixels."""
        return cls(0.0, 0.0, 0.0)

    @classmethod
    def of(cls, reference: Image, sharp: Image, valid: Mask | None = None) -> EdgeAgreement:
        """Compare two images, or strips of them with a row more above and below.

        Args:
            reference: (B, h, W), in any unit.
            sharp: (B, h, W), in the same.
            valid: (h, W); a gradient that needs a pixel that is not is left out.

        Raises:
            ValueError: if their shapes differ.
        """
        check_alike(reference, sharp)
        found = cls.empty()
        height, width = reference.shape[1:]
        if min(height, width) < 3:
            return found
        windows = None if valid is None else np.lib.stride_tricks.sliding_window_view(valid, (3, 3))
        kept = None if windows is None else np.asarray(windows.all((2, 3)))
        rows = max(_PART // width, 1)
        for top in range(0, height - 2, rows):
            for wanted, made in zip(reference, sharp, strict=True):
                # squared lengths, for the root of a square is exact: so images that are the same have exactly 1
                g, h = (_squared_gradients(each[top : top + rows + 2].astype(np.float64)) for each in (wanted, made))
                if kept is not None:
                    g, h = (each[kept[top : top + rows]] for each in (g, h))
                found += cls(float(np.sqrt(g * h).sum()), float(g.sum()), float(h.sum()))
        return found

    def __add__(self, other: EdgeAgreement) -> EdgeAgreement:
        return EdgeAgreement(self.both + other.both, self.reference + other.reference, self.sharp + other.sharp)

    @property
    def scc(self) -> float:
        """Spatial correlation: sum g h / sqrt(sum g^2 sum h^2), 1 at best; NaN where either image is flat.

        After J. Zhou et al. (International Journal of Remote Sensing 19 (1998) 743-757), with Sobel's filter for
        Laplace's and without taking means off, as the toolbox of Vivone et al. (2015, 2021) has it. The toolbox takes a
        pixel off each side and puts zeros around, so that the frame of an image counts as a strong edge: its figures
        differ, the more the smaller the image. `of` gives the same figures for images to which the same was done.
        """
        return ratio(self.both, math.sqrt(self.reference * self.sharp))


def _squared_gradients(band: Floats) -> Floats:
    """(h - 2, w - 2) squared lengths of the gradients of a band."""
    smooth = band[:, :-2] + 2 * band[:, 1:-1] + band[:, 2:]
    down = smooth[2:] - smooth[:-2]
    smooth = band[:-2] + 2 * band[1:-1] + band[2:]
    across = smooth[:, 2:] - smooth[:, :-2]
    return np.asarray(down**2 + across**2)
