"""One scene under some networks: planned, checked, and mapped strip by strip into a writer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse import __version__
from rsfuse.geometry.blend import Blend
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.files import MANIFEST
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.inference.agreement import agree, agree_together, check_patches
from rsfuse.learn.inference.conveyor import Conveyor, Progress, Strip, Tally
from rsfuse.learn.inference.needs import Needs, check_whole, largest_batch, needs
from rsfuse.learn.inference.predictor import Predictor, default_batch
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import Read, ScaledRows
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.crop import Crop
from rsfuse.raster.drawn.map_polygons import MapPolygons, PolygonReport
from rsfuse.raster.map_layer import Layer
from rsfuse.raster.map_writer import MapWriter
from rsfuse.raster.scene import OPTICAL, SAR, Sample, Scene

_SENSORS = {"optical": OPTICAL, "sar": SAR}


@dataclass(frozen=True)
class PredictSettings:
    """What a user may choose about a prediction.

    Args:
        overlap: pixels that neighbouring patches share; None for what the bundle says.
        blend: "hann" and "gaussian" blend where patches overlap, "crop" cuts.
        batch_size: patches that go through the network together at most; None for what suits the device. Never more
            than lie side by side.
        max_memory: bytes that the process may take; the batch is made smaller to fit.
        readers: threads that read the scene.
        crop: the part that is mapped, on the scene's own grid.
        confidence: write how sure each pixel is, too.
        probabilities: write the probability of every class, too, in such numbers.
        validity: write which sensors have data, too.
        polygons: write the regions of the map with their mean confidence as polygons, too, to this GeoPackage.
        min_area_m2: leave out polygons that cover less ground.
        stac: write a STAC item beside the map, too.
        overwrite: replace a map that is there already.
    """

    overlap: int | None = None
    blend: Blend = "hann"
    batch_size: int | None = None
    max_memory: int | None = None
    readers: int = 2
    crop: Crop = field(default_factory=Crop)
    confidence: bool = False
    probabilities: Literal["uint8", "float16"] | None = None
    validity: bool = False
    polygons: Path | None = None
    min_area_m2: float = 0.0
    stac: bool = False
    overwrite: bool = False


class SceneRun:
    """One scene under some networks, with one user's settings; everything is checked that can be before the work.

    Raises:
        As `predict`, but for what only reading and writing tells.
    """

    def __init__(self, scene: Scene, predictors: Sequence[Predictor], settings: PredictSettings) -> None:
        self.scene, self.predictors, self.settings = scene, predictors, settings
        bundles = [each.bundle for each in predictors]
        agree_together(bundles)
        for bundle in bundles:
            agree(scene, bundle)
        self.area = settings.crop.area(scene.grid)
        self.grid = scene.grid.window(self.area.window)
        patch = bundles[0].manifest.patch
        self.halo = patch.halo if settings.overlap is None else settings.overlap // 2
        self.plan = self._plan(patch.size)
        # polygons tell their mean confidence, whether it becomes a file or not
        confidence = settings.confidence or settings.polygons is not None
        self.products = Products(bundles[0].legend, confidence, settings.probabilities, settings.validity)
        if settings.polygons is not None:
            self._open_polygons(settings.polygons).abort()  # what speaks against it is told now, not after hours
        self.batch_size = self._batch_size()

    def _plan(self, size: int) -> Plan:
        shape, window = self.scene.grid.shape, self.area.window
        if self.predictors[0].whole:
            plan = Plan.whole(*shape, window=window)
            check_whole(plan, self.predictors, self.settings.max_memory)
            return plan
        plan = Plan.sliding(*shape, size=size, halo=self.halo)
        check_patches(plan, self.predictors)
        return plan.within(window)

    def _batch_size(self) -> int:
        settings = self.settings
        most = settings.batch_size or default_batch(self.predictors[0])
        most = min(most, len(self.plan.lefts))  # a batch is of one row of patches
        if settings.max_memory is None:
            return most
        layers = self.products.layers(Path("map.tif"), {})
        budget, block = settings.max_memory, self.scene.block
        return largest_batch(self.plan, self.predictors, layers, most=most, block=block, budget=budget)

    def layers(self, output: Path) -> list[Layer]:
        """The files of the map."""
        bundles = [each.bundle for each in self.predictors]
        networks = ", ".join(dict.fromkeys(str(each.manifest.network["name"]) for each in bundles))
        tags = {"bundle": ", ".join(each.name for each in bundles), "network": networks}
        return replace(self.products, confidence=self.settings.confidence).layers(output, tags)

    def drafts(self, output: Path) -> list[Layer]:
        """What is kept beside them until the map is complete: the confidence, where only polygons want it."""
        files = {each.path for each in self.layers(output)}
        return [each for each in self.products.layers(output, {}) if each.path not in files]

    def needs(self) -> Needs:
        """What it needs of memory at most."""
        layers = self.products.layers(Path("map.tif"), {})
        return needs(self.plan, self.predictors, layers, batch=self.batch_size, block=self.scene.block)

    def asked(self) -> dict[str, Any]:
        """All that the files depend on, as plain data."""
        settings, scene, first = self.settings, self.scene, self.predictors[0]
        return {
            "optical": scene.optical_path and _file(scene.optical_path),
            "SAR": scene.sar_path and _file(scene.sar_path),
            "bands": [scene.optical_bands, scene.sar_bands],
            "bundles": [f"{each.bundle.name} ({_digest(each.bundle)})" for each in self.predictors],
            "crop": settings.crop.told,
            "whole": first.whole,
            "overlap": 2 * self.halo,
            "blend": settings.blend,
            "tta": first.looks,
            "batch_size": self.batch_size,
            "confidence": settings.confidence,
            "probabilities": settings.probabilities,
            "validity": settings.validity,
            "polygons": settings.polygons and str(settings.polygons.resolve()),
            "min_area": settings.min_area_m2,
            "stac": settings.stac,
            "device": first.device.partition(":")[0],
            "precision": first.precision,
            "rsfuse": __version__,
        }

    def write_rest(self, writer: MapWriter, tally: Tally, progress: Progress) -> None:
        """Map the rows that a writer does not have yet."""
        plan = self.plan.within(_below(self.area.window, writer.rows))
        seen = [(each, inputs) for each in self.predictors for inputs in each.inputs]
        own = cache(self.scene.statistics)  # read once, and only where a bundle has none
        scalers = [Scaler(inputs, each.bundle.manifest.statistics or own()) for each, inputs in seen]
        conveyor = Conveyor([each for each, _ in seen], plan, batch_size=self.batch_size, blend=self.settings.blend)
        with ExitStack() as opened:
            reads = [self._read(opened.enter_context(self.scene.again())) for _ in range(self.settings.readers)]
            rows = ScaledRows(reads, scalers, plan, block=self.scene.block, wanted=self.area.mask)
            opened.enter_context(rows)
            pen = opened.enter_context(ThreadPoolExecutor(1, "writer"))
            written: Future[None] | None = None
            for strip in conveyor.strips(rows, tally, progress):
                products, top = self._rows_of(strip), strip.top - int(self.area.window.row_off)
                if written is not None:
                    written.result()  # one strip behind at most: memory stays, and errors come out
                written = pen.submit(writer.write, top, *products)
            if written is not None:
                written.result()

    def _read(self, scene: Scene) -> Read[Sample]:
        """How a scene is read: with pixels of one sensor alone, where all networks do without the other."""
        may_lack = set(_SENSORS).intersection(*(each.bundle.manifest.without for each in self.predictors))
        return partial(scene.read_partial, needed=sum(_SENSORS[name] for name in set(_SENSORS) - may_lack))

    def _rows_of(self, strip: Strip) -> list[NDArray[Any]]:
        """The rows of each file, and then of each draft."""
        products = self.products.of(strip)
        if self.products.confidence and not self.settings.confidence:
            products.append(products.pop(1))
        return products

    def _open_polygons(self, path: Path) -> MapPolygons:
        """Whether the path is taken, the writer of the map has to know: an earlier run may have taken it."""
        least = self.settings.min_area_m2
        return MapPolygons(path, self.grid, self.products.legend, min_area_m2=least, overwrite=True)

    def draw(self, writer: MapWriter, path: Path) -> PolygonReport:
        """Write the polygons of a map whose rows are all there; before it is sealed, so that they can be done again.

        Where the map was finished before, they are counted alone.
        """
        polygons = self._open_polygons(path)
        confidence = 1 if self.settings.confidence else -1  # a draft comes last
        try:
            for top, layers in writer.blocks():
                polygons.add(top, layers[0][0], None if writer.finished else layers[confidence][0])
            (polygons.drop if writer.finished else polygons.seal)()
        finally:
            polygons.abort()
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
    parts = sorted([*bundle.folder.glob(MANIFEST), *bundle.folder.glob(f"{bundle.weights.name}*")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:12]
