"""UIQI: how alike bands are, every two of an image, or those of two images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.sharpening.blocks import block_rows
from rsfuse.metrics.sharpening.images import Image, Mask, check_alike


@dataclass(frozen=True)
class BandLikeness:
    """Sums over blocks of 32 x 32 px of the universal image quality index of every two bands.

    Those of strips add up to those of the whole image, see `block_strips`. Of a block of bands x and y:

        Q = 2 mean x mean y / (mean x^2 + mean y^2) * 2 cov(x, y) / (var x + var y)

    1 is ideal, -1 the worst. The first fraction is 1 where both means are 0, the second where both bands are flat.

    Z. Wang, A. C. Bovik: A universal image quality index. IEEE Signal Processing Letters 9 (2002) 81-84. They let the
    window slide by a pixel; blocks side by side are a habit of pan-sharpening (Vivone et al. 2015, 2021).

    Args:
        totals: (C, C) of every two bands.
        blocks: how many there are.
    """

    totals: Floats
    blocks: int

    @classmethod
    def empty(cls, bands: int) -> BandLikeness:
        """Of no blocks."""
        return cls(np.zeros((bands, bands)), 0)

    @classmethod
    def of(cls, images: Sequence[Image], valid: Mask | None = None) -> BandLikeness:
        """Compare all bands of some images with each other.

        Args:
            images: (B, h, W) each, C bands together, in the order in which they count; h as `block_strips` has it.
            valid: (h, W); a block with a pixel that is not is left out.
        """
        found = cls.empty(sum(map(len, images)))
        for parts in block_rows(*images, valid=valid):
            qualities = _qualities(np.concatenate(parts, 1))
            found += cls(qualities.sum(0), len(qualities))
        return found

    def __add__(self, other: BandLikeness) -> BandLikeness:
        return BandLikeness(self.totals + other.totals, self.blocks + other.blocks)

    @property
    def means(self) -> Floats:
        """(C, C) mean over blocks of every two bands; NaN without blocks."""
        return self.totals / (self.blocks or np.nan)


@dataclass(frozen=True)
class BandFidelity:
    """Likewise of each band of a sharpened image and the same band of its reference, and of no others.

    Args:
        totals: (B,).
        blocks: how many there are.
    """

    totals: Floats
    blocks: int

    @classmethod
    def empty(cls, bands: int) -> BandFidelity:
        """Of no blocks."""
        return cls(np.zeros(bands), 0)

    @classmethod
    def of(cls, reference: Image, sharp: Image, valid: Mask | None = None) -> BandFidelity:
        """Compare two images.

        Args:
            reference: (B, h, W); h as `block_strips` has it.
            sharp: (B, h, W).
            valid: (h, W); a block with a pixel that is not is left out.

        Raises:
            ValueError: if their shapes differ.
        """
        check_alike(reference, sharp)
        found = cls.empty(len(reference))
        for x, y in block_rows(reference, sharp, valid=valid):
            (x, x_means), (y, y_means) = _centred(x), _centred(y)
            brightness = fractions(2 * x_means * y_means, x_means**2 + y_means**2)
            qualities = brightness * fractions(2 * _dot(x, y), _dot(x, x) + _dot(y, y))
            found += cls(qualities.sum(0), len(qualities))
        return found

    def __add__(self, other: BandFidelity) -> BandFidelity:
        return BandFidelity(self.totals + other.totals, self.blocks + other.blocks)

    @property
    def means(self) -> Floats:
        """(B,) mean over blocks; NaN without blocks."""
        return self.totals / (self.blocks or np.nan)


def fractions(part: Floats, whole: Floats) -> Floats:
    """Part / whole, one by one; 1 where the whole is 0, for what is nothing on both sides is alike."""
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)


def _qualities(bands: Floats) -> Floats:
    """(n, C, C) of every two bands of each block, from (n, C, N) pixels."""
    bands, means = _centred(bands)
    # not by matrix product, where the same two numbers may be summed in another order: so a band is itself exactly
    products = np.einsum("nip,njp->nij", bands, bands)
    spreads = np.einsum("nii->ni", products)
    levels = means**2
    brightness = fractions(2 * means[:, :, None] * means[:, None], levels[:, :, None] + levels[:, None])
    return brightness * fractions(2 * products, spreads[:, :, None] + spreads[:, None])


def _centred(bands: Floats) -> tuple[Floats, Floats]:
    """(n, C, N) pixels less their means, and these (n, C)."""
    first = bands[..., :1]
    bands = bands - first  # so that a flat band is exactly so
    means = bands.mean(-1, keepdims=True)
    bands -= means
    return bands, (first + means)[..., 0]


def _dot(one: Floats, other: Floats) -> Floats:
    """(n, B) sums over pixels."""
    return np.asarray(np.einsum("nbp,nbp->nb", one, other))
