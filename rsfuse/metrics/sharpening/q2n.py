"""Q2n: how like a sharpened image is to its reference, all bands taken together as one hypercomplex number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats, ratio
from rsfuse.metrics.sharpening.blocks import block_rows
from rsfuse.metrics.sharpening.hypercomplex import conjugate_products
from rsfuse.metrics.sharpening.images import Image, Mask, check_alike
from rsfuse.metrics.sharpening.uiqi import fractions


@dataclass(frozen=True)
class Q2n:
    """Sum over blocks of 32 x 32 px of the hypercomplex quality index: Q4 of up to 4 bands, Q8 of up to 8, and so on.

    Those of strips add up to that of the whole image, see `block_strips`. Of a block, x of the reference and y of the
    sharpened image being numbers of P components, P the power of two that holds all bands:

        Q = 2 |E x| |E y| / (|E x|^2 + |E y|^2) * 2 |cov(x, y)| / (var x + var y),  cov(x, y) = E (x - E x) (y - E y)*

    where before each band of x is brought to a mean and standard deviation of 1, and the same band of y by the same
    offset and factor. So the unit of the images is of no matter. A band that is flat in x is divided by the spacing of
    floats at 1 (2e-16) for want of a deviation: y has to be as flat, or the block counts next to 0. Components without
    a band are 1 in both. A block that is flat in both images has the first fraction alone.

    A. Garzelli, F. Nencini: Hypercomplex quality assessment of multi/hyperspectral images. IEEE Geoscience and Remote
    Sensing Letters 6 (2009) 662-665; Q4: L. Alparone et al., IEEE GRSL 1 (2004) 313-317. Blocks, mirrored borders and
    the first step are of the toolbox of Vivone et al. (2015, 2021), which also rounds to whole numbers; here nothing
    is rounded.

    Args:
        total: sum of the modulus of Q.
        blocks: how many there are.
    """

    total: float
    blocks: int

    @classmethod
    def empty(cls) -> Q2n:
        """Of no blocks."""
        return cls(0.0, 0)

    @classmethod
    def of(cls, reference: Image, sharp: Image, valid: Mask | None = None) -> Q2n:
        """Compare two images.

        Args:
            reference: (B, h, W), in any unit; h as `block_strips` has it.
            sharp: (B, h, W), in the same.
            valid: (h, W); a block with a pixel that is not is left out.

        Raises:
            ValueError: if their shapes differ.
        """
        check_alike(reference, sharp)
        found = [_qualities(x, y) for x, y in block_rows(reference, sharp, valid=valid)]
        return cls(float(sum(each.sum() for each in found)), sum(map(len, found)))

    def __add__(self, other: Q2n) -> Q2n:
        return Q2n(self.total + other.total, self.blocks + other.blocks)

    @property
    def score(self) -> float:
        """Mean over blocks, 1 at best and 0 at worst; NaN without blocks."""
        return ratio(self.total, self.blocks)


def _qualities(x: Floats, y: Floats) -> Floats:
    """(n,) modulus of Q of each block, from (n, B, N) pixels.

    With y = x - gap everything follows from x and the gap. So two images that are the same have exactly 1, whatever is
    rounded in the sums.
    """
    bands, freedom = x.shape[1], x.shape[2] - 1
    gap = x - y
    x = x - x[..., :1]  # so that a flat band is exactly so
    x -= x.mean(-1, keepdims=True)
    offsets = gap.mean(-1)
    gap -= offsets[..., None]
    deviations = np.sqrt(_squares(x) / freedom)
    scales = np.where(deviations > 0, deviations, np.finfo(np.float64).eps)

    components = 1 << (bands - 1).bit_length()
    products = np.zeros((len(x), components, components))
    products[:, :bands, :bands] = x @ gap.transpose(0, 2, 1) / freedom / scales[:, :, None] / scales[:, None]
    covariances = -conjugate_products(products)
    own = np.count_nonzero(deviations, axis=1)  # the variance of x: 1 of each band that is not flat
    covariances[:, 0] += own
    variances = 2 * covariances[:, 0] + (_squares(gap) / freedom / scales**2).sum(1)  # of x and y together
    levels = ((1 - offsets / scales) ** 2).sum(1) + components - bands
    brightness = 2 * np.sqrt(components * levels) / (components + levels)
    return np.asarray(brightness * fractions(2 * np.linalg.norm(covariances, axis=1), variances))


def _squares(values: Floats) -> Floats:
    """(n, B) sums over pixels."""
    return np.asarray(np.einsum("nbp,nbp->nb", values, values))
