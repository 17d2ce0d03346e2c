"""Recipes: what may stand in one, and how mistakes are told."""

import pytest
import yaml

from rsfuse.errors import RecipeError
from rsfuse.learn.recipes.reading import find_recipe, load_recipe, read_recipe_text, recipe_names
from rsfuse.learn.recipes.recipe import network_options
from rsfuse.shipped import recipes_folder

SEEDS = {
    "pad": ("whu-opt-sar", "ddhr-sk", "porto-alegre", "terramesh"),
    "whfnet": ("whu-opt-sar", "ddhr-xian", "ddhr-pohang", "pie-rgb-sar", "porto-alegre"),
    "mfafnet": ("whu-opt-sar", "yyx-opt-sar", "porto-alegre"),
    "f2net": ("deepglobe", "inria", "dubai"),
    "cf2n": ("wv3", "qb", "gf2", "scene"),
    "unet": ("whu-opt-sar", "yyx-opt-sar", "ddhr-sk", "porto-alegre", "dubai", "terramesh"),
    "late-fusion": ("whu-opt-sar", "porto-alegre"),
    "deeplabv3plus": ("dubai",),
}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_is_valid_and_says_how_to_launch_it(name):
    training = load_recipe(name).training
    assert (training.steps or training.epochs) % training.validate_every == 0
    assert f"rsfuse train {name} " in read_recipe_text(name).split("\ndescription:")[0]


def test_there_is_a_recipe_for_every_network_and_data_set_of_the_seeds():
    wanted = {f"{network}_{data}" for network, sets in SEEDS.items() for data in sets}
    assert {"pad_demo", "pad_sentinel-10m"} | wanted == set(recipe_names())


def test_only_recipes_are_taken_for_recipes():
    assert (recipes_folder() / "README.md").is_file()
    assert "README" not in recipe_names()


@pytest.mark.parametrize("data", ["porto-alegre", "dubai", "terramesh"])
def test_networks_that_are_to_be_compared_differ_in_nothing_but_the_network(data):
    recipes = [load_recipe(name) for name in recipe_names() if name.endswith(f"_{data}")]
    assert len(recipes) > 1
    for recipe in recipes[1:]:
        for section in ("inputs", "training", "optimizer", "schedule", "augmentation", "storage"):
            assert getattr(recipe, section) == getattr(recipes[0], section)
        assert recipe.loss.class_weights == recipes[0].loss.class_weights
        assert recipe.loss.terms == recipes[0].loss.terms


def test_settings_are_laid_over_the_recipe_and_read_as_yaml():
    recipe = load_recipe("pad_demo", ["training.steps=7", "network.stages=[1, 2, 3]", "inputs.sensors=sar"])
    assert recipe.training.steps == 7
    assert recipe.network["stages"] == [1, 2, 3]
    assert recipe.inputs.sensors == "sar"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("training.steps=-1", "training.steps"),
        ("network.spectrum=cubic", "spectrum"),
        ("description", "description"),
        ("description.deeper=1", "description.deeper"),
        ("training.steps=[", "training.steps"),
        ("training.epochs=3", "give either steps or epochs"),
        ("network=pad", "network: Input should be a valid dictionary"),
        ("optimizer.name=adamv", "optimizer.name: Input should be 'adamw', 'adam' or 'sgd'"),
        ("inputs.scaling={low: 2}", "inputs.scaling: .*'kind'"),
        ("inputs.scaling.low=5", r"inputs\.scaling\.low: Input should be 1 or 2 \(given 5\)"),
        ("loss.terms={dicee: 1}", r"loss\.terms\.dicee: Input should be .*'dice'"),
        ("augmentation.scale=[2, 1]", "scale goes from 2 down to 1"),
        ("augmentation={drop_optical: 0.6, drop_sar: 0.6}", "more than all samples"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_place(setting, told):
    with pytest.raises(RecipeError, match=told) as caught:
        load_recipe("pad_demo", [setting])
    assert caught.value.hint


def test_moments_have_no_anchor_to_move():
    settings = ["inputs.scaling={kind: fixed-moments}", "augmentation.anchor=0.5"]
    with pytest.raises(RecipeError, match=r"augmentation\.anchor 0\.5 moves percentiles"):
        load_recipe("pad_demo", settings)


@pytest.mark.parametrize(
    ("recipe", "setting", "told"),
    [
        ("pad_demo", "trainin.steps=7", "trainin: no such key; did you mean 'training'?"),
        ("pad_demo", "training.stepz=7", "training.stepz: no such key; did you mean 'steps'?"),
        ("pad_demo", "augmentation.flip=true", "augmentation.flip: no such key; did you mean 'flips'?"),
        ("pad_demo", "inputs.scaling.lwo=1", "inputs.scaling.lwo: no such key; did you mean 'low'?"),
        ("pad_whu-opt-sar", "inputs.scaling.opticl={}", "inputs.scaling.opticl: no such key; did you mean 'optical'?"),
        ("pad_whu-opt-sar", "inputs.scaling.sar.sdt=[1]", "inputs.scaling.sar.sdt: no such key; did you mean 'std'?"),
        ("pad_whu-opt-sar", "inputs.scaling.low=2", "inputs.scaling.low: no such key; there are kind, optical, sar"),
        ("pad_demo", "inputs.scaling.kind=fixed-momentz", "inputs.scaling.kind: there is no 'fixed-momentz'; did you"),
        ("cf2n_wv3", "inputs.divisr=2047", "inputs.divisr: no such key; did you mean 'divisor'?"),
        ("pad_demo", "network.encodr=x", "network 'pad': encodr: no such key; did you mean 'encoder'?"),
        ("f2net_inria", "network.low_scales=1", "network 'f2net': low_scales: no such key; did you mean 'low_scale'?"),
        ("cf2n_wv3", "network.chanels=8", "network 'cf2n': chanels: no such key; did you mean 'channels'?"),
        ("pad_demo", "network.num_classes=5", "num_classes: no such key"),
    ],
)
def test_a_typo_is_told_with_the_nearest_name(recipe, setting, told):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, [setting])
    assert told in str(caught.value)


@pytest.mark.parametrize("recipe", ["pad_demo", "cf2n_wv3"])
@pytest.mark.parametrize(("typo", "meant"), [("whfnett", "whfnet"), ("cf2m", "cf2n"), ("early_fusion", "early-fusion")])
def test_a_typo_in_the_name_of_a_network_is_told_before_all_that_follows_from_it(recipe, typo, meant):
    with pytest.raises(RecipeError, match=f"no network is called '{typo}'") as caught:
        load_recipe(recipe, [f"network.name={typo}"])
    assert f"did you mean '{meant}'?" in (caught.value.hint or "")


@pytest.mark.parametrize("setting", ["network={}", "network={encoder: resnet18}", "network.name=", "network.name=''"])
def test_a_network_without_a_name_is_told_to_need_one(setting):
    with pytest.raises(RecipeError, match="network has no name") as caught:
        load_recipe("pad_demo", [setting])
    assert all(name in caught.value.hint for name in ("network.name", "whfnet", "cf2n"))


@pytest.mark.parametrize("name", recipe_names())
def test_a_typo_in_the_name_of_a_recipe_finds_the_nearest(name):
    typo = name[:1] + name[2:]
    with pytest.raises(RecipeError, match="there is no recipe") as caught:
        find_recipe(typo)
    assert f"did you mean '{name}'?" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["- a list", "{unclosed", ""])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError):
        load_recipe(path)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_written_down_by_a_program_reads_the_same(name, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(load_recipe(name).model_dump(mode="json")), encoding="utf-8")
    assert load_recipe(path) == load_recipe(name)


def test_what_the_tiles_decide_is_no_option_of_a_network():
    fields = network_options("pad").model_fields
    assert "encoder" in fields
    assert not {"optical_channels", "sar_channels", "num_classes"} & set(fields)
