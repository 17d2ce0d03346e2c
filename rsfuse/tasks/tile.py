"""Tile: scenes and their labels in, a folder of training tiles out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import rsfuse
from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import Dataset
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.leaks import overlaps
from rsfuse.raster.manifest import Manifest, SceneEntry, TileEntry, write_manifest
from rsfuse.raster.statistics import SceneStatistics, merge_statistics
from rsfuse.raster.tiling.cutting import Cutting, Piece, Record, Unit, sampled_statistics, sampling_step, share_out
from rsfuse.raster.tiling.inspection import BandNames, SceneFacts, check_alike, check_scale, inspect, with_paths
from rsfuse.raster.tiling.scene_splits import PlacedScene
from rsfuse.raster.tiling.survey import check_labels, scene_statistics, unknown_labels
from rsfuse.raster.tiling.tile_files import TileFiles
from rsfuse.raster.tiling.tile_journal import TileJournal, asked_for
from rsfuse.raster.tiling.tile_plan import PlannedTile, TilePlan, plan_tiles, torn_apart
from rsfuse.raster.tiling.tile_settings import TileSettings
from rsfuse.raster.tiling.workers import Workers, workers_for
from rsfuse.tasks.progress import Progress, unheard

__all__ = ["TileReport", "TileSettings", "tile"]


@dataclass(frozen=True)
class TileReport:
    """What tiling made.

    Args:
        folder: of the tile set.
        manifest: of the tile set.
        planned_s: seconds until it was known which tiles there are.
        seconds: in all.
        again: whether it was all there before.
    """

    folder: Path
    manifest: Manifest
    planned_s: float
    seconds: float
    again: bool

    @property
    def splits(self) -> dict[str, int]:
        """How many tiles each split has."""
        return self.manifest.splits

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return len(self.manifest.tiles)


def tile(dataset: Dataset, folder: Path, settings: TileSettings, *, progress: Progress = unheard) -> TileReport:
    """Cut scenes into tiles, or plan where training is to read them.

    Everything that can be known to be wrong is told before the first tile is written. A run that is stopped goes on
    where it was when the same is asked for again, and ends with the same bytes.

    Args:
        dataset: the scenes.
        folder: for the tiles.
        settings: see there.
        progress: told after every part of the work.

    Raises:
        TileSetError: if scenes do not go together, hold no tile, or an earlier run asked for something else.
        SceneError: if a file is missing or damaged.
        LegendMismatchError: if labels hold what the legend does not know: each value is told with its pixels.
        OutputError: if the folder holds something else, or the disk is full.
    """
    start = time.monotonic()
    with Workers(_processes(dataset, settings)) as workers:
        bands, how = settings.bands_of(dataset), (settings.label_field, settings.crop, dataset.by_size)
        sources = [SceneSource(files, dataset.coding, bands, *how) for files in dataset.scenes]
        names = BandNames(dataset.optical_bands, dataset.sar_bands).chosen(bands)
        facts = workers.map(partial(inspect, names=names), sources)
        job = _Job(dataset, settings, folder, tuple(zip(sources, facts, strict=True)))
        planned_s = time.monotonic() - start
        there = job.journal.finished()
        manifest = there or job.run(workers, progress)
    return TileReport(folder, manifest, planned_s, time.monotonic() - start, there is not None)


def _processes(dataset: Dataset, settings: TileSettings) -> int:
    """As many as the files are worth; packed pixels take about a byte."""
    paths = [path for files in dataset.scenes for path in (files.optical, files.sar) if path and path.is_file()]
    return workers_for(sum(path.stat().st_size for path in paths), settings.workers)


class _Job:
    """One run: the plan, the work, the manifest."""

    def __init__(
        self, dataset: Dataset, settings: TileSettings, folder: Path, scenes: tuple[tuple[SceneSource, SceneFacts], ...]
    ) -> None:
        self._dataset, self._settings, self._folder, self._scenes = dataset, settings, folder, scenes
        self._facts = scenes[0][1]  # those of the others are alike
        oddities = check_alike([facts for _, facts in scenes])
        placed = [PlacedScene(source.files, facts.grid, facts.window) for source, facts in scenes]
        official = bool(dataset.split_source) and not settings.rule.names
        self._plan = plan_tiles(placed, settings.cover(dataset), settings.rule, official=official)
        self._notes = (
            *dataset.notes,
            *oddities,
            *_outside(self._plan),
            *_few_left(self._plan),
            *_leaks(placed, self._plan),
        )
        self._options = settings.options(dataset, self._plan.rule)
        asked = asked_for(dataset.legend.to_dict(), self._options, self._entries())
        self.journal = TileJournal(folder, asked, overwrite=settings.overwrite)

    def run(self, workers: Workers, progress: Progress) -> Manifest:
        """Do what no earlier run has done, and make the folder a tile set."""
        units, surveys = self._units(), self._settings.surveys
        if surveys and not self.journal.begun:
            check_labels(workers.map(unknown_labels, units))
        scenes = () if self._dataset.chips else self._scenes
        if len(scenes) > 1 or not surveys:
            found = workers.map(scene_statistics, scenes)
            check_scale({facts.entry.name: each for (_, facts), each in zip(scenes, found, strict=True)})
        if not surveys:
            return self._seal(_unseen(self._plan), {}, found, merge_statistics(found), "a sample of whole scenes")
        cutting = self._cutting()
        self.journal.begin(cutting.files.layers if cutting.files else ())
        left = [unit for unit in units if not cutting.record(unit.number).is_file()]
        # the statistics of a scene that is alone need not be known earlier, and keep one process busy for a while
        work: list[Callable[[], Any]] = [partial(cutting.run, unit) for unit in left]
        if len(scenes) == 1:
            work.insert(0, partial(scene_statistics, scenes[0]))
        done = workers.map(_call, work, progress)
        if len(scenes) == 1:
            found = done[:1]
        return self._seal_records([cutting.read(unit.number) for unit in units], found if scenes else [], cutting.step)

    def _cutting(self) -> Cutting:
        tiles = [tile for tiles in self._plan.tiles for tile in tiles if tile.sampled]
        legend, settings = self._dataset.legend, self._settings
        files = TileFiles(self._folder, self._facts.layers, legend, settings.compression) if settings.copy else None
        step = sampling_step(sum(tile.place[2] * tile.place[3] for tile in tiles))
        return Cutting(self.journal.records, legend, files, settings.min_valid, step)

    def _units(self) -> list[Unit]:
        planned = zip(self._scenes, self._plan.tiles, strict=True)
        pieces = [Piece(source, facts.bands, tiles, facts.strips) for (source, facts), tiles in planned if tiles]
        return share_out(pieces, self._facts.bytes_per_pixel)

    def _entries(self) -> list[SceneEntry]:
        if self._settings.copy:
            return [facts.entry for _, facts in self._scenes]
        return [with_paths(facts.entry, source) for source, facts in self._scenes]

    def _seal_records(self, records: Sequence[Record], of_scenes: Sequence[SceneStatistics], step: int) -> Manifest:
        """The manifest of what was looked at pixel by pixel."""
        entries = [entry for record in records for entry in record.tiles]
        left_out = Counter(why for record in records for why in record.left_out)
        if not entries:
            raise TileSetError(
                f"none of {left_out.total()} tiles has {self._settings.min_valid:.0%} of pixels with data",
                hint="choose a smaller --min-valid, or another part of the scene",
            )
        which = f"every {step} rows and columns" if step > 1 else "all"
        trains = any(entry.split == "train" for entry in entries)
        told = f"{which} of the valid pixels of {'training' if trains else 'all'} tiles"
        statistics = sampled_statistics(records, self._facts.bands, self._facts.dtypes, self._facts.units)
        return self._seal(entries, dict(left_out), of_scenes, statistics, told)

    def _seal(
        self,
        entries: Sequence[TileEntry],
        left_out: dict[str, int],
        of_scenes: Sequence[SceneStatistics],
        statistics: SceneStatistics,
        statistics_of: str,
    ) -> Manifest:
        scenes = self._entries()
        if of_scenes:
            known = zip(scenes, of_scenes, strict=True)
            scenes = [scene.model_copy(update={"statistics": each}) for scene, each in known]
        near = {"near another split": self._plan.dropped} if self._plan.dropped else {}
        manifest = Manifest(
            software=f"rsfuse {rsfuse.__version__}",
            dataset=self._dataset.name,
            layers=self._facts.layers,
            scenes=tuple(scenes),
            reading=self._settings.reading(self._dataset),
            size=self._settings.cover(self._dataset).size,
            options=self._options,
            split=self._plan.told,
            notes=self._notes,
            left_out={**near, **left_out},
            statistics=statistics,
            statistics_of=statistics_of,
            legend=self._dataset.legend.to_dict(),
            tiles=tuple(entries),
        )
        self.journal.begin(())
        write_manifest(self._folder, manifest)
        self.journal.end()
        return manifest


def _call(work: Callable[[], Any]) -> Any:
    return work()


def _leaks(scenes: Sequence[PlacedScene], plan: TilePlan) -> list[str]:
    """What is to be said of scenes that lie on each other, and of tiles that do where nothing keeps them apart."""
    if plan.rule.by == "random":
        return [
            "tiles were split one by one by chance: neighbours of training tiles judge the training, and scores "
            "come out too high; choose --split-by blocks for scores that can be trusted"
        ]
    pairs = overlaps([scene.cut_grid() for scene in scenes])
    if not pairs:
        return []
    most = max(pairs, key=lambda pair: pair.share)
    names = [scenes[number].files.name for number in (most.first, most.second)]
    torn = torn_apart(pairs, plan)
    told = (
        f"{len(torn)} of these pairs are in different splits: pixels of the one are in the other"
        if plan.leaks and torn
        else "no tile that trains lies by one that judges"
    )
    return [
        f"{len(pairs)} pairs of scenes lie on each other, the most {names[0]!r} and {names[1]!r} "
        f"({most.share:.1%} of the smaller); {told}"
    ]


def _outside(plan: TilePlan) -> list[str]:
    if plan.outside < 0.005:
        return []
    return [f"{plan.outside:.1%} of the pixels fill no tile at the right and lower edge; --edge shift takes them in"]


def _few_left(plan: TilePlan) -> list[str]:
    left = sum(tile.split == "train" for tiles in plan.tiles for tile in tiles)
    if plan.dropped <= left:
        return []
    return [
        f"only {left} of {left + plan.dropped} training tiles are left: the others lie within {plan.rule.gap} px of a "
        "tile that judges; smaller tiles or smaller --val and --test leave more"
    ]


def _unseen(plan: TilePlan) -> list[TileEntry]:
    def entry(tile: PlannedTile) -> TileEntry:
        return TileEntry(
            name=tile.name, scene=tile.scene, split=tile.split, window=tile.place, valid=None, classes=None
        )

    return [entry(tile) for tiles in plan.tiles for tile in tiles]
