"""Training patches from a user's own scene, by Wald's protocol, in HDF5 files beside their table.

train.h5, val.h5, test.h5, as far as there are patches for them, all in float32 and in digital numbers:
    gt     N x B x s x s        the original multispectral image, which a network shall find
    pan    N x 1 x s x s        the panchromatic image, brought to its pixels
    ms     N x B x s/r x s/r    the multispectral image, as many times coarser as the panchromatic one is finer
tiles.json                      see `rsfuse.raster.sharpening.manifest`; a patch is called after its first pixel
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import h5py
import numpy as np

import rsfuse
from rsfuse.geometry.sharpening.sensors import find_sensor
from rsfuse.geometry.split import Rectangles
from rsfuse.raster.disk import check_space, writing
from rsfuse.raster.manifest import TILES
from rsfuse.raster.sharpening.manifest import (
    SharpeningEntry,
    SharpeningHeader,
    SourceFile,
    write_sharpening_manifest,
)
from rsfuse.raster.sharpening.patches import SharpeningReport, check_folder, part_of
from rsfuse.raster.sharpening.reduction import ReducedScene
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.sharpening.values import describe_training
from rsfuse.raster.sharpening.wald_plan import SPLITS, WaldCover, WaldPlan, plan_wald
from rsfuse.raster.tiling.scene_splits import SplitRule

Progress = Callable[[int, int], None]

FILES = tuple(f"{split}.h5" for split in SPLITS)
"""Names of the patch files that a set may have."""

_SPARE = 2**20  # bytes of a set that are no pixels


@dataclass(frozen=True)
class WaldSettings:
    """How a scene becomes patches.

    Args:
        cover: which patches there are.
        rule: what they may be used for, by "blocks" or "none"; distances in multispectral pixels.
        maximum: the sensor's largest digital number; None for the scene's own, up to all bits set.
        overwrite: replace a set that is there.
    """

    cover: WaldCover = field(default_factory=WaldCover)
    rule: SplitRule = field(default_factory=SplitRule)
    maximum: int | None = None
    overwrite: bool = False


def write_wald_set(
    scene: PanMsScene,
    sensor: str,
    folder: Path,
    settings: WaldSettings,
    *,
    progress: Progress = lambda done, total: None,
) -> SharpeningReport:
    """Cut a scene one scale down into patches. It is read twice: for what has data, and for its pixels.

    Args:
        scene: stays open.
        sensor: its code, which says what its bands still show at Nyquist.
        folder: of the set; made if it is not there.
        settings: which patches, and what for.
        progress: told (done, total) of patches.

    Raises:
        SceneError: if a file is damaged, or nobody knows the sensor or it has another number of bands.
        TileSetError: if there is no patch, or too few to be split.
        OutputError: if the folder holds anything else, or the disk is full.
    """
    check_folder(folder, FILES, overwrite=settings.overwrite)
    reduced = ReducedScene(scene, find_sensor(sensor))
    plan = plan_wald(reduced, settings.cover, settings.rule, progress=progress)
    header = _header(reduced, sensor, plan, settings)
    with _parts(folder):
        check_space(folder / TILES, _bytes(reduced, plan) + _SPARE)
        files, done = {}, count(plan.looked_at + 1)
        for split in SPLITS:
            tiles = plan.tiles[plan.splits == split]
            if len(tiles):
                path = folder / part_of(f"{split}.h5")
                with writing(path):
                    _write(reduced, tiles, path, lambda: progress(next(done), plan.looked_at + len(plan.tiles)))
                files[f"{split}.h5"] = SourceFile(path=f"{split}.h5", bytes=path.stat().st_size)
        training = folder / part_of("train.h5")
        statistics = describe_training(training, scene.bands) if "train.h5" in files else None
        entries = _entries(plan)
        write_sharpening_manifest(folder, header.model_copy(update={"files": files, "statistics": statistics}), entries)
        _complete(folder)
    patches: dict[str, int] = dict(Counter(entry.split for entry in entries))
    return SharpeningReport(folder, sensor, patches, written=True, notes=header.notes, left_out=plan.left_out)


def _write(reduced: ReducedScene, tiles: Rectangles, path: Path, tell: Callable[[], None]) -> None:
    size, bands = int(tiles[0, 2]), len(reduced.gains)
    shapes = {"gt": (bands, size, size), "pan": (1, size, size), "ms": (bands, *[size // reduced.ratio] * 2)}
    with h5py.File(path, "w") as file:
        for key, shape in shapes.items():
            file.create_dataset(key, (len(tiles), *shape), np.float32)
        for index, (left, top, width, height) in enumerate(tiles.tolist()):
            sample = reduced.read((top, top + height), (left, left + width))
            file["gt"][index], file["pan"][index], file["ms"][index] = sample.reference, sample.pan, sample.ms
            tell()


def _header(reduced: ReducedScene, sensor: str, plan: WaldPlan, settings: WaldSettings) -> SharpeningHeader:
    scene = reduced.scene
    maximum = settings.maximum or 2 ** math.ceil(math.log2(plan.largest + 1)) - 1
    return SharpeningHeader(
        software=f"rsfuse {rsfuse.__version__}",
        dataset="wald",
        scenes=(" + ".join(path.name for path in scene.paths),),
        sensor=sensor,
        bands=scene.bands,
        ratio=reduced.ratio,
        maximum=maximum,
        split=plan.told,
        statistics=None,
        files={},
        notes=_notes(reduced, sensor, plan, maximum),
    )


def _notes(reduced: ReducedScene, sensor: str, plan: WaldPlan, maximum: int) -> tuple[str, ...]:
    pan, ms = reduced.scene.paths
    gains = ", ".join(f"{gain:g}" for gain in reduced.gains)
    left_out = [f"{number} patches {why} were left out." for why, number in plan.left_out.items() if number]
    beyond = [f"The scene has values up to {plan.largest:g}, above {maximum}."] if plan.largest > maximum else []
    return (
        f"Made by Wald's protocol at ratio {reduced.ratio} from {pan} and {ms}.",
        f"Response at Nyquist, of {sensor!r}: {gains}; panchromatic {find_sensor(sensor).pan:g}.",
        *left_out,
        *beyond,
    )


def _entries(plan: WaldPlan) -> list[SharpeningEntry]:
    return [
        SharpeningEntry(
            name=f"r{top:05d}c{left:05d}",
            split=split,
            file=f"{split}.h5",
            index=index,
            height=height,
            width=width,
        )
        for split in SPLITS
        for index, (left, top, width, height) in enumerate(plan.tiles[plan.splits == split].tolist())
    ]


def _bytes(reduced: ReducedScene, plan: WaldPlan) -> int:
    bands, pixels = len(reduced.gains), int(plan.tiles[:, 2:].prod(1).sum())
    return 4 * ((bands + 1) * pixels + bands * pixels // reduced.ratio**2)


@contextmanager
def _parts(folder: Path) -> Iterator[None]:
    """A folder for files that are not whole yet; where something fails it is left as it was."""
    made = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _forget_parts(folder)  # of a run that was killed
    try:
        yield
    except BaseException:
        _forget_parts(folder)
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _forget_parts(folder: Path) -> None:
    for name in FILES:
        (folder / part_of(name)).unlink(missing_ok=True)


def _complete(folder: Path) -> None:
    """Put files that are whole in place of those of an earlier set; who breaks it off here finds sizes that differ."""
    for name in FILES:
        part = folder / part_of(name)
        if part.exists():
            part.replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
