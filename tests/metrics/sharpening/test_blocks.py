"""Blocks cover an image once, mirrored where it ends, and strips have the blocks of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.metrics.sharpening.blocks import BLOCK, block_rows, block_strips


def cut(image, valid=None):
    return np.concatenate([blocks for (blocks,) in block_rows(image, valid=valid)])


@pytest.mark.parametrize("shape", [(32, 32), (64, 96), (40, 70), (63, 33 + 15), (16, 17)])
def test_blocks_are_those_cut_pixel_by_pixel(naive_blocks, shape):
    image = np.random.default_rng(0).integers(0, 2047, (3, *shape)).astype(np.uint16)
    wanted = np.array(list(naive_blocks(image)))
    np.testing.assert_array_equal(cut(image), wanted.reshape(len(wanted), 3, -1))


@given(st.integers(16, 400), st.integers(1, 200))
def test_strips_have_the_blocks_of_the_whole(height, rows):
    image = np.random.default_rng(height).random((1, height, 20))
    strips = block_strips(height, rows)
    assert np.concatenate([np.arange(height)[each] for each in strips]).tolist() == list(range(height))
    assert all((each.stop - each.start) % BLOCK == 0 for each in strips[:-1])
    assert max(each.stop - each.start for each in strips) < max(rows, BLOCK) + BLOCK
    np.testing.assert_array_equal(np.concatenate([cut(image[:, each]) for each in strips]), cut(image))


def test_a_block_with_a_pixel_that_is_not_valid_is_left_out_of_all_images():
    image = np.arange(2 * 64 * 64, dtype=float).reshape(2, 64, 64)
    valid = np.ones((64, 64), bool)
    valid[40, 3], image[:, 40, 3] = False, np.nan
    (top, top_pan), (bottom, bottom_pan) = block_rows(image, image[:1], valid=valid)
    assert (top.shape, top_pan.shape, bottom.shape, bottom_pan.shape) == (
        (2, 2, 1024),
        (2, 1, 1024),
        (1, 2, 1024),
        (1, 1, 1024),
    )
    assert bottom[0, 0, 0] == image[0, 32, 32]
    assert np.isfinite(bottom).all()


def test_what_is_not_valid_is_mirrored_too():
    valid = np.ones((20, 32), bool)
    valid[19, 0] = False
    assert len(cut(np.zeros((1, 20, 32)), valid)) == 0


@pytest.mark.parametrize("shape", [(15, 64), (64, 3)])
def test_an_image_too_small_to_be_mirrored_is_refused(shape):
    with pytest.raises(ValueError, match=f"{min(shape)} px are too few"):
        list(block_rows(np.zeros((1, *shape)), valid=None))


def test_an_image_of_no_pixels_has_no_blocks():
    assert list(block_rows(np.zeros((1, 0, 64)), valid=None)) == []


def test_images_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(32, 32\), \(32, 33\) px do not lie"):
        list(block_rows(np.zeros((1, 32, 32)), np.zeros((2, 32, 33)), valid=None))
    with pytest.raises(ValueError, match=r"\(31, 32\), \(32, 32\) px do not lie"):
        list(block_rows(np.zeros((1, 32, 32)), valid=np.ones((31, 32), bool)))
