"""What layers are while a network is written as a graph, against what they are else."""

import math

import pytest
import torch
from torch.nn import functional as F

from rsfuse_models.layers import cross_spectral
from rsfuse_models.layers.cells import mean_cells
from rsfuse_models.layers.fourier import SMALLEST_AMPLITUDE, decouple, recouple
from rsfuse_models.layers.fourier_products import decouple_by_products, recouple_by_products
from rsfuse_models.layers.interpolation import interpolate_continued
from rsfuse_models.layers.shares import shares

SIZES = [(8, 8), (7, 9), (6, 5), (5, 12), (1, 8), (8, 1), (1, 1), (2, 2), (24, 30)]


@pytest.fixture
def exporting(monkeypatch):
    """Layers take themselves for parts of a graph."""
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)


def random_maps(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("size", SIZES)
def test_products_are_the_transform(size):
    maps = random_maps(2, 3, *size)
    (amplitude, phase), (made, angle) = decouple(maps), decouple_by_products(maps, SMALLEST_AMPLITUDE)
    torch.testing.assert_close(made, amplitude, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(angle, phase, atol=2e-7, rtol=0)  # pi is that of float32, and never -pi for it


@pytest.mark.parametrize("size", SIZES)
def test_products_are_the_way_back_of_any_spectrum(size):
    spectrum = size[0], size[1] // 2 + 1
    amplitude, phase = random_maps(2, 3, *spectrum), 3 * random_maps(3, 2, *spectrum).transpose(0, 1)
    assert amplitude.min() < 0  # a gate may make it so
    back = recouple_by_products(amplitude, phase, size)
    torch.testing.assert_close(back, recouple(amplitude, phase, size), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_in_float32_the_way_there_and_back_gives_the_maps(size):
    maps = random_maps(2, 3, *size, dtype=torch.float32)
    back = recouple_by_products(*decouple_by_products(maps, SMALLEST_AMPLITUDE), size)
    torch.testing.assert_close(back, maps, atol=2e-5, rtol=0)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1)])
def test_a_map_of_one_value_has_no_other_frequency(value, size):
    amplitude, phase = decouple_by_products(torch.full((1, 1, *size), value), SMALLEST_AMPLITUDE)
    assert amplitude[0, 0, 0, 0] == pytest.approx(abs(value) * math.sqrt(math.prod(size)))
    assert phase[0, 0, 0, 0] == (torch.pi if value < 0 else 0)
    others = torch.arange(amplitude.numel()) > 0
    assert (amplitude.flatten()[others] < SMALLEST_AMPLITUDE).all()
    assert (phase.flatten()[others] == 0).all()


def test_phases_end_where_amplitudes_are_noise():
    along = torch.arange(8, dtype=torch.float64) * math.pi / 4
    loud, soft = (height * (along + 1.0).cos().expand(1, 1, 8, 8) for height in (1.1, 0.9))
    each = 2 * SMALLEST_AMPLITUDE / 8  # amplitude of such a wave is half its height, times the root of 64 places
    for maps, expected in ((loud, 1.0), (soft, 0.0)):
        _, phase = decouple_by_products(each * maps, SMALLEST_AMPLITUDE)
        torch.testing.assert_close(phase, decouple(each * maps)[1], atol=1e-6, rtol=0)
        assert phase[0, 0, 0, 1] == pytest.approx(expected)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (3, 3), (2, 5), (1, 1), (13, 1)])
@pytest.mark.parametrize("cells", [(1, 1), (2, 2), (3, 3), (6, 6), (5, 2)])
def test_cells_are_those_of_adaptive_pooling(size, cells, exporting):
    maps = random_maps(2, 3, *size)
    torch.testing.assert_close(mean_cells(maps, cells), F.adaptive_avg_pool2d(maps, cells))


def test_means_of_halved_maps_are_taken_in_float32(exporting):
    maps = 1000 + random_maps(1, 2, 64, 64, dtype=torch.float32).half()
    with torch.autocast("cpu", torch.float16):
        means = mean_cells(maps, (1, 1))
    assert means.dtype == torch.float16
    torch.testing.assert_close(means.float(), maps.float().mean((-2, -1), keepdim=True), atol=0.5, rtol=0)


@pytest.mark.parametrize("side", [3, 5])
def test_filters_of_samples_one_by_one_are_those_of_all(side, exporting, monkeypatch):
    features, kernels = random_maps(3, 4, 6, 9), random_maps(3, 4, side, side)
    in_graph = cross_spectral.dynamic_depthwise(features, kernels)
    monkeypatch.undo()
    torch.testing.assert_close(in_graph, cross_spectral.dynamic_depthwise(features, kernels))


@pytest.mark.parametrize("dim", [1, 2])
def test_shares_are_softmax_however_large_the_scores(dim, exporting):
    scores = 200 * random_maps(2, 5, 4, 6, dtype=torch.float32)
    torch.testing.assert_close(shares(scores, dim), scores.softmax(dim))
    assert shares(scores.half(), dim).dtype == torch.float32


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_interpolation_by_products_is_the_same(ratio, exporting, monkeypatch):
    image = random_maps(2, 3, 5, 9)
    in_graph = interpolate_continued(image, ratio)
    monkeypatch.undo()
    torch.testing.assert_close(in_graph, interpolate_continued(image, ratio))
