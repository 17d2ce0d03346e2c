"""Products are those of the tables in the books, and have the properties of the algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.metrics.sharpening.hypercomplex import conjugate_products, unit_signs


def multiply(x, y):
    """x y: the conjugate of y, conjugated once more."""
    conjugate = np.where(np.arange(len(y)), -y, y)
    return conjugate_products(np.outer(x, conjugate))


def units(components):
    return np.eye(components)


@pytest.mark.parametrize("components", [1, 2, 4, 8])
def test_units_are_multiplied_as_in_the_tables(by_table, components):
    for left in units(components):
        for right in units(components):
            wanted = by_table(left[:, None], right[:, None])[:, 0]
            np.testing.assert_array_equal(multiply(left, right), wanted, f"{left} {right}")


@given(st.complex_numbers(max_magnitude=1e3), st.complex_numbers(max_magnitude=1e3))
def test_two_components_are_complex_numbers(x, y):
    product = multiply(np.array([x.real, x.imag]), np.array([y.real, y.imag]))
    assert complex(*product) == pytest.approx(x * y, rel=1e-9, abs=1e-9)


def test_one_component_is_a_number():
    np.testing.assert_array_equal(conjugate_products(np.array([[-6.0]])), [-6])


@pytest.mark.parametrize("components", [1, 2, 4, 8, 16, 32])
def test_a_number_times_its_conjugate_is_its_squared_modulus(components):
    x = np.random.default_rng(components).normal(size=components)
    product = conjugate_products(np.outer(x, x))
    np.testing.assert_allclose(product, [x @ x, *[0] * (components - 1)], atol=1e-12)


@pytest.mark.parametrize("components", [1, 2, 4, 8])
def test_the_modulus_of_a_product_is_that_of_its_factors(components):
    x, y = np.random.default_rng(components).normal(size=(2, components))
    assert np.linalg.norm(multiply(x, y)) == pytest.approx(np.linalg.norm(x) * np.linalg.norm(y))


def test_that_ends_with_sedenions_which_have_divisors_of_zero():
    e = units(16)
    assert any(
        not multiply(e[i] + e[j], e[k] + sign * e[m]).any()
        for i in range(1, 8)
        for j in range(9, 16)
        for k in range(1, 8)
        for m in range(9, 16)
        for sign in (1, -1)
    )


@pytest.mark.parametrize("components", [2, 4, 8, 16])
def test_units_square_to_minus_1_and_change_sign_with_their_order(components):
    signs = unit_signs(components)
    imaginary = signs[1:, 1:]
    np.testing.assert_array_equal(imaginary.diagonal(), -1)
    apart = ~np.eye(components - 1, dtype=bool)
    np.testing.assert_array_equal(imaginary[apart], -imaginary.T[apart])


def test_products_of_many_numbers_may_be_summed_first():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 8))
    each = conjugate_products(x[:, :, None] * y[:, None])
    np.testing.assert_allclose(conjugate_products(x.T @ y), each.sum(0), atol=1e-12)
