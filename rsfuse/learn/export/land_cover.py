"""Samples for networks that map land cover: of a folder of tiles, or of a scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import SceneError, TileSetError
from rsfuse.geometry.plan import Plan, spread
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.export.samples import (
    SAMPLES,
    PatchSample,
    PatchSamples,
    filled_up,
    fullest,
    places_in,
)
from rsfuse.learn.inference.agreement import agree
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.raster.scene import Bands, Sample, Scene
from rsfuse.raster.tiles import TileEntry, TileSet


def tile_samples(bundle: Bundle, folder: Path, side: int) -> PatchSamples:
    """Patches of tiles that judge, or else of those that validate, or else of all; around small ones there is no data.

    Raises:
        TileSetError: if the folder is no tile set, its bands are not the bundle's, or no tile has data.
        SceneError: if a file is damaged.
    """
    tiles = TileSet(folder)
    _check_bands(bundle, tiles)
    split = next((each for each in ("test", "val") if tiles.select(each)), "")
    entries = tiles.select(split) if split else list(tiles.manifest.tiles)
    patches = tuple(_patches(bundle, tiles, entries, side))
    if not patches:
        raise TileSetError(f"no tile of {folder} has data", hint="name another folder: --tiles")
    return PatchSamples(f"{split} tiles of {folder.resolve().name}".lstrip(), patches)


def _check_bands(bundle: Bundle, tiles: TileSet) -> None:
    inputs, has = bundle.manifest.inputs, tiles.manifest.statistics
    for sensor, bands, takes in (("optical", has.optical, inputs.optical), ("SAR", has.sar, inputs.sar)):
        if bands and len(bands) != len(takes):
            raise TileSetError(
                f"{tiles.folder} has {len(bands)} {sensor} bands, bundle {bundle.name} takes {len(takes)} "
                f"({', '.join(takes)})",
                hint="name the folder of tiles that the bundle was trained on, or one like it",
            )


def _patches(bundle: Bundle, tiles: TileSet, entries: Sequence[TileEntry], side: int) -> Iterator[PatchSample]:
    statistics = bundle.manifest.statistics
    own, theirs = bundle.legend, tiles.legend
    knows_labels = (own.codes, own.names) == (theirs.codes, theirs.names)
    windows = [(entry, window) for entry in entries for window in _windows(entry, side)]
    for entry, window in spread(windows, SAMPLES):
        read = tiles.read(entry)
        sample = _filled_up(read.sample, side).crop(window)
        if sample.valid.any():
            scaler = Scaler(bundle.manifest.inputs, statistics or tiles.statistics_of(entry))
            labels = filled_up(theirs.to_index(read.labels), side, NODATA) if knows_labels else None
            yield PatchSample(scaler(sample), sample.valid, None if labels is None else labels[window.toslices()])


def _windows(entry: TileEntry, side: int) -> Iterator[Window]:
    """Patches that cover a tile, in its own pixels."""
    _, _, width, height = entry.window
    for patch in Plan.sliding(height, width, size=side):
        yield patch.read


def _filled_up(sample: Sample, side: int) -> Sample:
    """A tile that is no smaller than a patch; what was added is no data."""
    return Sample(*(filled_up(each, side) for each in (sample.optical, sample.sar, sample.valid)))


def scene_samples(
    bundle: Bundle, optical: Path | None, sar: Path | None, side: int, *, bands: Bands | None = None
) -> PatchSamples:
    """Patches spread over a scene, those where most pixels have data of both sensors.

    Raises:
        SceneError: if a raster is missing or damaged, or nothing that was looked at has data.
        GridMismatchError: if the two do not overlap.
        BundleError: if the bundle cannot read the scene.
    """
    with Scene(optical, sar, bands=bands or Bands()) as scene:
        agree(scene, bundle)
        scaler = Scaler(bundle.manifest.inputs, bundle.manifest.statistics or scene.statistics())
        windows = [Window(left, top, side, side) for top, left in places_in(Plan.sliding(*scene.grid.shape, size=side))]
        data = [int(np.count_nonzero(scene.read(window).valid)) for window in windows]
        samples = (scene.read(window) for window in fullest(windows, data))
        patches = tuple(PatchSample(scaler(sample), sample.valid) for sample in samples)
    told = " and ".join(path.name for path in (optical, sar) if path)
    if not patches:
        raise SceneError(
            f"none of the {len(windows)} parts of {told} that were looked at has data", hint="name another scene"
        )
    return PatchSamples(told, patches)
