"""Hypercomplex numbers of 1, 2, 4, 8, 16 ... components: complex numbers, quaternions, octonions and so on."""

from __future__ import annotations

import numpy as np

from rsfuse.metrics.ratios import Counts, Floats


def unit_signs(components: int) -> Counts:
    """(P, P) signs of the products of units: e_i e_j is e_(i xor j) times this, e_0 being 1.

    The construction of Cayley and Dickson, of halves a and b, c and d: (a, b) (c, d) = (a c - d* b, d a + b c*).
    Garzelli and Nencini (2009) write it with conjugated second halves; the modulus of a sum of products is the same.

    Args:
        components: P, a power of two.
    """
    signs = np.ones((1, 1), np.int64)
    while len(signs) < components:
        conjugate = _conjugate(len(signs))
        signs = np.block([[signs, signs.T], [signs * conjugate, -signs.T * conjugate]])
    return signs


def conjugate_products(products: Floats) -> Floats:
    """(..., P) x y* of two hypercomplex numbers, from the products of their components.

    What is linear in the products may come first: of their sums over pixels, this is the sum of x y* over pixels.

    Args:
        products: (..., P, P) component i of x times component j of y.
    """
    components = products.shape[-1]
    units = np.arange(components)
    factors = unit_signs(components) * _conjugate(components)
    # component k is made of all i and j with i xor j = k
    met = (products * factors)[..., units[:, None], units[:, None] ^ units]
    return np.asarray(met.sum(-2), np.float64)


def _conjugate(components: int) -> Counts:
    """(P,) signs that make a number its conjugate."""
    return np.where(np.arange(components), -1, 1)
