"""The Haar shortcuts against PyWavelets and pytorch_wavelets, which do the transforms."""

import numpy as np
import pytest
import pywt
import torch
from pytorch_wavelets import DWTForward

from rsfuse_models.layers.wavelet import HighFrequency, haar, high_frequency, inverse_haar


def image(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_haar_agrees_with_pywavelets_band_by_band():
    x = image(2, 3, 8, 12)
    low, (rows, columns, both) = pywt.dwt2(x.numpy(), "haar")
    expected = np.concatenate([low, rows, columns, both], axis=1)
    np.testing.assert_allclose(haar(x).numpy(), expected, atol=1e-12)


def test_haar_agrees_with_pytorch_wavelets():
    x = image(2, 3, 8, 12).float()
    low, (details,) = DWTForward(J=1, wave="haar", mode="zero")(x)  # details (B, C, 3, h, w)
    expected = torch.cat([low, *details.unbind(2)], dim=1)
    torch.testing.assert_close(haar(x), expected, atol=1e-5, rtol=1e-5)


def test_haar_keeps_the_energy_and_comes_back():
    x = image(2, 5, 6, 10)
    bands = haar(x)
    torch.testing.assert_close(bands.square().sum(), x.square().sum())
    torch.testing.assert_close(inverse_haar(bands), x)


def test_odd_sides_and_odd_channels_are_refused_with_the_numbers():
    with pytest.raises(ValueError, match="7 x 8"):
        haar(torch.zeros(1, 1, 7, 8))
    with pytest.raises(ValueError, match="6 channels"):
        inverse_haar(torch.zeros(1, 6, 4, 4))


@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4", "bior2.2"])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (15, 24), (17, 33)])
def test_high_frequencies_are_what_pywavelets_leaves_without_the_approximation(wavelet, height, width):
    x = image(2, 3, height, width).float()
    approximation, details = pywt.dwt2(x.numpy(), wavelet, mode="symmetric")
    expected = pywt.idwt2((np.zeros_like(approximation), details), wavelet, mode="symmetric")
    ours = HighFrequency(wavelet)(x).numpy()
    inner = np.s_[..., 8 : height - 8, 8 : width - 8] if wavelet != "haar" else np.s_[...]
    np.testing.assert_allclose(ours[inner], expected[..., :height, :width][inner], atol=1e-5)


def test_high_frequencies_carry_a_gradient():
    x = image(1, 2, 4, 6).requires_grad_()
    assert torch.autograd.gradcheck(high_frequency, (x,))


def test_an_unknown_wavelet_is_named():
    with pytest.raises(ValueError, match="'har'"):
        HighFrequency("har")
