"""Arrays of NumPy and tensors of torch do the same to the same numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbered

from rsfuse.learn.runtimes.ndarrays import NdArrays
from rsfuse.learn.runtimes.tensors import TensorArrays

ND, TENSOR = NdArrays(), TensorArrays(torch.device("cpu"))

shapes = st.tuples(*(st.integers(1, 5) for _ in range(3)))
shares = st.floats(0, 1, width=32)


def floats(shape, numbers=shares):
    return numbered.arrays(np.float32, shape, elements=numbers)


def both(name, *values, **options):
    """What each of the two makes of values, arrays among them, as NumPy's."""
    found = []
    for each in (ND, TENSOR):
        taken = [each.taken(value.copy()) if isinstance(value, np.ndarray) else value for value in values]
        found.append(getattr(each, name)(*taken, **options))
    return found


def same(first, second):
    second = second if isinstance(second, np.ndarray) else TENSOR.to_numpy(second)
    assert isinstance(first, np.ndarray)
    assert (first.shape, first.dtype) == (second.shape, second.dtype)
    np.testing.assert_array_equal(first, second)


@given(shapes.flatmap(lambda shape: floats(shape, st.sampled_from([0.0, 0.25, 0.5, 1.0]))))
def test_the_best_is_the_first_of_equals(scores):
    (index, best), (other_index, other_best) = both("best", scores)
    same(index, other_index)
    same(best, other_best)
    np.testing.assert_array_equal(index, scores.argmax(0))
    np.testing.assert_array_equal(best, scores.max(0))


@pytest.mark.parametrize("count", [1, 2, 254, 255])
def test_there_may_be_as_many_classes_as_codes(count):
    scores = np.random.default_rng(0).random((count, 4, 4), np.float32)
    scores[-1, 0, 0] = scores[0, 1, 1] = 2
    (index, _), (other, _) = both("best", scores)
    same(index, other)
    assert (index[0, 0], index[1, 1]) == (count - 1, 0)


@given(shapes.flatmap(floats))
def test_bytes_are_rounded_alike(shares):
    found, other = both("bytes", shares, 254)
    same(found, other)
    assert np.abs(found - 254.0 * shares).max() <= 0.5 + 1e-4


def test_halves_and_what_is_beyond_the_ends_become_the_same_bytes():
    halves = (np.arange(254, dtype=np.float32) + np.float32(0.5)) / np.float32(254)
    values = np.concatenate([halves, np.nextafter(halves, 0), np.nextafter(halves, 2), [-1e-6, -1, 1 + 1e-6, 2]])
    found, other = both("bytes", values.astype(np.float32), 254)
    same(found, other)
    assert (found[-4:] == [0, 0, 254, 254]).all()


@given(shapes.flatmap(lambda shape: st.lists(floats(shape), min_size=1, max_size=8)))
def test_means_are_the_same_numbers(values):
    found, other = (each.mean(each.taken(value.copy()) for value in values) for each in (ND, TENSOR))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, TENSOR.to_numpy(other), rtol=2e-7)
    np.testing.assert_allclose(found, np.mean(values, 0), rtol=1e-6)


@pytest.mark.parametrize("first", [ND, TENSOR])
@pytest.mark.parametrize("second", [ND, TENSOR])
def test_means_may_be_of_both_kinds(first, second):
    values = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    found = first.mean(each.taken(value.copy()) for each, value in zip((first, second), values, strict=True))
    np.testing.assert_allclose(first.to_numpy(found), values.mean(0), rtol=1e-6)


@pytest.mark.parametrize("arrays", [ND, TENSOR])
def test_a_mean_of_one_is_that_one(arrays):
    value = arrays.taken(np.ones((2, 2), np.float32))
    assert arrays.mean([value]) is value


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_weighted_scores_are_added_where_they_belong(layers, height, width, seed):
    chance = np.random.default_rng(seed)
    sums = chance.random((layers, height + 3, width + 2), np.float32)
    scores, rows, columns = (
        chance.random(shape, np.float32) for shape in ((layers, height, width), (height,), (width,))
    )
    here = np.s_[:, 2 : 2 + height, 1 : 1 + width]
    found = []
    for each in (ND, TENSOR):
        taken = each.taken(sums.copy())
        each.add_weighted(taken[here], *(each.taken(value.copy()) for value in (scores, rows, columns)))
        found.append(each.to_numpy(taken))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    expected = sums.copy()
    expected[here] += scores * rows[:, None] * columns
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


@given(shapes, st.integers(-5, 5))
def test_flips_and_turns_are_the_same(shape, turns):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    same(*both("flipped", values))
    same(*both("turned", values, turns))
    for arrays in (ND, TENSOR):
        back = arrays.turned(arrays.flipped(arrays.flipped(arrays.turned(arrays.taken(values), turns))), -turns)
        np.testing.assert_array_equal(arrays.to_numpy(back), values)


@pytest.mark.parametrize("arrays", [ND, TENSOR])
def test_a_batch_is_written_through_and_sent_as_far_as_it_is_filled(arrays):
    batch = arrays.batch(4, (3, 5, 6))
    assert (batch.pixels.shape, batch.pixels.dtype, batch.is_free) == ((4, 3, 5, 6), np.float32, True)
    batch.pixels[...] = np.arange(4 * 90, dtype=np.float32).reshape(4, 3, 5, 6)
    np.testing.assert_array_equal(arrays.to_numpy(batch.sent(3)), batch.pixels[:3])


@pytest.mark.parametrize("arrays", [ND, TENSOR])
def test_a_batch_may_have_no_channels(arrays):
    assert arrays.to_numpy(arrays.batch(2, (0, 5, 6)).sent(1)).shape == (1, 0, 5, 6)


def test_zeros_and_what_is_taken_are_the_same():
    same(ND.zeros([2, 3]), TENSOR.zeros([2, 3]))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    same(ND.taken(values), TENSOR.taken(values))
    same(ND.taken(TENSOR.taken(values)), TENSOR.taken(ND.taken(values)))


@pytest.mark.parametrize("arrays", [ND, TENSOR])
def test_what_is_asked_of_numpy_is_the_same_memory(arrays):
    """Rows of a map are handed on without a copy."""
    values = arrays.zeros((2, 3))
    arrays.to_numpy(values)[0, 0] = 7
    assert float(values[0, 0]) == 7


def test_other_sizes_are_refused_as_arrays_of_numpy():
    with pytest.raises(NotImplementedError, match="one size"):
        ND.resized(np.zeros((1, 1, 4, 4), np.float32), (2, 2), antialias=True)
