"""However a patch is looked at, what belongs to a pixel comes back to it."""

import numpy as np
import pytest
import torch

from rsfuse.learn.inference.views import SCALES, View, views
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.runtimes.ndarrays import NdArrays
from rsfuse.learn.runtimes.tensors import TensorArrays

TENSORS = TensorArrays(torch.device("cpu"))


def noise(*shape):
    return torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))


@pytest.mark.parametrize(
    ("looks", "count"), [((), 1), (("flips",), 2), (("turns",), 4), (("flips", "turns"), 8), (("scales",), 3)]
)
def test_views_are_all_combinations_each_once(looks, count):
    found = views(looks)
    assert len(found) == len(set(found)) == count
    assert View() in found


@pytest.mark.parametrize("view", views(("flips", "turns")), ids=str)
def test_flips_and_turns_are_undone_bit_for_bit(view):
    pixels = noise(2, 3, 8, 12)
    seen = view.of(pixels, TENSORS)
    assert seen.shape[-2:] == ((8, 12) if view.turns % 2 == 0 else (12, 8))
    assert torch.equal(view.undone(seen, (8, 12), TENSORS), pixels)


@pytest.mark.parametrize("view", views(("flips", "turns")), ids=str)
def test_arrays_of_numpy_are_turned_as_those_of_torch(view):
    pixels, arrays = noise(2, 3, 8, 12), NdArrays()
    seen = view.of(pixels.numpy(), arrays)
    np.testing.assert_array_equal(seen, view.of(pixels, TENSORS).numpy())
    np.testing.assert_array_equal(view.undone(seen, (8, 12), arrays), pixels.numpy())


def test_the_eight_ways_to_lay_down_a_square_all_differ():
    square = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(view.of(square, TENSORS).flatten().tolist()) for view in views(("flips", "turns"))}) == 8


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("turns", [0, 1])
def test_what_grew_or_shrank_comes_back_at_its_size_and_place(scale, turns):
    ramp = torch.linspace(0, 1, 40).expand(1, 1, 24, 40).contiguous()
    view = View(False, turns, scale)
    seen = view.of(ramp, TENSORS)
    assert max(seen.shape[-2:]) == round(40 * scale)
    back = view.undone(seen, (24, 40), TENSORS)
    assert back.shape == ramp.shape
    torch.testing.assert_close(back[..., 3:-3], ramp[..., 3:-3], atol=0.02, rtol=0)


def test_a_network_without_a_sensor_has_nothing_to_scale():
    assert View(scale=0.75).of(torch.zeros(2, 0, 8, 8), TENSORS).shape == (2, 0, 8, 8)


def test_augmented_probabilities_are_the_mean_over_the_views_and_turn_with_the_patch(save_untrained, tmp_path):
    bundle, _ = save_untrained(tmp_path / "small")
    plain = EagerPredictor(bundle, device="cpu")
    augmented = EagerPredictor(bundle, device="cpu", looks=("flips", "turns"))
    optical, sar = noise(1, 3, 64, 64), noise(1, 1, 64, 64)
    scores = augmented.score(optical, sar)
    by_hand = torch.zeros_like(scores)
    for turns in range(4):
        for flip in (False, True):
            flipped = [each.flip(-1) if flip else each for each in (optical, sar)]
            scored = plain.score(*(torch.rot90(each, turns, (2, 3)).contiguous() for each in flipped))
            back = torch.rot90(scored, -turns, (2, 3))
            by_hand += (back.flip(-1) if flip else back) / 8
    torch.testing.assert_close(scores, by_hand, atol=1e-5, rtol=1e-4)
    turned = augmented.score(torch.rot90(optical, 1, (2, 3)), torch.rot90(sar, 1, (2, 3)))
    torch.testing.assert_close(turned, torch.rot90(scores, 1, (2, 3)), atol=1e-5, rtol=1e-4)
