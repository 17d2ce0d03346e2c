"""Pansharpen: a panchromatic and a multispectral raster in, the multispectral one on the fine grid out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid, window_of
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.geometry.sharpening.methods import Method
from rsfuse.geometry.sharpening.sensors import SensorGains, find_sensor
from rsfuse.geometry.sharpening.storage import Storage
from rsfuse.raster.disk import check_free
from rsfuse.raster.draft import Content, Draft
from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.outputs import check_outputs, files_of
from rsfuse.raster.sharpening.classical import Sharp, fitted
from rsfuse.raster.sharpening.offset import Offset, measure_offset, repeated, undone
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.reports.sharpening_preview import write_preview
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Stages, unseen

if TYPE_CHECKING:
    from rsfuse.learn.inference.predictor import SharpeningPredictor

_WIDE = 2 * BLOCK  # columns that are worked on together: what they take stays in the caches of a core
_DEFAULT: Method = "gsa"


@dataclass(frozen=True)
class PansharpenSettings:
    """What a user may choose.

    Args:
        method: a classical one, or the network of a bundle that was trained for such images; None for the default.
        sensor: its code, by which low passes are chosen; see `rsfuse.geometry.sharpening.sensors`.
        bands: of the multispectral raster, in this order, counted from 1; None for all but transparency.
        align: undo the shift between the two that matching finds.
        preview: PNG to write, a part before and after; None for none.
        packed: write a cloud optimised GeoTIFF; else a plain one, without overviews.
        overwrite: replace outputs that are there.
    """

    method: Method | SharpeningPredictor | None = None
    sensor: str = "other"
    bands: tuple[int, ...] | None = None
    align: bool = False
    preview: Path | None = None
    packed: bool = True
    overwrite: bool = False


DEFAULTS = PansharpenSettings()


@dataclass(frozen=True)
class PansharpenReport:
    """What was made, and what it took.

    Args:
        output: the raster.
        method: name of the method, or of the bundle.
        settings: what was asked for.
        sensor: code of the sensor that low passes were those of, or those that the network learnt from.
        transparent: numbers of the multispectral bands that were taken for transparency, not for data.
        ratio: panchromatic pixels along the side of a multispectral one.
        offset: of the multispectral image.
        repeats: how often each multispectral pixel stands along a side; 1 for a raster that was never enlarged.
        megapixels: panchromatic.
        seconds: that it took.
        peak_memory_mb: of this process.
    """

    output: Path
    method: str
    settings: PansharpenSettings
    sensor: str
    transparent: tuple[int, ...]
    ratio: float
    offset: Offset
    repeats: int
    megapixels: float
    seconds: float
    peak_memory_mb: int

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "output": str(self.output),
            "method": self.method,
            "sensor": self.sensor,
            "ratio": round(self.ratio, 4),
            "offset": self.offset.to_dict(),
            "aligned": self.settings.align,
            "repeats": self.repeats,
            "preview": None if self.settings.preview is None else str(self.settings.preview),
            "megapixels": round(self.megapixels, 3),
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }


def pansharpen(
    pan: Path, ms: Path, output: Path, settings: PansharpenSettings = DEFAULTS, stages: Stages = unseen
) -> PansharpenReport:
    """Sharpen a pair of rasters of any size, and write a GeoTIFF on the panchromatic grid.

    It has the type, the band names, and the number for no data of the multispectral raster. Memory is that of a few
    windows; where the work is cut off, nothing is left under the final name.

    Args:
        pan: a raster of one band.
        ms: a raster of coarser pixels of the same ground.
        output: GeoTIFF to write.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if an output is there already, is one of the inputs, or cannot be written.
        SceneError: if a raster cannot be read, or the sensor is unknown or of another number of bands.
        GridMismatchError: if the two do not overlap, or the ratio of their pixels is none.
        BundleError: if the scene is not one that the bundle can sharpen.
    """
    start = time.monotonic()
    _check_outputs(pan, ms, output, settings)
    with ExitStack() as opened:
        scene = opened.enter_context(PanMsScene(pan, ms, bands=settings.bands))
        method = settings.method or _DEFAULT
        sensor = find_sensor(settings.sensor)
        if isinstance(method, str):
            sensor.of(len(scene.bands))  # a mistake is told before the work
        with stages("matching", "tiles") as progress:
            offset = measure_offset(scene, progress)
        if settings.align:
            scene = opened.enter_context(scene.moved(undone(offset)))
        if isinstance(method, str):
            sharpened = _by_method(scene, method, sensor, stages)
        else:
            sharpened = _by_network(scene, method, stages)
        name = method if isinstance(method, str) else method.bundle.name
        content = _content(scene, name, packed=settings.packed)
        _write(scene, output, content, sharpened, stages)
        if settings.preview is not None:
            _preview(scene, output, settings.preview, name)
        return PansharpenReport(
            output,
            name,
            settings,
            settings.sensor if isinstance(method, str) else ", ".join(method.bundle.manifest.sensors),
            scene.transparent,
            scene.placement.ratio,
            offset,
            repeated(scene),
            scene.grid.height * scene.grid.width / 1e6,
            time.monotonic() - start,
            peak_memory_mb(),
        )


def _check_outputs(pan: Path, ms: Path, output: Path, settings: PansharpenSettings) -> None:
    outputs = [("the sharpened raster", output)]
    if settings.preview is not None:
        outputs.append(("the preview", settings.preview))
    for _, path in outputs:
        check_free(path, overwrite=settings.overwrite)
    inputs = (("the panchromatic raster", pan), ("the multispectral raster", ms))
    check_outputs(outputs, ((told, path) for told, each in inputs for path in files_of(each)))
    if settings.preview is not None and settings.preview.suffix.lower() != ".png":
        raise OutputError(f"{settings.preview} would be a PNG picture", hint="let its name end in .png")


def _preview(scene: PanMsScene, output: Path, preview: Path, name: str) -> None:
    try:
        write_preview(scene, output, preview, name)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"interrupted: {output} is complete, there is no preview") from interrupt


def _content(scene: PanMsScene, name: str, *, packed: bool) -> Content:
    """What is kept of the multispectral raster."""
    return Content(
        len(scene.bands),
        scene.dtype,
        scene.nodata,
        like=scene.paths[1],
        like_bands=scene.ms_bands,
        gapless=scene.is_gapless,
        packed=packed,
        tags={"RSFUSE_SHARPENED": name},
    )


def _write(scene: PanMsScene, output: Path, content: Content, sharpened: Iterator[Sharp], stages: Stages) -> None:
    storage = Storage(np.dtype(scene.dtype), scene.nodata)
    with Draft(output, scene.grid, content) as draft:
        for each in sharpened:
            pixels = replace(storage, limits=each.limits)(each.pixels, each.valid)
            draft.write(window_of(each.rows, each.columns), pixels, each.valid)
        if content.packed:
            with stages("packing", "files") as progress:
                draft.seal()
                progress(1, 1)


def _by_method(scene: PanMsScene, method: Method, sensor: SensorGains, stages: Stages) -> Iterator[Sharp]:
    """Windows sharpened by a classical method, which is fitted to the scene first."""
    with stages("measuring", "windows") as progress:
        sharpener = fitted(scene, method, sensor, progress)
    windows = list(_windows(scene.grid))
    with stages("sharpening", "windows") as progress:
        for done, sharp in enumerate(sharpener.windows(scene, windows), 1):
            yield sharp
            progress(done, len(windows))


def _windows(grid: Grid) -> Iterator[tuple[Span, Span]]:
    """Whole blocks, row by row."""
    for top in range(0, grid.height, BLOCK):
        for left in range(0, grid.width, _WIDE):
            yield (top, min(top + BLOCK, grid.height)), (left, min(left + _WIDE, grid.width))


def _by_network(scene: PanMsScene, predictor: SharpeningPredictor, stages: Stages) -> Iterator[Sharp]:
    """Rows of blocks sharpened by a network."""
    from rsfuse.learn.inference.sharpening_run import sharpen_strips

    (height, width), highest = scene.grid.shape, predictor.bundle.manifest.maximum
    pixels = np.empty((len(scene.bands), 0, width), np.float32)
    valid = np.empty((0, width), np.bool_)
    done, is_whole = 0, np.dtype(scene.dtype).kind in "iu"
    with stages("sharpening", "patches") as progress:
        for strip in sharpen_strips(scene, predictor, progress=progress):
            pixels = np.concatenate([pixels, strip.pixels], 1)
            valid = np.concatenate([valid, strip.valid])
            while pixels.shape[1] >= BLOCK or done + pixels.shape[1] == height > done:
                rows = done, min(done + BLOCK, height)
                taken = rows[1] - done
                low, high = scene.limits(rows, (0, width))
                limits = low, max(high, highest) if is_whole else high
                yield Sharp(rows, (0, width), pixels[:, :taken].copy(), valid[:taken], limits)
                pixels, valid, done = pixels[:, taken:], valid[taken:], rows[1]
