"""Which scenes a call of `rsfuse predict` is about, and where their maps go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rsfuse.errors import OutputError, SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsfuse.raster.pairs import Pair

_MAPS = frozenset({".tif", ".tiff"})


class Job(NamedTuple):
    """A scene, and where its map goes."""

    pair: Pair
    output: Path


def find_pairs(scenes: Sequence[Path], sar: Path | None, sar_dir: Path | None) -> list[Pair]:
    """What is to be mapped together, one pair at least.

    Raises:
        SceneError: if nobody can say.
    """
    from rsfuse.raster.pair_list import pairs_in_list
    from rsfuse.raster.pairs import Pair, pairs_by_overlap, unique_names

    listed = _list_among(scenes)
    if sar is not None and sar_dir is not None:
        raise SceneError("--sar and --sar-dir are both given", hint="give --sar for one scene, --sar-dir for several")
    if listed and (len(scenes) > 1 or sar or sar_dir):
        raise SceneError(f"{listed} is a list of scenes, and others are given beside it", hint="give the list alone")
    if listed:
        return pairs_in_list(listed)
    if sar_dir is not None and not scenes:
        raise SceneError(
            f"--sar-dir {sar_dir} is given, and no scene for which a SAR raster is looked for",
            hint=f"name the optical rasters: rsfuse predict scenes/*.tif --sar-dir {sar_dir}",
        )
    if sar_dir is not None:
        return pairs_by_overlap(scenes, sar_dir)
    if not scenes and sar is None:
        raise SceneError("there is nothing to map", hint="name a scene: rsfuse predict scene.tif --sar sar.tif")
    if sar is not None and len(scenes) > 1:
        raise SceneError(f"--sar names one raster for {len(scenes)} scenes", hint="give --sar-dir, or a list")
    if sar is not None:
        return [Pair(scenes[0] if scenes else None, sar, float("nan"), (scenes[0] if scenes else sar).stem)]
    return [Pair(path, None, float("nan"), name) for path, name in zip(scenes, unique_names(scenes), strict=True)]


def are_several(scenes: Sequence[Path], sar_dir: Path | None, out: str | None) -> bool:
    """Whether a call is answered as one about several scenes, even if there happens to be one."""
    return len(scenes) > 1 or sar_dir is not None or bool(_list_among(scenes)) or _is_folder(out)


def place_maps(pairs: Sequence[Pair], out: str | None, *, several: bool) -> list[Job]:
    """Where the map of each pair goes; nothing is made yet.

    Args:
        pairs: one at least.
        out: a file, or a folder: one that is there, ends with a slash, or is given for several and not called *.tif.
            None for the current folder.
        several: as `are_several` says.

    Raises:
        OutputError: if one file is named for several maps.
    """
    named_file = out is not None and not _is_folder(out) and (not several or Path(out).suffix.lower() in _MAPS)
    if named_file and len(pairs) == 1:
        return [Job(pairs[0], Path(out or ""))]
    folder = Path(out or "")
    if named_file or (folder.exists() and not folder.is_dir()):
        raise OutputError(
            f"{out} names one file, and there are maps of {len(pairs)} scenes to write"
            if named_file
            else f"{out} is a file, not a folder for maps",
            hint="give --out a folder, such as maps/",
        )
    return [Job(pair, folder / f"{pair.name}_landcover.tif") for pair in pairs]


def make_folder(folder: Path) -> None:
    """Make the folder of maps where there is none.

    Raises:
        OutputError: if that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="choose another --out"
        ) from error


def _is_folder(out: str | None) -> bool:
    return out is not None and (out.endswith(os.sep) or Path(out).is_dir())


def _list_among(scenes: Sequence[Path]) -> Path | None:
    from rsfuse.raster.pair_list import holds_pairs

    return next((path for path in scenes if holds_pairs(path)), None)
