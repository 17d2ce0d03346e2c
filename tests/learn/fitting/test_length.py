"""Steps and epochs come to the same."""

import pytest
from pydantic import ValidationError

from rsfuse.errors import TileSetError
from rsfuse.learn.fitting.length import Length
from rsfuse.learn.recipes.training import Training


def training(**length):
    return Training(batch=4, crop=32, **length)


def test_steps_are_steps_whatever_the_tiles():
    assert Length.of(training(steps=100, validate_every=20), 7) == Length(100, 20, 1)


def test_an_epoch_is_as_many_full_batches_as_the_tiles_give():
    assert Length.of(training(epochs=6, validate_every=2), 23) == Length(6 * 5, 2 * 5, 5)


def test_a_run_shorter_than_a_stretch_is_validated_at_its_end():
    assert Length.of(training(steps=3, validate_every=20), 7) == Length(3, 3, 1)
    assert Length.of(training(epochs=3, validate_every=20), 8) == Length(6, 6, 2)


def test_too_few_tiles_for_a_batch_make_no_epoch():
    with pytest.raises(TileSetError, match="3 training tiles do not fill one batch of 4"):
        Length.of(training(epochs=1, validate_every=1), 3)


@pytest.mark.parametrize("length", [{}, {"steps": 1, "epochs": 1}])
def test_a_recipe_counts_in_one_of_them(length):
    with pytest.raises(ValidationError, match="either steps or epochs"):
        training(validate_every=1, **length)
