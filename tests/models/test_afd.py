"""Low and high frequencies: the equations in loops, what adds up, and what a cut through the image changes."""

import numpy as np
import pytest
import torch

from rsfuse_models.layers.afd import AdaptiveDecomposition, LaplacianDecomposition


def make(name="afd", *, bands=3, channels=8, groups=2, kernel=3):
    torch.manual_seed(0)
    if name == "laplacian":
        return LaplacianDecomposition(bands, channels)
    decomposition = AdaptiveDecomposition(bands, channels, groups=groups, kernel=kernel)
    with torch.no_grad():
        decomposition.filters.weight.mul_(5)  # filters that differ from place to place
    return decomposition


def make_image(height, width, *, bands=3):
    return torch.randn(2, bands, height, width, generator=torch.Generator().manual_seed(1))


def project(decomposition, image):
    weight, bias = (part.detach().double().numpy() for part in decomposition.project.parameters())
    return np.einsum("dc,bchw->bdhw", weight[:, :, 0, 0], image.double().numpy()) + bias[:, None, None]


def adapt_by_hand(decomposition, image, groups, kernel):
    """Low frequencies of AFD, one place after the other."""
    x = project(decomposition, image)
    weight, bias = (part.detach().double().numpy() for part in decomposition.filters.parameters())
    low, reach, size = np.zeros_like(x), kernel // 2, x.shape[1] // groups
    for sample, group, row, column in np.ndindex(x.shape[0], groups, *x.shape[2:]):
        own = slice(group * size, (group + 1) * size)

        def at(dr, dc, sample=sample, own=own, row=row, column=column):
            inside = 0 <= row + dr < x.shape[2] and 0 <= column + dc < x.shape[3]
            return x[sample, own, row + dr, column + dc] if inside else np.zeros(size)

        taps = slice(group * kernel**2, (group + 1) * kernel**2)
        logits = bias[taps] + sum(
            weight[taps, :, dr + 1, dc + 1] @ at(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)
        )
        share = np.exp(logits - logits.max())
        share = (share / share.sum()).reshape(kernel, kernel)
        for dr, dc in np.ndindex(kernel, kernel):
            low[sample, own, row, column] += share[dr, dc] * at(dr - reach, dc - reach)
    return low


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(6, 5), (1, 4)])
def test_afd_is_the_paper_place_by_place(kernel, size):
    decomposition, image = make(kernel=kernel), make_image(*size)
    with torch.no_grad():
        low, high = decomposition(image)
    expected = adapt_by_hand(decomposition, image, 2, kernel)
    np.testing.assert_allclose(low.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(high.numpy(), project(decomposition, image) - expected, atol=1e-5)


@pytest.mark.parametrize("name", ["afd", "laplacian"])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1), (2, 13)])
def test_low_and_high_add_up_to_the_projection(name, size):
    decomposition, image = make(name), make_image(*size)
    with torch.no_grad():
        low, high = decomposition(image)
    np.testing.assert_allclose((low + high).numpy(), project(decomposition, image), atol=1e-5)


def test_an_even_surface_is_low_alone_but_for_its_border():
    image = torch.ones(1, 3, 6, 7)
    with torch.no_grad():
        _, high = make()(image)
        _, pyramid_high = make("laplacian")(image)
    assert high[..., 1:-1, 1:-1].abs().max() < 1e-6 < high[..., 0, :].abs().max()  # zeros lie around it
    assert pyramid_high.abs().max() < 1e-6  # its own edge pixel does


def burt_adelson(x):
    """reduce and expand with 1 4 6 4 1 along both axes, one after the other."""
    taps = {-2: 1 / 16, -1: 4 / 16, 0: 6 / 16, 1: 4 / 16, 2: 1 / 16}
    for axis in (-2, -1):
        x = np.moveaxis(x, axis, -1)
        size = x.shape[-1]
        half = np.stack(
            [sum(w * x[..., min(max(2 * i + d, 0), size - 1)] for d, w in taps.items()) for i in range(-(-size // 2))],
            axis=-1,
        )
        full = np.zeros_like(x)
        for i in range(size):
            for d, w in taps.items():
                if (i + d) % 2 == 0:
                    full[..., i] += 2 * w * half[..., min(max((i + d) // 2, 0), half.shape[-1] - 1)]
        x = np.moveaxis(full, -1, axis)
    return x


@pytest.mark.parametrize("size", [(8, 6), (7, 9), (1, 5)])
def test_the_pyramid_is_that_of_burt_and_adelson(size):
    decomposition, image = make("laplacian"), make_image(*size)
    with torch.no_grad():
        low, _ = decomposition(image)
    np.testing.assert_allclose(low.numpy(), burt_adelson(project(decomposition, image)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"), [("afd", {}), ("afd", {"kernel": 1}), ("afd", {"kernel": 5}), ("laplacian", {})]
)
def test_a_cut_is_felt_no_farther_than_the_halo(name, options):
    decomposition, image = make(name, **options), make_image(24, 5)
    halo = decomposition.halo
    with torch.no_grad():
        whole, part = decomposition(image), decomposition(image[..., 6:18, :])
    for full, cut in zip(whole, part, strict=True):
        torch.testing.assert_close(cut[..., halo:-halo, :], full[..., 6 + halo : 18 - halo, :])
    at_the_cut = (part.low[..., 0, :] - whole.low[..., 6, :]).abs().max()
    assert at_the_cut > 1e-3 or options == {"kernel": 1}  # one tap has no choice of filter


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="32 channels do not divide into 5 groups"):
        AdaptiveDecomposition(3, 32, groups=5)
    with pytest.raises(ValueError, match="a kernel of 4 has no centre"):
        AdaptiveDecomposition(3, 32, kernel=4)
