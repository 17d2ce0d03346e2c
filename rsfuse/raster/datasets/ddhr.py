"""DDHR: chips of GF-2 and GF-3 over Xi'an (128 px), Pohang (256 px, with painted clouds) and Shandong, five classes.

As published: korea/256_cloud/{GF2,GF3,label}/, Xian/128/{GF2,GF3,label}/, each with lists in listtxt/.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.chips import LONELY, notes_on_sar, notes_on_torn, sar_bands_of, side_of
from rsfuse.raster.datasets.dataset import Dataset, SceneFiles, Split, scene_of
from rsfuse.raster.datasets.layers import Layers, not_found
from rsfuse.raster.datasets.lists import find_lists, read_lists, told

_LAYERS = Layers({"optical": ("gf2",), "sar": ("gf3",), "labels": ("label",)})
_LISTS: tuple[dict[Split, str], ...] = (  # M for both sensors together
    {"train": "trainM.txt", "val": "valM.txt", "test": "testM.txt"},
    {"train": "trainM_list.txt", "val": "valM_list.txt", "test": "testM_list.txt"},
    {"train": "train.txt", "val": "val.txt", "test": "test.txt"},
)
_NAMES = (
    "The sources disagree whether 2 is greenery and 4 farmland (ASANet, this legend) or the other way round (WHFNet): "
    "look at some labels, and choose --legend ddhr-whfnet where they fit better."
)


def read_ddhr(root: Path) -> Dataset:
    """The files of one or more subsets of DDHR; where there are several, names begin with the subset's.

    Raises:
        TileSetError: if there is no subset, a file is missing or too many, a list does not fit, or the subsets are of
            several sizes.
        SceneError: if the first chip is not a raster.
    """
    subsets = _LAYERS.under(root)
    if not subsets:
        raise not_found(root, _LAYERS)
    files = {subset: _LAYERS.files(subset) for subset in subsets}
    size = _one_size({subset: side_of(next(iter(files[subset].values()))["optical"]) for subset in subsets}, root)
    lists = {subset: there for subset in subsets if (there := find_lists(subset, _LISTS))}
    if lists and len(lists) < len(subsets):
        without = next(subset for subset in subsets if subset not in lists)
        raise TileSetError(
            f"{len(lists)} of {len(subsets)} subsets under {root} have lists of a split, {without} has none",
            hint="name the folder of one subset as the root",
        )
    found = (
        _scenes(subset, root, files[subset], read_lists(lists[subset], files[subset]) if lists else {})
        for subset in subsets
    )
    scenes = _together(list(chain.from_iterable(found)), subsets)
    sar = sar_bands_of(next(iter(files[subsets[0]].values()))["sar"])
    return Dataset(
        name="ddhr",
        scenes=tuple(sorted(scenes, key=lambda scene: scene.name)),
        legend=legend_named("ddhr"),
        coding=coding_named("ddhr"),
        optical_bands=("red", "green", "blue"),
        sar_bands=sar,
        size=size,
        chips=True,
        split_source="; ".join(map(told, lists.values())),
        notes=(_NAMES, *notes_on_sar(sar), *notes_on_torn(scenes), *(() if lists else (LONELY,))),
    )


def _one_size(sizes: dict[Path, int], root: Path) -> int:
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{subset} ({size} px)" for subset, size in sizes.items())
        raise TileSetError(
            f"the subsets under {root} are of several sizes: {shown}", hint="name the folder of one subset as the root"
        )
    return next(iter(sizes.values()))


def _scenes(subset: Path, root: Path, files: dict[str, dict[str, Path]], splits: dict[str, Split]) -> list[SceneFiles]:
    prefix = "-".join(subset.relative_to(root).parts)
    return [
        scene_of(f"{prefix}_{name}" if prefix else name, layers, split=splits.get(name))
        for name, layers in files.items()
    ]


def _together(scenes: list[SceneFiles], subsets: list[Path]) -> list[SceneFiles]:
    """Subsets side by side may be one place with and without clouds: what shares a name is one group there."""
    beside = Counter(subset.parent for subset in subsets)

    def group(optical: Path) -> str:
        place = optical.parent.parent.parent
        return f"{place.name}_{optical.stem}" if beside[place] > 1 else ""

    return [replace(scene, group=group(scene.optical)) for scene in scenes]
