"""PIE-RGB-SAR: chips of aerial pictures and GF-3 over the Pearl River delta, 256 px, six classes.

As published: rgb/, sar/, label/ with .tif files, and train.txt, val.txt with a name a line.
"""

from __future__ import annotations

from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.chips import LONELY, notes_on_sar, sar_bands_of, side_of
from rsfuse.raster.datasets.dataset import Dataset, Split, scene_of
from rsfuse.raster.datasets.layers import Layers, not_found
from rsfuse.raster.datasets.lists import find_lists, read_lists, told

_LAYERS = Layers({"optical": ("rgb",), "sar": ("sar",), "labels": ("label",)})
_LISTS: dict[Split, str] = {"train": "train.txt", "val": "val.txt", "test": "test.txt"}


def read_pie_rgb_sar(root: Path) -> Dataset:
    """The files of PIE-RGB-SAR.

    Raises:
        TileSetError: if a folder is missing, a file is missing or too many, or a list does not fit.
        SceneError: if the first chip is not a raster.
    """
    folders = _LAYERS.under(root)
    if not folders:
        raise not_found(root, _LAYERS)
    if len(folders) > 1:
        raise TileSetError(
            f"{root} holds {len(folders)} data sets: {', '.join(map(str, folders))}", hint="name one of these folders"
        )
    files = _LAYERS.files(folders[0])
    lists = find_lists(folders[0], [_LISTS])
    splits = read_lists(lists, files) if lists else {}
    first = next(iter(files.values()))
    sar = sar_bands_of(first["sar"])
    return Dataset(
        name="pie-rgb-sar",
        scenes=tuple(scene_of(name, layers, split=splits.get(name)) for name, layers in files.items()),
        legend=legend_named("pie-rgb-sar"),
        coding=coding_named("pie-rgb-sar"),
        optical_bands=("red", "green", "blue"),
        sar_bands=sar,
        size=side_of(first["optical"]),
        chips=True,
        split_source=told(lists) if lists else "",
        notes=(
            "The background (0) is a class of this data set, and counts in its scores.",
            *notes_on_sar(sar),
            *(() if lists else (f"There are no train.txt and val.txt in {folders[0]}. {LONELY}",)),
        ),
    )
