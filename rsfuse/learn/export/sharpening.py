"""Samples for networks that sharpen: of a set of patches, or of a pair of rasters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import SceneError, TileSetError
from rsfuse.geometry.plan import Plan, spread
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.export.samples import (
    SAMPLES,
    PatchSample,
    PatchSamples,
    filled_up,
    fullest,
    places_in,
)
from rsfuse.learn.inference.sharpening_agreement import agree_to_sharpen
from rsfuse.learn.sharpening_scaling import by_divisor
from rsfuse.raster.sharpening.manifest import SharpeningEntry
from rsfuse.raster.sharpening.patches import SharpeningSet
from rsfuse.raster.sharpening.scene import PanMsSample, PanMsScene


def set_samples(bundle: SharpeningBundle, folder: Path, side: int) -> PatchSamples:
    """Patches of a set that judge, or else of those that validate, or else of all; smaller ones go on as they end.

    Raises:
        TileSetError: if the folder is no such set, or its bands or their ratio are not the bundle's.
    """
    with SharpeningSet(folder) as patches:
        _check_bands(bundle, patches)
        split = next((each for each in ("test", "val") if patches.select(each)), "")
        entries = patches.select(split) if split else list(patches.entries)
        return PatchSamples(
            f"{split} patches of {folder.resolve().name}".lstrip(), tuple(_patches(bundle, patches, entries, side))
        )


def _check_bands(bundle: SharpeningBundle, patches: SharpeningSet) -> None:
    header, manifest = patches.header, bundle.manifest
    if (len(header.bands), header.ratio) != (len(manifest.inputs.ms), manifest.ratio):
        raise TileSetError(
            f"{patches.folder} has {len(header.bands)} bands at ratio {header.ratio}, bundle {bundle.name} sharpens "
            f"{len(manifest.inputs.ms)} at ratio {manifest.ratio}",
            hint="name the folder of patches that the bundle was trained on, or one like it",
        )


def _patches(
    bundle: SharpeningBundle, patches: SharpeningSet, entries: Sequence[SharpeningEntry], side: int
) -> Iterator[PatchSample]:
    ratio = bundle.manifest.ratio
    windows = [(entry, window) for entry in entries for window in _windows(entry, side, ratio)]
    for entry, window in spread(windows, SAMPLES):
        read = patches.read(entry)
        known = np.ones(read.pan.shape[1:], np.bool_)
        pan, ms, valid = filled_up(read.pan, side), filled_up(read.ms, side // ratio), filled_up(known, side)
        fine, coarse = window.toslices(), _coarse(window, ratio).toslices()
        yield _scaled(bundle, PanMsSample(pan[:, *fine], ms[:, *coarse], valid[fine]))


def _windows(entry: SharpeningEntry, side: int, ratio: int) -> Iterator[Window]:
    """Patches that cover one of the set, in panchromatic pixels."""
    for patch in Plan.sliding(entry.height, entry.width, size=side, multiple=ratio):
        yield patch.read


def _coarse(window: Window, ratio: int) -> Window:
    return Window(*(int(each) // ratio for each in window.flatten()))


def pair_samples(
    bundle: SharpeningBundle, pan: Path, ms: Path, side: int, *, bands: tuple[int, ...] | None = None
) -> PatchSamples:
    """Patches spread over a pair of rasters, those where most pixels have data.

    Raises:
        SceneError: if a raster is missing or damaged, or nothing that was looked at has data.
        GridMismatchError: if the two do not overlap.
        BundleError: if the bundle cannot sharpen the pair.
    """
    told = f"{pan.name} and {ms.name}"
    with PanMsScene(pan, ms, bands=bands) as scene:
        plan = Plan.sliding(*scene.grid.shape, size=side, multiple=scene.ratio)
        agree_to_sharpen(scene, bundle, plan)
        windows = [Window(left, top, side, side) for top, left in places_in(plan)]
        data = [int(np.count_nonzero(scene.read(window).valid)) for window in windows]
        patches = tuple(_scaled(bundle, scene.read(window)) for window in fullest(windows, data))
    if not patches:
        raise SceneError(
            f"none of the {len(windows)} parts of {told} that were looked at has data", hint="name another pair"
        )
    return PatchSamples(told, patches)


def _scaled(bundle: SharpeningBundle, sample: PanMsSample) -> PatchSample:
    manifest = bundle.manifest
    return PatchSample(by_divisor(sample, manifest.ratio, manifest.inputs.divisor), sample.valid)
