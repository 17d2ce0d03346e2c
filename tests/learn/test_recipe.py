"""Recipes: what may stand in one, and how mistakes are told."""

import pytest
import yaml

from rsfuse.errors import RecipeError
from rsfuse.learn.recipe import find_recipe, load_recipe, network_options, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_valid_and_says_how_to_launch_it(name):
    recipe = load_recipe(name)
    assert recipe.training.steps % recipe.training.validate_every == 0
    assert f"rsfuse train {name}" in find_recipe(name).read_text(encoding="utf-8")


def test_there_are_recipes():
    assert {"pad_demo", "pad_sentinel-10m"} <= set(recipe_names())


def test_settings_are_laid_over_the_recipe_and_read_as_yaml():
    recipe = load_recipe("pad_demo", ["training.steps=7", "network.stages=[1, 2, 3]", "inputs.sensors=sar"])
    assert recipe.training.steps == 7
    assert recipe.network["stages"] == [1, 2, 3]
    assert recipe.inputs.sensors == "sar"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("training.stepz=7", "training.stepz"),
        ("training.steps=-1", "training.steps"),
        ("network.colour=1", "colour"),
        ("network.name=resnet", "resnet"),
        ("network.spectrum=cubic", "spectrum"),
        ("description", "description"),
        ("description.deeper=1", "description.deeper"),
        ("training.steps=[", "training.steps"),
    ],
)
def test_a_key_or_value_that_cannot_be_is_named(setting, told):
    with pytest.raises(RecipeError, match=told) as caught:
        load_recipe("pad_demo", [setting])
    assert caught.value.hint


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(RecipeError) as caught:
        load_recipe("pad_nowhere")
    assert "pad_demo" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["- a list", "{unclosed", ""])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError):
        load_recipe(path)


def test_a_recipe_file_of_ones_own_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(load_recipe("pad_demo").model_dump(mode="json")), encoding="utf-8")
    assert load_recipe(path) == load_recipe("pad_demo")


def test_what_the_tiles_decide_is_no_option_of_a_network():
    fields = network_options("pad").model_fields
    assert "encoder" in fields
    assert not {"optical_channels", "sar_channels", "num_classes"} & set(fields)
