"""Reduction by cubic convolution: that of other programs, whatever the ratio."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rsfuse.geometry.sharpening.kernels import cubic
from rsfuse.geometry.sharpening.placement import Placement


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_an_image_is_reduced_as_pillow_does(ratio):
    shape = 20, 30
    image = np.random.default_rng(0).uniform(0, 2047, [each * ratio for each in shape]).astype(np.float32)
    wanted = np.asarray(Image.fromarray(image).resize(shape[::-1], Image.Resampling.BICUBIC))
    found = Placement.by_area(ratio, shape).resizing().whole(image[None], shape)[0]
    inner = np.s_[2:-2, 2:-2]  # beyond the edge, Pillow has no weights
    assert found[inner] == pytest.approx(wanted[inner], rel=1e-4, abs=0.05)


def test_the_kernel_interpolates_and_is_stretched():
    assert cubic(1).at(np.array([0.0, 1.0, 2.0])) == pytest.approx([1, 0, 0])
    assert cubic(4).at(np.array([2.0])) == cubic(1).at(np.array([-0.5])) == pytest.approx(0.5625)
    assert cubic(4).reach == 8
