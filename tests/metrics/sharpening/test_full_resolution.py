"""Scores without a reference are those of loops over bands and blocks."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from rsfuse.metrics.sharpening import Distortion, FullResolution, Q2n, block_strips


def uiqi(x, y, cut):
    """Mean over blocks."""
    found = []
    for one, other in zip(cut(x[None]), cut(y[None]), strict=True):
        cov = np.cov(one.ravel(), other.ravel())
        mx, my = one.mean(), other.mean()
        found.append(4 * cov[0, 1] * mx * my / ((cov[0, 0] + cov[1, 1]) * (mx**2 + my**2)))
    return sum(found) / len(found)


@pytest.fixture
def made(images):
    """A sharpened image and what it was made of, of any shape and number of bands."""

    def make(bands=4, shape=(64, 96), seed=0):
        sharp, _ = images(seed, bands, shape)
        pan = sharp.mean(0, keepdims=True) + np.random.default_rng(seed).normal(0, 30, (1, *shape))
        low = [ndimage.gaussian_filter(each.astype(float), (0, 2, 2)) for each in (sharp, pan)]
        noise = np.random.default_rng(seed + 1).normal(0, 30, low[0].shape)
        return FullResolution(sharp, ms=low[0] + noise, pan=pan, pan_low=low[1], sharp_low=low[0])

    return make


def cut_rows(images, rows):
    return FullResolution(**{each.name: getattr(images, each.name)[:, rows] for each in fields(images)})


@pytest.mark.parametrize(("bands", "shape"), [(2, (64, 64)), (4, (64, 50)), (8, (40, 64))])
def test_scores_are_those_of_their_definitions(made, naive_blocks, bands, shape):
    images = made(bands, shape)
    found = Distortion.of(images)
    spectral = [
        abs(uiqi(images.sharp[i], images.sharp[j], naive_blocks) - uiqi(images.ms[i], images.ms[j], naive_blocks))
        for i, j in combinations(range(bands), 2)
    ]
    spatial = [
        abs(uiqi(y, images.pan[0], naive_blocks) - uiqi(m, images.pan_low[0], naive_blocks))
        for y, m in zip(images.sharp, images.ms, strict=True)
    ]
    d_lambda, d_s = sum(spectral) / len(spectral), sum(spatial) / bands
    d_lambda_k = 1 - Q2n.of(images.ms, images.sharp_low).score
    assert (found.d_lambda, found.d_s, found.d_lambda_k) == pytest.approx((d_lambda, d_s, d_lambda_k), rel=1e-9)
    assert found.qnr == pytest.approx((1 - d_lambda) * (1 - d_s))
    assert found.hqnr == pytest.approx((1 - d_lambda_k) * (1 - d_s))
    assert min(d_lambda, d_s, d_lambda_k) > 0.001


def test_what_changes_nothing_is_ideal_exactly(made):
    images = made(4, (80, 70))
    same = FullResolution(
        images.sharp, ms=images.sharp.copy(), pan=images.pan, pan_low=images.pan.copy(), sharp_low=images.sharp.copy()
    )
    found = Distortion.of(same)
    assert (found.d_lambda, found.d_s, found.d_lambda_k) == (0, 0, 0)
    assert (found.qnr, found.hqnr) == (1, 1)


def test_each_score_sees_what_it_is_for(made):
    images = made()
    images = replace(images, ms=images.sharp, pan_low=images.pan, sharp_low=images.sharp)
    other_pan = Distortion.of(replace(images, pan_low=images.pan[:, ::-1]))
    assert (other_pan.d_lambda, other_pan.d_lambda_k) == (0, 0)
    assert other_pan.d_s > 0.1
    inconsistent = Distortion.of(replace(images, sharp_low=images.sharp[:, :, ::-1]))
    assert (inconsistent.d_lambda, inconsistent.d_s) == (0, 0)
    assert inconsistent.d_lambda_k > 0.1
    one_band_off = images.sharp.copy()
    one_band_off[0] = one_band_off[0, ::-1]
    recoloured = Distortion.of(replace(images, sharp=one_band_off))
    assert recoloured.d_lambda > 0.1
    assert recoloured.d_s > 0


def test_means_over_blocks_come_before_their_difference(made):
    """Two halves whose Q changes by the same in opposite directions: no distortion together, some in each."""
    images = made(2, (64, 32))
    swapped = replace(images, sharp=np.roll(images.sharp, 32, 1), pan=np.roll(images.pan, 32, 1))
    swapped = replace(swapped, ms=images.sharp, pan_low=images.pan)
    assert Distortion.of(swapped).d_lambda == pytest.approx(0, abs=1e-12)
    assert Distortion.of(cut_rows(swapped, slice(0, 32))).d_lambda > 1e-6


def test_strips_add_up_to_the_whole(made):
    images = made(3, (5 * 32 + 9, 50))
    whole, parts = Distortion.of(images), Distortion.empty(3)
    for rows in block_strips(5 * 32 + 9, 64):
        parts += Distortion.of(cut_rows(images, rows))
    assert (parts.d_lambda, parts.d_s, parts.d_lambda_k) == pytest.approx(
        (whole.d_lambda, whole.d_s, whole.d_lambda_k), rel=0, abs=1e-12
    )


def test_blocks_with_a_pixel_that_is_not_valid_are_left_out(made):
    images = made(3, (64, 64))
    valid = np.ones((64, 64), bool)
    valid[33, 60] = False
    images.ms[:, 33, 60] = np.nan
    upper, left = cut_rows(images, slice(0, 32)), cut_rows(images, slice(32, 64))
    left = FullResolution(**{each.name: getattr(left, each.name)[:, :, :32] for each in fields(left)})
    found, wanted = Distortion.of(images, valid), Distortion.of(upper) + Distortion.of(left)
    assert found.fine.blocks == found.coarse.blocks == found.consistency.blocks == 3
    assert (found.qnr, found.hqnr) == pytest.approx((wanted.qnr, wanted.hqnr), abs=1e-12)


def test_scores_are_nan_where_they_are_not_defined(made):
    nothing = Distortion.empty(4)
    assert all(math.isnan(each) for each in (nothing.d_lambda, nothing.d_s, nothing.qnr, nothing.hqnr))
    single = Distortion.of(made(1))
    assert math.isnan(single.d_lambda)
    assert 0 <= single.d_s < 1
