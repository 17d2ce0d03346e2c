"""Scenes of one's own as a data set: which SAR and which labels go with which optical raster."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rsfuse.coding import LabelCoding
from rsfuse.errors import TileSetError
from rsfuse.legend import Legend
from rsfuse.raster.datasets.dataset import Dataset, SceneFiles
from rsfuse.raster.drawn.polygons import holds_polygons
from rsfuse.raster.labels import Labels

_RASTERS = {".tif", ".tiff", ".vrt", ".img", ".jp2", ".png", ".jpg", ".jpeg", ".dat"}


def own_dataset(
    optical: Sequence[Path],
    sar: Sequence[Path],
    labels: Sequence[Path],
    legend: Legend | None = None,
    coding: LabelCoding | None = None,
) -> Dataset:
    """A data set of one's own scenes.

    Files are paired in the order in which they are given, or, where a folder stands for them, by their names: those of
    one scene have the same stem. One label file may serve all scenes.

    Args:
        optical: optical rasters, or folders of them.
        sar: as many SAR rasters, or folders; or none.
        labels: as many label rasters or files of polygons, or folders; or one for all scenes.
        legend: of the labels; None for the one that rsfuse wrote into the first of them.
        coding: how the label files say what they mean; None for the legend's own codes, colours and names.

    Raises:
        TileSetError: if a scene lacks a file, or a file a scene.
        LegendMismatchError: if nobody says what the labels mean.
    """
    images = _files(optical)
    radar, truth = (_paired(layer, files, images) for layer, files in (("--sar", sar), ("--labels", labels)))
    names = _names(images)
    scenes = tuple(SceneFiles(*each) for each in zip(names, images, radar, truth, strict=True))
    if legend is None:
        legend = _painted(next(path for path in truth if path is not None))
    return Dataset(
        name="", scenes=scenes, legend=legend, coding=coding or LabelCoding.of(legend), optical_bands=(), by_size=False
    )


def _painted(path: Path) -> Legend:
    if holds_polygons(path):
        raise TileSetError(f"{path} does not say what its classes are", hint="name its legend: --legend whu-opt-sar")
    with Labels(path) as labels:
        return labels.known_legend()


def _files(given: Sequence[Path]) -> list[Path]:
    """Rasters, folders replaced by what lies in them."""
    found: list[Path] = []
    for path in given:
        inside = sorted(each for each in path.iterdir() if each.suffix.lower() in _RASTERS) if path.is_dir() else [path]
        if not inside:
            raise TileSetError(f"folder {path} holds no raster", hint=f"name files of: {', '.join(sorted(_RASTERS))}")
        found.extend(inside)
    return found


def _paired(option: str, given: Sequence[Path], images: Sequence[Path]) -> list[Path | None]:
    """The file for each image."""
    if not given:
        return [None] * len(images)
    if any(path.is_dir() for path in given):
        return list(_by_stem(option, given, images))
    if len(given) == 1 and option == "--labels":
        return [given[0]] * len(images)
    if len(given) != len(images):
        raise TileSetError(
            f"{len(images)} optical rasters, and {len(given)} files for {option}",
            hint=f"give {option} once for every optical raster, in their order, or a folder of files of the same names",
        )
    return list(given)


def _by_stem(option: str, given: Sequence[Path], images: Sequence[Path]) -> list[Path]:
    partners = [
        each
        for path in given
        for each in (sorted(path.iterdir()) if path.is_dir() else [path])
        if each.suffix.lower() in _RASTERS or holds_polygons(each)
    ]
    twice = [*_of_one_stem(partners), *_of_one_stem(images)]
    if twice:
        raise TileSetError(
            f"{twice[0]} and {twice[1]} have one stem: nobody knows which goes with which ({option})",
            hint="name files one by one, in the same order, or give them names of their own",
        )
    of_stem = {path.stem: path for path in partners}
    missing = [image for image in images if image.stem not in of_stem]
    extra = [path for path in partners if path.stem not in {image.stem for image in images}]
    if missing or extra:
        lonely = missing[0] if missing else extra[0]
        raise TileSetError(
            f"{len(missing)} optical rasters have no partner for {option}, {len(extra)} files there no optical raster; "
            f"the first is {lonely}",
            hint="give files of one scene the same name in both folders, or list them one by one in the same order",
        )
    return [of_stem[image.stem] for image in images]


def _of_one_stem(paths: Sequence[Path]) -> list[Path]:
    """The first files that share a stem; nothing where each has one of its own."""
    count = Counter(path.stem for path in paths)
    return [path for path in paths if path.stem == next((stem for stem in count if count[stem] > 1), None)][:2]


def _names(images: Sequence[Path]) -> list[str]:
    """A name for each scene: the stem, with the folder before it where stems are not enough."""
    stems = Counter(path.stem for path in images)
    told = [path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}_{path.stem}" for path in images]
    return [re.sub(r"[^\w.-]", "-", name) for name in told]
