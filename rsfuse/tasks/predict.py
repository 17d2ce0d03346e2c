"""Predict: a scene and a bundle in, a land cover map out, strip by strip."""

from __future__ import annotations

import hashlib
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse import __version__
from rsfuse.errors import BundleError
from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundle import Bundle
from rsfuse.learn.bundle_files import MANIFEST, WEIGHTS
from rsfuse.learn.inference.conveyor import Conveyor, Tally
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import Legend
from rsfuse.raster.crop import Crop
from rsfuse.raster.drawn.map_polygons import MapPolygons, PolygonReport
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import OPTICAL, SAR, Scene
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Progress, unheard

_log = logging.getLogger(__name__)

LARGEST_GSD_RATIO = 1.5
"""Beyond this, things look so much larger or smaller than in training that the map is not to be trusted."""

_SENSORS = {"optical": OPTICAL, "sar": SAR}


@dataclass(frozen=True)
class PredictSettings:
    """What a user may choose about a prediction.

    Args:
        overlap: pixels that neighbouring patches share; None for what the bundle says.
        blend: "hann" and "gaussian" blend where patches overlap, "crop" cuts.
        batch_size: patches that go through the network together.
        readers: threads that read the scene.
        crop: the part that is mapped, on the scene's own grid.
        confidence: write how sure each pixel is, too.
        probabilities: write the probability of every class, too, in such numbers.
        validity: write which sensors have data, too.
        polygons: write the regions of the map as polygons, too, to this GeoPackage.
        min_area_m2: leave out polygons that cover less ground.
        overwrite: replace a map that is there already.
    """

    overlap: int | None = None
    blend: Blend = "hann"
    batch_size: int = 4
    readers: int = 2
    crop: Crop = field(default_factory=Crop)
    confidence: bool = False
    probabilities: Literal["uint8", "float16"] | None = None
    validity: bool = False
    polygons: Path | None = None
    min_area_m2: float = 0.0
    overwrite: bool = False


@dataclass(frozen=True)
class PredictReport:
    """What a prediction made, and what it took."""

    output: Path
    legend: Legend
    pixels: NDArray[np.int64]
    """(K,) pixels of each class in the map."""
    gsd_m: float
    megapixels: float
    patches: int
    """How many this run has passed."""
    patches_skipped: int
    rows_resumed: int
    """Rows that a run before this one had finished."""
    polygons: PolygonReport | None
    seconds: float
    peak_memory_mb: int


def predict(
    scene: Scene,
    predictor: Predictor,
    output: Path,
    settings: PredictSettings = PredictSettings(),
    progress: Progress = unheard,
) -> PredictReport:
    """Map a scene. A run that was stopped is gone on with by asking for the same again.

    Raises:
        BundleError: if the bundle was trained on other bands than the scene has.
        GridMismatchError: if the crop lies outside the scene.
        OutputError: if the map is there already, was begun with other options, or the disk is full.
        SceneError: if the scene cannot be read to its end.
    """
    start = time.monotonic()
    agree(scene, predictor.bundle)
    run = _Run(scene, predictor, settings)
    if settings.polygons is not None:
        run.open_polygons(settings.polygons).abort()  # what speaks against it is told now, not after hours
    legend, tags = run.products.legend, {"bundle": predictor.bundle.name, "network": run.network}
    polygons = None
    layers, tally = run.products.layers(output, tags), Tally()
    with MapWriter(layers, run.grid, asked=run.asked(), overwrite=settings.overwrite) as writer:
        resumed = writer.rows
        if resumed < run.grid.height:
            run.write_rest(writer, tally, progress)
        if settings.polygons is not None:
            polygons = run.draw(writer, settings.polygons)
        writer.seal()
    return PredictReport(
        output=output,
        legend=legend,
        pixels=writer.counts[list(legend.codes)],
        gsd_m=scene.gsd_m,
        megapixels=run.grid.height * run.grid.width / 1e6,
        patches=tally.passed,
        patches_skipped=tally.skipped,
        rows_resumed=resumed,
        polygons=polygons,
        seconds=time.monotonic() - start,
        peak_memory_mb=peak_memory_mb(),
    )


class _Run:
    """One scene under one bundle, with one user's settings."""

    def __init__(self, scene: Scene, predictor: Predictor, settings: PredictSettings) -> None:
        self.scene, self.predictor, self.settings = scene, predictor, settings
        manifest = predictor.bundle.manifest
        self.network = str(manifest.network["name"])
        self.area = settings.crop.area(scene.grid)
        self.grid = scene.grid.window(self.area.window)
        self.halo = manifest.patch.halo if settings.overlap is None else settings.overlap // 2
        self.plan = Plan.sliding(*scene.grid.shape, size=manifest.patch.size, halo=self.halo).within(self.area.window)
        self.products = Products(
            predictor.bundle.legend, settings.confidence, settings.probabilities, settings.validity
        )

    def asked(self) -> dict[str, Any]:
        """All that the pixels depend on, as plain data."""
        settings, scene, bundle = self.settings, self.scene, self.predictor.bundle
        return {
            "optical": scene.optical_path and _file(scene.optical_path),
            "SAR": scene.sar_path and _file(scene.sar_path),
            "bands": [scene.optical_bands, scene.sar_bands],
            "bundle": f"{bundle.name} ({_digest(bundle)})",
            "crop": settings.crop.told,
            "overlap": 2 * self.halo,
            "blend": settings.blend,
            "batch_size": settings.batch_size,
            "confidence": settings.confidence,
            "probabilities": settings.probabilities,
            "validity": settings.validity,
            "device": self.predictor.device.type,
            "precision": str(self.predictor.dtype),
            "rsfuse": __version__,
        }

    def write_rest(self, writer: MapWriter, tally: Tally, progress: Progress) -> None:
        """Map the rows that a writer does not have yet."""
        scene, settings, manifest = self.scene, self.settings, self.predictor.bundle.manifest
        plan = self.plan.within(_below(self.area.window, writer.rows))
        conveyor = Conveyor([self.predictor], plan, batch_size=settings.batch_size, blend=settings.blend)
        scaler = Scaler(manifest.inputs, manifest.statistics or scene.statistics())
        with ExitStack() as opened:
            needed = sum(number for name, number in _SENSORS.items() if name not in manifest.without)
            scenes = [opened.enter_context(scene.again()) for _ in range(settings.readers)]
            reads = [partial(each.read_partial, needed=needed) for each in scenes]
            rows = ScaledRows(reads, [scaler], plan, block=scene.block, wanted=self.area.mask)
            opened.enter_context(rows)
            pen = opened.enter_context(ThreadPoolExecutor(1, "writer"))
            written: Future[None] | None = None
            for strip in conveyor.strips(rows, tally, progress):
                products, top = self.products.of(strip), strip.top - int(self.area.window.row_off)
                if written is not None:
                    written.result()  # one strip behind at most: memory stays, and errors come out
                written = pen.submit(writer.write, top, *products)
            if written is not None:
                written.result()

    def open_polygons(self, path: Path) -> MapPolygons:
        """A file for the polygons of the map."""
        least, overwrite = self.settings.min_area_m2, self.settings.overwrite
        return MapPolygons(path, self.grid, self.products.legend, min_area_m2=least, overwrite=overwrite)

    def draw(self, writer: MapWriter, path: Path) -> PolygonReport:
        """Write the polygons of a map whose rows are all there; before it is sealed, so that they can be done again."""
        with self.open_polygons(path) as polygons:
            for top, (codes, *others) in writer.blocks():
                polygons.add(top, codes[0], others[0][0] if self.products.confidence else None)
        return polygons.report


def _below(window: Window, rows: int) -> Window:
    """What is left of a window under its first rows."""
    return Window(window.col_off, window.row_off + rows, window.width, window.height - rows)


def _file(path: Path) -> str:
    """A file as it is told from another, and from itself before it was changed."""
    there = path.stat()
    return f"{path.resolve()} ({there.st_size} bytes of {there.st_mtime})"


def _digest(bundle: Bundle) -> str:
    """First characters of a checksum over what a bundle computes with."""
    parts = [bundle.folder / MANIFEST, bundle.folder / WEIGHTS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in parts if path.is_file())).hexdigest()[:12]


def agree(scene: Scene, bundle: Bundle) -> None:
    """Refuse a scene that the bundle cannot read; warn of one that it was not made for.

    Raises:
        BundleError: if the number of bands differs.
    """
    inputs, without = bundle.manifest.inputs, bundle.manifest.without
    for sensor, has, takes in (("optical", scene.optical_bands, inputs.optical), ("SAR", scene.sar_bands, inputs.sar)):
        if has and len(has) != len(takes):
            numbers = ",".join(str(number) for number in range(1, len(takes) + 1))
            advice = f"say which bands these are: --{sensor.lower()}-bands {numbers}" if takes else "leave --sar out"
            raise BundleError(
                f"the {sensor} raster has {len(has)} bands ({', '.join(has)}), "
                f"bundle {bundle.name} takes {len(takes)} ({', '.join(takes)})",
                hint=f"{advice}; or choose another bundle: rsfuse bundles",
            )
        if takes and not has and sensor.lower() not in without:
            raise BundleError(
                f"there is no {sensor} raster, and bundle {bundle.name} was never trained without one",
                hint=f"add the {sensor} raster, or choose a bundle whose training left it out now and then "
                f"(augmentation.drop_{sensor.lower()} in its recipe)",
            )
        if takes and not has and inputs.sensors == "both":
            _log.warning("no %s: bundle %s does without it, but its map will be worse", sensor, bundle.name)
    trained, here = bundle.manifest.gsd_m, scene.gsd_m
    if trained > 0 and here > 0 and max(trained / here, here / trained) > LARGEST_GSD_RATIO:
        _log.warning(
            "a pixel of the scene is %.3g m, bundle %s was trained at %.3g m: expect a poor map; "
            "resample the scene to about %.3g m first",
            *(here, bundle.name, trained, trained),
        )
