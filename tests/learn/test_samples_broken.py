"""A tile that cannot be used stops training with its name and a hint, whichever process has found it."""

import shutil

import numpy as np
import pytest
import rasterio
from torch.utils.data import DataLoader

from rsfuse.errors import LegendMismatchError, SceneError, TileSetError
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.samples import TrainingSamples, ValidationSamples, collate, raise_broken, sources
from rsfuse.raster.tiles import TileSet


@pytest.fixture(scope="module")
def recipe():
    """Crops of 32 px, nothing varied, unbalanced."""
    chosen = load_recipe("pad_sentinel-10m", ["training.crop=32", "training.batch=4", "training.balance=false"])
    return chosen.model_copy(update={"augmentation": NO_AUGMENTATION})


@pytest.fixture
def copied(tiles, tmp_path):
    """The tile set again, to be broken."""
    return TileSet(shutil.copytree(tiles.folder, tmp_path / "tiles"))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def load(samples, workers):
    for batch in DataLoader(samples, 2, num_workers=workers, collate_fn=collate):
        raise_broken(batch)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("split", "layer"), [("train", "optical"), ("train", "labels"), ("val", "sar")])
def test_a_broken_file_is_named_with_a_hint_by_every_process(recipe, copied, split, layer, workers):
    origins = sources(recipe, [copied], split, None)
    path = truncate(copied.folder / layer / f"{origins[2].tile.name}.tif")
    training = split == "train"
    samples = TrainingSamples(recipe, origins, 0, 3) if training else ValidationSamples(origins, 32)
    with pytest.raises(SceneError) as told:
        load(samples, workers)
    assert str(path) in str(told.value)
    assert "Traceback" not in str(told.value)
    assert told.value.hint


def test_samples_beside_a_broken_one_are_whole(recipe, copied):
    truncate(copied.folder / "optical" / f"{copied.select('val')[1].name}.tif")
    samples = ValidationSamples(sources(recipe, [copied], "val", None), 32)
    broken = [isinstance(samples[place], SceneError) for place in range(len(samples))]
    assert broken == [4 <= place < 8 for place in range(16)]
    batch = collate([samples[place] for place in range(4)])
    assert raise_broken(batch) is None
    assert [tuple(each.shape) for each in batch] == [(4, 3, 32, 32), (4, 1, 32, 32), (4, 32, 32)]


def test_a_label_that_is_not_known_is_told_with_its_tile(recipe, copied):
    name = copied.select("val")[0].name
    with rasterio.open(copied.folder / "labels" / f"{name}.tif", "r+") as file:
        file.write(np.full((1, 64, 64), 99, np.uint8))
    samples = ValidationSamples(sources(recipe, [copied], "val", None), 32)
    with pytest.raises(LegendMismatchError, match=rf"tile {name} of .*99"):
        load(samples, 0)


def test_tiles_without_any_label_cannot_be_balanced(recipe, copied):
    for each in copied.select("train"):
        with rasterio.open(copied.folder / "labels" / f"{each.name}.tif", "r+") as file:
            file.write(np.full((1, 64, 64), 255, np.uint8))
        object.__setattr__(each, "classes", None)
    balanced = recipe.model_copy(update={"training": recipe.training.model_copy(update={"balance": True})})
    with pytest.raises(TileSetError, match="none of the 12 training tiles has a labelled pixel"):
        TrainingSamples(balanced, sources(recipe, [copied], "train", None), 0, 3)
