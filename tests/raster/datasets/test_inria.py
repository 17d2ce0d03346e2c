"""Inria: tiles of five cities, as downloaded, as FCtL and as F2Net lay them out."""

import numpy as np
import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.registry import open_dataset

CITIES = ("austin", "chicago", "kitsap", "tyrol-w", "vienna")
TILES = ("austin1", "tyrol-w25", "vienna36")


def splits(dataset):
    return {scene.name: scene.split for scene in dataset.scenes}


def lists(publish, under="", suffix=""):
    for name, tile in zip(("train", "crossvali", "test"), TILES, strict=True):
        publish.text(f"{under}{name}.txt", [f"{tile}{suffix}"])


@pytest.mark.parametrize("root", ["", "AerialImageDataset", "AerialImageDataset/train"])
def test_the_download_is_found_from_any_of_its_folders(publish, root):
    publish.inria(TILES)
    publish.picture("AerialImageDataset/test/images/bellingham1.tif")
    dataset = open_dataset("inria", publish.root / root)
    train = publish.root / "AerialImageDataset/train"
    assert [(scene.optical, scene.labels) for scene in dataset.scenes] == [
        (train / f"images/{tile}.tif", train / f"gt/{tile}.tif") for tile in TILES
    ]
    assert {(scene.split, scene.group, scene.sar) for scene in dataset.scenes} == {(None, "", None)}
    assert (dataset.size, dataset.chips) == (2500, True)
    assert any("1 images in" in note for note in dataset.notes) is not root.endswith("train")


@pytest.mark.parametrize("under", ["", "txt_1/"])
def test_lists_of_fctl_say_the_split_in_both_layouts(publish, under):
    publish.inria(TILES)
    lists(publish, under, "_sat.tif")
    assert splits(open_dataset("inria", publish.root)) == dict(zip(TILES, ["train", "val", "test"], strict=True))


def test_the_layout_of_fctl(publish):
    publish.inria_fctl(TILES)
    lists(publish, "txt_1/", "_sat.tif")
    dataset = open_dataset("inria", publish.root)
    assert splits(dataset) == dict(zip(TILES, ["train", "val", "test"], strict=True))
    assert dataset.scenes[0].labels == publish.root / "austin1_mask.tif"


def test_the_prepared_layout_holds_numbers(publish):
    for name, tile in zip(("train", "val", "test"), TILES, strict=True):
        publish.inria_prepared([tile], name)
    dataset = open_dataset("inria", publish.root)
    assert splits(dataset) == dict(zip(TILES, ["train", "val", "test"], strict=True))
    assert dataset.coding.translate(np.array([[[0, 1, 255]]]))[0].tolist() == [[0, 1, 255]]


def test_masks_as_published_are_background_below_128_and_buildings_from_there(publish):
    publish.inria(TILES)
    dataset = open_dataset("inria", publish.root)
    values = np.arange(256, dtype=np.uint8)
    codes, unknown = dataset.coding.translate(values[None, None])
    assert codes[0].tolist() == [1 if value > 127 else 0 for value in range(256)]
    assert unknown == {}
    assert dataset.legend.names == ("background", "building")


def test_a_full_data_set_is_not_remarked_on_and_a_part_is(publish):
    for city in CITIES:
        for number in range(1, 37):
            for folder in ("images", "gt"):
                path = publish.root / folder / f"{city}{number}.tif"
                path.parent.mkdir(exist_ok=True)
                path.touch()
    assert not any("tiles (" in note for note in open_dataset("inria", publish.root).notes)
    for folder in ("images", "gt"):
        (publish.root / folder / "tyrol-w7.tif").unlink()
    assert any(
        "179 tiles (36 austin" in note and "35 tyrol-w" in note for note in open_dataset("inria", publish.root).notes
    )


def test_an_image_without_gt_is_told(publish):
    publish.inria(TILES)
    (publish.root / "AerialImageDataset/train/gt/austin1.tif").unlink()
    with pytest.raises(TileSetError, match=r"labels of 'austin1', which goes with .*images/austin1\.tif"):
        open_dataset("inria", publish.root)
