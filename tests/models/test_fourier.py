"""Amplitude, phase and the way back, against numpy's transforms and plain arithmetic."""

import numpy as np
import pytest
import torch

from rsfuse_models.layers.fourier import SMALLEST_AMPLITUDE, decouple, project_hermitian, radial_distance, recouple

SIZES = [(8, 8), (7, 9), (8, 5), (5, 12), (1, 6), (6, 1), (1, 1)]
CPU = torch.device("cpu")


def any_half_spectrum(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, height, width // 2 + 1, dtype=torch.complex128, generator=generator)


def full_spectrum(half, width):
    """The other half by symmetry, columns 0 and W / 2 left as they are."""
    columns = np.arange(half.shape[-1], width)
    rows = -np.arange(half.shape[-2]) % half.shape[-2]
    return np.concatenate([half, half[..., rows, :][..., width - columns].conj()], axis=-1)


@pytest.mark.parametrize("size", SIZES)
def test_recouple_undoes_decouple(size):
    features = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(recouple(*decouple(features), size), features, atol=1e-10, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_recouple_is_the_real_part_of_the_full_inverse_even_for_a_half_spectrum_of_no_real_map(size):
    half = any_half_spectrum(*size)
    expected = np.fft.ifft2(full_spectrum(half.numpy(), size[1]), norm="ortho").real
    np.testing.assert_allclose(recouple(half.abs(), half.angle(), size).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_projection_keeps_the_spectrum_of_a_real_map_and_is_a_projection(size):
    real = torch.fft.rfft2(torch.randn(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(project_hermitian(real, size[1]), real)
    once = project_hermitian(any_half_spectrum(*size), size[1])
    torch.testing.assert_close(project_hermitian(once, size[1]), once)


def test_amplitude_is_orthonormal_so_that_it_keeps_energy_and_does_not_grow_with_the_map():
    for side in (8, 64):
        amplitude, _ = decouple(torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(3)))
        twice = torch.full((side // 2 + 1,), 2.0)
        twice[0] = twice[-1] = 1
        assert (amplitude.square() * twice).mean(dim=(-1, -2)).item() == pytest.approx(side / (side / 2 + 1), rel=0.3)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-8, 1.0])
def test_phase_has_a_finite_gradient_however_small_the_amplitude(scale):
    features = (scale * torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(4))).requires_grad_()
    amplitude, phase = decouple(features)
    (amplitude.sum() + phase.square().sum()).backward()
    assert features.grad.isfinite().all()
    assert features.grad.abs().max() <= 100 / SMALLEST_AMPLITUDE


def test_phase_agrees_with_numpy_where_there_is_amplitude():
    features = torch.randn(3, 9, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    expected = np.fft.rfft2(features.numpy())
    np.testing.assert_allclose(
        torch.polar(torch.ones(()).double(), decouple(features)[1]), expected / abs(expected), atol=1e-12
    )


def test_the_phase_of_a_real_coefficient_is_0_or_plus_pi_whatever_rounding_leaves_beside_it():
    features = torch.randn(64, 34, 34, generator=torch.Generator().manual_seed(0))
    wave = torch.fft.rfft2(features, norm="ortho")[:, [0, 0, 17, 17], [0, 17, 0, 17]]
    # a length of 2 x 17 leaves rounding in some libraries; where it leaves none, there is nothing to undo
    _, phase = decouple(features)
    expected = torch.where(wave.real < 0, torch.pi, 0.0)
    assert torch.equal(phase[:, [0, 0, 17, 17], [0, 17, 0, 17]], expected)


def test_gradient_is_right_for_negative_amplitudes_too():
    generator = torch.Generator().manual_seed(6)
    amplitude, phase = (torch.randn(1, 4, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    assert (amplitude < 0).any()
    inputs = amplitude.requires_grad_(), phase.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, p: recouple(a, p, (4, 5)), inputs)


def test_a_negative_amplitude_is_a_phase_turned_by_pi():
    half = any_half_spectrum(6, 8)
    torch.testing.assert_close(
        recouple(-half.abs(), half.angle(), (6, 8)), recouple(half.abs(), half.angle() + np.pi, (6, 8))
    )


@pytest.mark.parametrize("size", SIZES)
def test_radial_distance_orders_places_by_their_true_frequency(size):
    distance = radial_distance(size, "radial", CPU).numpy()
    frequency = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None])
    order = frequency.ravel().argsort(kind="stable")
    assert (np.diff(distance.ravel()[order]) >= -1e-6).all()
    assert distance[0, 0] == 0
    assert distance.max() == pytest.approx(1 if max(size) > 1 else 0)


def test_radial_distance_of_a_pure_wave_depends_on_its_wavelength_not_on_its_direction():
    distance = radial_distance((16, 32), "radial", CPU)
    assert distance[2, 0] == distance[-2, 0] == distance[0, 4]  # 8 px along the rows, against them, and across


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (8, 10)])
def test_paper_distance_rolls_the_half_spectrum_as_the_published_code_does(size):
    columns = size[1] // 2 + 1
    rolled = np.fft.fftshift(np.arange(columns))
    rows, across = np.indices((size[0], columns))
    plain = np.hypot(rows - size[0] // 2, across - columns // 2)
    expected = np.empty_like(plain)
    for place, column in enumerate(rolled):  # what lies at `place` after the roll is frequency `column`
        expected[:, column] = np.fft.ifftshift(plain[:, place])
    np.testing.assert_allclose(radial_distance(size, "paper", CPU).numpy(), expected / plain.max(), atol=1e-6)


def test_paper_distance_calls_the_highest_columns_low():
    assert np.fft.fftshift(np.arange(5)).tolist() == [3, 4, 0, 1, 2]
    paper, radial = radial_distance((8, 8), "paper", CPU), radial_distance((8, 8), "radial", CPU)
    assert paper[0, 4] < paper[0, 2]
    assert radial[0, 4] > radial[0, 2]
