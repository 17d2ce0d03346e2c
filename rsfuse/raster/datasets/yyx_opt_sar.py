"""YYX-OPT-SAR: 150 pairs of optical and SAR pictures, 512 px of 0.5 m, urban, suburban and mountain, seven classes.

Its folders are described nowhere: optical|opt|rgb/, sar/, label|labels|lbl/ are taken, also one set for each area.
"""

from __future__ import annotations

from pathlib import Path

from rsfuse.legends import coding_named, legend_named
from rsfuse.raster.datasets.chips import LONELY, notes_on_sar, sar_bands_of, side_of
from rsfuse.raster.datasets.dataset import Dataset, scene_of
from rsfuse.raster.datasets.layers import Layers, not_found

_LAYERS = Layers({"optical": ("optical", "opt", "rgb"), "sar": ("sar",), "labels": ("label", "labels", "lbl")})
_PAIRS = 150


def read_yyx_opt_sar(root: Path) -> Dataset:
    """The files of YYX-OPT-SAR; where there is a folder for each area, names begin with the area's.

    Raises:
        TileSetError: if a folder is missing, or a file is missing or too many.
        SceneError: if the first chip is not a raster.
    """
    areas = _LAYERS.under(root)
    if not areas:
        raise not_found(root, _LAYERS)
    scenes = sorted(
        (
            scene_of("-".join((*area.relative_to(root).parts, name)), layers)
            for area in areas
            for name, layers in _LAYERS.files(area).items()
        ),
        key=lambda scene: scene.name,
    )
    sar = sar_bands_of(scenes[0].sar) if scenes[0].sar else ()
    count = (f"There are {len(scenes)} pairs, the data set has {_PAIRS}.",) if len(scenes) != _PAIRS else ()
    return Dataset(
        name="yyx-opt-sar",
        scenes=tuple(scenes),
        legend=legend_named("yyx-opt-sar"),
        coding=coding_named("yyx-opt-sar"),
        optical_bands=("red", "green", "blue"),
        sar_bands=sar,
        size=side_of(scenes[0].optical),
        chips=True,
        notes=(
            "The background (0) is a class of this data set; it has no official split.",
            *count,
            *notes_on_sar(sar),
            LONELY,
        ),
    )
