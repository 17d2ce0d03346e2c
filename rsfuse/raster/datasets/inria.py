"""Inria aerial images: 180 tiles of 5000 px, 0.3 m, five cities of 36, buildings or not.

As published:              AerialImageDataset/train/{images,gt}/austin1.tif; test/images/ has no gt/
As the FCtL authors do:    austin1_sat.tif, austin1_mask.tif, with lists in txt_1/
Prepared as F2Net does:    img_dir/{train,val,test}/austin1_sat.tif, ann_dir/{train,val,test}/austin1_mask.png
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from rsfuse.coding import LabelCoding
from rsfuse.errors import TileSetError
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.dataset import Dataset, SceneFiles, scene_of
from rsfuse.raster.datasets.layers import Layers, not_found
from rsfuse.raster.datasets.tagged import Tagged, find_tagged, split_by_lists

_LAYERS = Layers({"optical": ("images",), "labels": ("gt",)})
_TILES, _OF_A_CITY = 180, 36


def read_inria(root: Path) -> Dataset:
    """The files of Inria's aerial images.

    Raises:
        TileSetError: if there are none, an image or a mask has no partner, or a list does not fit.
    """
    found = _published(root) or find_tagged(root)
    if found is None:
        raise not_found(root, _LAYERS, "<tile>_sat.tif + <tile>_mask.tif", "img_dir/ + ann_dir/")
    no_lists = (
        f"The protocol of FCtL is 126, 27 and 27 tiles: lay its train.txt, crossvali.txt and test.txt into {root}."
    )
    return Dataset(
        name="inria",
        scenes=found.scenes,
        legend=legend_named("inria"),
        coding=LabelCoding.of(legend_named("inria")) if found.apart else coding_named("inria"),
        optical_bands=("red", "green", "blue"),
        size=2500,
        edge="drop",
        chips=True,
        split_source=found.split_source,
        notes=(
            *_notes_on_count(found.scenes),
            *(() if found.split_source else (no_lists,)),
            *(() if found.apart else ("Masks are taken for 0 and 255: one of 0 and 1 would be all background.",)),
            *found.notes,
        ),
    )


def _published(root: Path) -> Tagged | None:
    folders = _LAYERS.under(root)
    if not folders:
        return None
    if len(folders) > 1:
        raise TileSetError(
            f"{root} holds {len(folders)} data sets: {', '.join(map(str, folders))}", hint="name one of these folders"
        )
    files = _LAYERS.files(folders[0])
    splits, source = split_by_lists(root, files)
    scenes = tuple(scene_of(name, layers, split=splits.get(name)) for name, layers in files.items())
    return Tagged(scenes, apart=False, split_source=source, notes=_notes_on_test(root, folders[0]))


def _notes_on_test(root: Path, folder: Path) -> tuple[str, ...]:
    images = folder.parent / "test" / "images"
    if folder == root or not images.is_dir():
        return ()
    count = sum(path.suffix.lower() == ".tif" for path in images.iterdir())
    return (f"{count} images in {images} have no gt, and are not part.",)


def _notes_on_count(scenes: tuple[SceneFiles, ...]) -> tuple[str, ...]:
    cities = Counter(re.sub(r"\d+$", "", scene.name) for scene in scenes)
    if len(scenes) == _TILES and set(cities.values()) == {_OF_A_CITY}:
        return ()
    shown = ", ".join(f"{count} {city}" for city, count in cities.items())
    return (f"There are {len(scenes)} tiles ({shown}), the data set has {_TILES}, {_OF_A_CITY} of each of 5 cities.",)
