"""WHU-OPT-SAR: 100 scenes of GF-1 and GF-3 over Hubei, 5 m, seven classes, whole or cut by those who trained on it.

Whole, as published:             optical/, sar/, lbl/                        NH49E001013.tif
Cut by the PAD authors:          all_512x512/{opt,sar,lbl8}/                 NH49E001013_1.tif, lists beside
Cut by the ASANet authors:       crop512/{train,test}/{opt,sar,ann}_dir/     NH49E001013_000.tif
Cut by SOLC, an unofficial MCANet:  {train,val,test}/{opt,sar,lbl}/          NH49E001013_1.tif
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rsfuse.coding import LabelCoding
from rsfuse.errors import TileSetError
from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.chips import (
    names_of_bands,
    notes_on_sar,
    notes_on_torn,
    sar_bands_of,
    side_of,
    source_of,
)
from rsfuse.raster.datasets.dataset import Dataset, Split, scene_of
from rsfuse.raster.datasets.layers import Layers, not_found
from rsfuse.raster.datasets.lists import SPLIT_OF_FOLDER, find_lists, read_lists, read_sections, told

_WHOLE = Layers({"optical": ("optical",), "sar": ("sar",), "labels": ("lbl",)})
_CUT = Layers({"optical": ("opt", "opt_dir"), "sar": ("sar", "sar_dir"), "labels": ("lbl8", "lbl", "ann_dir")})
_DIVISION = "The division of the dataset.txt"
_ASANET_LISTS: dict[Split, str] = {"train": "train_list.txt", "test": "test_list.txt"}
_PAD_LISTS: dict[Split, str] = {split: f"whuoptsar_{split}_*.txt" for split in ("train", "val", "test")}
_BANDS = ("red", "green", "blue", "nir")


def read_whu_opt_sar(root: Path) -> Dataset:
    """The files of WHU-OPT-SAR: the whole scenes where they are there, else what others have cut from them.

    Raises:
        TileSetError: if it is laid out in no known way, a file is missing or too many, or a list does not fit.
        SceneError: if the first chip is not a raster.
    """
    whole, cut = _WHOLE.under(root), _CUT.under(root)
    if not whole and not cut:
        raise not_found(root, _WHOLE, _CUT)
    if not whole:
        return _read_cut(root, cut)
    if len(whole) > 1:
        raise TileSetError(
            f"{root} holds {len(whole)} copies of the scenes: {', '.join(map(str, whole))}",
            hint="name one of these folders",
        )
    aside = (f"Tiles in {', '.join(map(str, cut))} are left aside: name their root to read them.",) if cut else ()
    return _read_whole(root, whole[0], aside)


def _read_whole(root: Path, folder: Path, notes: tuple[str, ...]) -> Dataset:
    files = _WHOLE.files(folder)
    division = next((path for place in (root, folder) if (path := place / _DIVISION).is_file()), None)
    lists = {} if division else find_lists(root, [_ASANET_LISTS])
    splits: dict[str, Split] = {}
    if division:
        splits = read_sections(division, files)
    elif lists:
        splits = read_lists(lists, files)
    else:
        notes = (f"There is no {_DIVISION!r} under {root}: it holds the official split, 80 and 20 scenes.", *notes)
    return Dataset(
        name="whu-opt-sar",
        scenes=tuple(scene_of(name, layers, split=splits.get(name)) for name, layers in files.items()),
        legend=legend_named("whu-opt-sar"),
        coding=replace(
            LabelCoding.of(legend_named("whu-opt-sar")), colors={}
        ),  # in tiles alone are codes divided by 10
        optical_bands=_BANDS,
        sar_bands=("sar",),
        size=512,
        edge="drop",
        split_source=str(division) if division else told(lists) if lists else "",
        notes=(
            "A scene gives 10 x 7 = 70 tiles of 512 px, 7000 in all, as the PAD authors cut them; "
            "with the last row and column shifted back 11 x 8 = 88, as the ASANet authors cut them: --edge shift.",
            *notes_on_sar(("sar",)),
            *notes,
        ),
    )


def _read_cut(root: Path, folders: list[Path]) -> Dataset:
    by_folder = {folder: SPLIT_OF_FOLDER.get(folder.name.lower()) for folder in folders}
    if len(folders) > 1 and (None in by_folder.values() or len(set(by_folder.values())) < len(folders)):
        raise TileSetError(
            f"{root} holds tiles cut in {len(folders)} ways: {', '.join(map(str, folders))}",
            hint="name the folder of one of them",
        )
    files = {name: (folder, layers) for folder in folders for name, layers in _CUT.files(folder).items()}
    lists = {} if all(by_folder.values()) else find_lists(folders[0].parent, [_PAD_LISTS])
    listed = read_lists(lists, files) if lists else {}
    scenes = tuple(
        scene_of(name, layers, split=by_folder[folder] or listed.get(name), group=source_of(layers["optical"]))
        for name, (folder, layers) in sorted(files.items())
    )
    first = scenes[0]
    sar = sar_bands_of(first.sar) if first.sar else ()
    return Dataset(
        name="whu-opt-sar",
        scenes=scenes,
        legend=legend_named("whu-opt-sar"),
        coding=coding_named("whu-opt-sar"),
        optical_bands=names_of_bands(first.optical, _BANDS),
        sar_bands=sar,
        size=side_of(first.optical),
        chips=True,
        split_source=told(lists) if lists else f"the folders of {root}" if any(by_folder.values()) else "",
        notes=(
            "Labels may hold the codes 0, 10, ... 70 or, divided by 10, 0 to 7; tiles with 0 to 6 and 255, as WHFNet "
            "takes them, would be misread.",
            *notes_on_sar(sar),
            *notes_on_torn(scenes),
        ),
    )
