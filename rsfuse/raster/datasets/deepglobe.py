"""DeepGlobe land cover: 803 pictures of 2448 px, 0.5 m, with masks of seven colours.

As published:              train/, valid/, test/ with <id>_sat.jpg, and <id>_mask.png in train/ alone; or one folder
Prepared as F2Net does:    img_dir/{train,val,test}/<id>_sat.jpg, ann_dir/{train,val,test}/<id>_mask.png
"""

from __future__ import annotations

from pathlib import Path

from rsfuse.coding import LabelCoding
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.dataset import Dataset
from rsfuse.raster.datasets.layers import not_found
from rsfuse.raster.datasets.tagged import find_tagged

_PAIRS = 803


def read_deepglobe(root: Path) -> Dataset:
    """The files of DeepGlobe land cover.

    Raises:
        TileSetError: if there are none, a picture or a mask has no partner, or a list does not fit.
    """
    found = find_tagged(root)
    if found is None:
        raise not_found(root, "<id>_sat.jpg + <id>_mask.png", "train/<id>_sat.jpg", "img_dir/ + ann_dir/")
    count = len(found.scenes)
    no_lists = (
        "The protocol of GLNet, which others follow, is 454, 207 and 142 pictures: "
        f"lay its train.txt, crossvali.txt and test.txt into {root}."
    )
    return Dataset(
        name="deepglobe",
        scenes=found.scenes,
        legend=legend_named("deepglobe"),
        coding=LabelCoding.of(legend_named("deepglobe")) if found.apart else coding_named("deepglobe"),
        optical_bands=("red", "green", "blue"),
        size=1224,
        edge="drop",
        chips=True,
        split_source=found.split_source,
        notes=(
            "A tile of 1224 px is a quarter of a picture, half its side, as in the protocol that F2Net follows.",
            *((f"There are {count} pairs, the data set has {_PAIRS}.",) if count != _PAIRS else ()),
            *(() if found.split_source else (no_lists,)),
            *found.notes,
        ),
    )
