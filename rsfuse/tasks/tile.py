"""Tile: a scene and its labels in, a folder of training tiles out."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.geometry.plan import Plan
from rsfuse.legend import Legend
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiles import Labels, TileSetWriter
from rsfuse.tasks.progress import Progress, unheard

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class TileSettings:
    """What a user may choose about tiling.

    Args:
        size: side of a tile in pixels.
        window: the part of the scene to cut, or None for all of it.
        val: share of the columns of tiles, from the right edge of the window, that is kept for validation.
        split: the split of all other tiles.
        min_valid: tiles with a smaller share of pixels with data are left out.
        overwrite: replace a folder of tiles that is there already.
    """

    size: int = 512
    window: Window | None = None
    val: float = 0.0
    split: Split = "train"
    min_valid: float = 0.1
    overwrite: bool = False


@dataclass(frozen=True)
class TileReport:
    """What tiling made."""

    folder: Path
    tiles: int
    left_out: int
    splits: dict[str, int]
    seconds: float


def tile(
    scene: Scene,
    labels: Path,
    legend: Legend | None,
    folder: Path,
    settings: TileSettings,
    *,
    progress: Progress = unheard,
) -> TileReport:
    """Cut a scene into tiles that do not overlap; what is left over at the right and lower edge is not cut.

    Validation takes whole columns of tiles, so that no validation tile lies between training tiles. Columns, not rows:
    strips of acquisitions mostly lie above each other, and training should see each of them.

    Args:
        scene: what is cut.
        labels: raster of class codes.
        legend: of the codes; None for the legend that rsfuse wrote into the label raster.
        folder: for the tiles.
        settings: see there.
        progress: told after every tile.

    Raises:
        TileSetError: if the window does not hold a single tile.
        LegendMismatchError: if a label code is not in the legend, or nobody says what the codes mean.
        OutputError: if the folder is not empty or the disk is full.
    """
    start = time.monotonic()
    whole = Window(0, 0, scene.grid.width, scene.grid.height)
    window = _inside(settings.window or whole, whole)
    rows, columns = int(window.height // settings.size), int(window.width // settings.size)
    if rows == 0 or columns == 0:
        raise TileSetError(
            f"no tile of {settings.size} px fits into {window.height:.0f} x {window.width:.0f} px",
            hint="choose a smaller --size or a larger --window",
        )
    plan = Plan.sliding(rows * settings.size, columns * settings.size, size=settings.size)
    first_val = columns - round(columns * settings.val)
    splits: Counter[str] = Counter()
    how = f"the right {columns - first_val} of {columns} columns of tiles for validation, all others {settings.split}"
    with ExitStack() as opened:
        reference = opened.enter_context(Labels(labels, scene.grid))
        legend = legend or reference.known_legend()
        writer = opened.enter_context(
            TileSetWriter(
                folder,
                scene,
                legend,
                size=settings.size,
                split=how,
                labels=labels,
                overwrite=settings.overwrite,
            )
        )
        for number, patch in enumerate(plan):
            row, column = divmod(number, columns)
            here = Window(
                window.col_off + patch.read.col_off, window.row_off + patch.read.row_off, *(settings.size,) * 2
            )
            codes, sample = reference.read(here), scene.read(here)
            legend.check(codes, f"{labels}, window at row {here.row_off:.0f}, column {here.col_off:.0f}")
            if sample.valid.mean() >= settings.min_valid:
                split: Split = "val" if column >= first_val else settings.split
                writer.add(f"r{row:03d}c{column:03d}", split, here, sample, codes)
                splits[split] += 1
            progress(number + 1, len(plan))
    kept = splits.total()
    return TileReport(folder, kept, len(plan) - kept, dict(splits), time.monotonic() - start)


def _inside(window: Window, whole: Window) -> Window:
    if (
        min(window.col_off, window.row_off) < 0
        or window.col_off + window.width > whole.width
        or window.row_off + window.height > whole.height
    ):
        raise TileSetError(
            f"window (column {window.col_off:.0f}, row {window.row_off:.0f}, "
            f"{window.width:.0f} x {window.height:.0f} px) reaches beyond the scene "
            f"of {whole.width:.0f} x {whole.height:.0f} px",
            hint="give --window COLUMN ROW WIDTH HEIGHT inside the scene",
        )
    return window
