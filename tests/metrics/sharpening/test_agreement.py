"""An image and its reference, part by part: sums add up to those of the whole, and each band counts for itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rsfuse.metrics.sharpening import Agreement, BandFidelity, BandLikeness, EdgeAgreement, Fidelity, Q2n, block_strips

EVERYTHING = slice(None), slice(None)


def known(shape, share, seed=1):
    return np.random.default_rng(seed).random(shape) < share


def in_windows(reference, sharp, valid, rows, columns):
    """Added up from windows with a pixel more around each."""
    _, height, width = reference.shape
    found = Agreement.empty(len(reference))
    for down in block_strips(height, rows):
        for across in block_strips(width, columns):
            top, left = max(down.start - 1, 0), max(across.start - 1, 0)
            wide = slice(top, down.stop + 1), slice(left, across.stop + 1)
            inner = slice(down.start - top, down.stop - top), slice(across.start - left, across.stop - left)
            found += Agreement.of(reference[:, *wide], sharp[:, *wide], valid[wide], inner)
    return found


@pytest.mark.parametrize("share", [1.0, 0.9995])
@pytest.mark.parametrize(("rows", "columns"), [(32, 32), (64, 32), (500, 64)])
def test_windows_add_up_to_the_whole(images, share, rows, columns):
    reference, sharp = images(bands=3, shape=(120, 110))
    valid = known(reference.shape[1:], share)
    found = in_windows(reference, sharp, valid, rows, columns)
    fidelity, edges = Fidelity.of(reference, sharp, valid), EdgeAgreement.of(reference, sharp, valid)
    assert found.fidelity.pixels == np.count_nonzero(valid)
    assert found.fidelity.sam == pytest.approx(fidelity.sam, rel=1e-12)
    assert found.edges.scc == pytest.approx(edges.scc, rel=1e-12)
    assert found.edges.reference == pytest.approx(edges.reference, rel=1e-12)
    assert found.q2n.score == pytest.approx(Q2n.of(reference, sharp, valid).score, rel=1e-12)
    assert found.bands.means == pytest.approx(BandFidelity.of(reference, sharp, valid).means, rel=1e-12)
    assert found.highest == reference[:, valid].max()


def test_the_error_of_each_band_is_its_own(images):
    reference, _ = images(bands=2)
    reference = reference.astype(np.float64)
    sharp = reference + np.array([3.0, -5.0])[:, None, None]
    found = Agreement.of(reference, sharp, np.ones(reference.shape[1:], np.bool_), EVERYTHING)
    assert found.rmse == pytest.approx([3, 5])


def test_nothing_is_known_of_no_pixel(images):
    reference, sharp = images(bands=2)
    found = Agreement.of(reference, sharp, np.zeros(reference.shape[1:], np.bool_), EVERYTHING)
    assert (found.fidelity.pixels, found.q2n.blocks, found.highest) == (0, 0, -math.inf)
    assert np.isnan(found.rmse).all()
    assert np.isnan(found.bands.means).all()


@pytest.mark.parametrize("share", [1.0, 0.9995])
def test_the_likeness_of_a_band_is_that_of_the_two_as_bands_of_one_image(images, share):
    reference, sharp = images(bands=3, shape=(80, 100))
    valid = known(reference.shape[1:], share)
    found = BandFidelity.of(reference, sharp, valid)
    pairs = [BandLikeness.of([reference[band, None], sharp[band, None]], valid) for band in range(3)]
    assert found.blocks == pairs[0].blocks
    assert found.means == pytest.approx([each.means[0, 1] for each in pairs], rel=1e-12)


def test_bands_that_are_the_same_are_exactly_alike(images):
    reference, _ = images(bands=3)
    reference[1, :32, :32] = 7  # flat
    assert BandFidelity.of(reference, reference.copy()).means.tolist() == [1, 1, 1]


def test_bands_of_other_shapes_are_refused(images):
    reference, sharp = images(bands=3)
    with pytest.raises(ValueError, match="sharpened image"):
        BandFidelity.of(reference, sharp[:2])
