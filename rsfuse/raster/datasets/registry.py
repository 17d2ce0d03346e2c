"""The public data sets that rsfuse reads by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rsfuse.errors import TileSetError, did_you_mean
from rsfuse.raster.datasets.dataset import Dataset
from rsfuse.raster.datasets.ddhr import read_ddhr
from rsfuse.raster.datasets.deepglobe import read_deepglobe
from rsfuse.raster.datasets.inria import read_inria
from rsfuse.raster.datasets.pie_rgb_sar import read_pie_rgb_sar
from rsfuse.raster.datasets.whu_opt_sar import read_whu_opt_sar
from rsfuse.raster.datasets.yyx_opt_sar import read_yyx_opt_sar

DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "whu-opt-sar": read_whu_opt_sar,
    "ddhr": read_ddhr,
    "pie-rgb-sar": read_pie_rgb_sar,
    "yyx-opt-sar": read_yyx_opt_sar,
    "deepglobe": read_deepglobe,
    "inria": read_inria,
}
"""From name to the function that lists the files under a root folder, which must be there. It reads no pixel."""


def open_dataset(name: str, root: Path) -> Dataset:
    """The files of a public data set; no pixel is read.

    Args:
        name: one of `DATASETS`.
        root: the folder it was unpacked to.

    Raises:
        TileSetError: if no data set is called so, the root is no folder, or what lies there is not the data set.
        SceneError: if the first chip is not a raster.
    """
    if name not in DATASETS:
        meant = did_you_mean(name.lower(), DATASETS)
        raise TileSetError(
            f"no data set is called {name!r}", hint=f"{meant} choose one of: {', '.join(DATASETS)}".lstrip()
        )
    if not root.is_dir():
        raise TileSetError(f"there is no folder {root}", hint="name the folder that the data set was unpacked to")
    return DATASETS[name](root)
