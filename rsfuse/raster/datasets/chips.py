"""What the header of one chip tells about all chips of a data set: their side and their bands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.opening import open_raster

LONELY = "Nothing says which chips are neighbours on the ground: a split at random may put them on both sides."
"""Note on chips without coordinates that come without a split of their own."""


def side_of(path: Path) -> int:
    """Side of the largest square in a raster, in pixels.

    Raises:
        SceneError: if it is not a raster.
    """
    with open_raster(path) as file:
        return min(int(file.height), int(file.width))


def names_of_bands(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The first of `names`, as many as the raster has bands.

    Raises:
        SceneError: if it is not a raster.
        TileSetError: if it has more bands than there are names.
    """
    with open_raster(path) as file:
        count = int(file.count)
    if count > len(names):
        raise TileSetError(
            f"{path} has {count} bands, the data set has {len(names)}: {', '.join(names)}",
            hint="check that the folders of optical and SAR are not mixed up",
        )
    return tuple(names[:count])


def sar_bands_of(path: Path) -> tuple[str, ...]:
    """Names of the bands of a SAR chip: nobody says which polarisation they are.

    Raises:
        SceneError: if it is not a raster.
    """
    with open_raster(path) as file:
        count = int(file.count)
    return ("sar",) if count == 1 else tuple(f"sar {number}" for number in range(1, count + 1))


def notes_on_sar(bands: Sequence[str]) -> tuple[str, ...]:
    """What to know of SAR that comes as pictures."""
    stretched = "The SAR is stretched to 8 bits: neither dB nor power, and its polarisation is not stated."
    copies = f"The SAR files have {len(bands)} bands, most likely copies of one."
    return (stretched, copies) if len(bands) > 1 else (stretched,)


def source_of(path: Path) -> str:
    """Name of the scene that a chip called <scene>_<number> was cut from.

    Raises:
        TileSetError: if it is called otherwise.
    """
    cut = re.fullmatch(r"(.+)_\d+", path.stem)
    if cut is None:
        raise TileSetError(
            f"{path} is not called like NH49E001013_1{path.suffix}: the scene it was cut from is unknown",
            hint="name chips <scene>_<number>, so that no split tears a scene apart",
        )
    return cut[1]


def notes_on_torn(scenes: Sequence[SceneFiles]) -> tuple[str, ...]:
    """A warning where a data set's own lists put chips of one group into several splits."""
    splits: dict[str, set[str | None]] = {}
    for scene in (scene for scene in scenes if scene.group):
        splits.setdefault(scene.group, set()).add(scene.split)
    torn = sum(len(found) > 1 for found in splits.values())
    if torn == 0:
        return ()
    return (
        f"This split tears {torn} of {len(splits)} scenes apart: chips of one scene lie in several splits, "
        "and scores will be too good.",
    )
