"""What `rsfuse tile` does for sharpening: patches of PanCollection, or of a scene by Wald's protocol."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rsfuse.cli import show
from rsfuse.cli.pan_ms import warn_of_left_out, warn_of_offset, warn_of_repeats
from rsfuse.cli.tile_report import show_patches
from rsfuse.errors import TileSetError

if TYPE_CHECKING:
    from rsfuse.raster.sharpening.offset import Offset
    from rsfuse.raster.sharpening.scene import PanMsScene
    from rsfuse.raster.sharpening.wald import WaldSettings


class PanMs(NamedTuple):
    """The rasters of a scene to be sharpened, the bands of the multispectral one, and whether it is to be moved."""

    pan: Path
    ms: Path
    bands: tuple[int, ...] | None
    align: bool


def list_patches(roots: list[Path], out: Path, *, overwrite: bool, as_json: bool) -> None:
    """PanCollection's patches, which stay where they are."""
    from rsfuse.raster.sharpening.patches import write_sharpening_set

    if len(roots) != 1:
        raise TileSetError(f"{len(roots)} roots of PanCollection are given", hint="give one")
    start = time.monotonic()
    report = write_sharpening_set(roots[0], out, overwrite=overwrite)
    show_patches(report, time.monotonic() - start, as_json=as_json)


def cut_patches(pair: PanMs, sensor: str, out: Path, settings: WaldSettings, *, as_json: bool) -> None:
    """Patches of a scene one scale down."""
    from rsfuse.raster.sharpening.offset import repeated, undone
    from rsfuse.raster.sharpening.scene import PanMsScene
    from rsfuse.raster.sharpening.wald import write_wald_set

    start = time.monotonic()
    with ExitStack() as opened:
        own = opened.enter_context(PanMsScene(pair.pan, pair.ms, bands=pair.bands))
        offset = _offset(own) if pair.align else None
        scene = opened.enter_context(own.moved(undone(offset)))
        with show.progress("reducing", "patches") as progress:
            report = write_wald_set(scene, sensor, out, settings, progress=progress)
        warn_of_left_out(own.transparent)
        warn_of_repeats(repeated(own))
        warn_of_offset(offset or _offset(own), aligned=pair.align)
    show_patches(report, time.monotonic() - start, as_json=as_json)


def _offset(scene: PanMsScene) -> Offset:
    from rsfuse.raster.sharpening.offset import measure_offset

    with show.progress("matching", "tiles") as progress:
        return measure_offset(scene, progress)
