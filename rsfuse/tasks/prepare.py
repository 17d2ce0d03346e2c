"""Prepare: a delivered scene in, one GeoTIFF on a grid on the ground out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import rsfuse
from rsfuse.errors import SceneError
from rsfuse.geometry.sampling import Kernel
from rsfuse.geometry.sharpening.methods import Method
from rsfuse.geometry.sharpening.sensors import SENSORS, find_sensor
from rsfuse.geometry.sharpening.storage import Storage
from rsfuse.raster.disk import check_free
from rsfuse.raster.draft import Content
from rsfuse.raster.footprint import gsd_m
from rsfuse.raster.growing import GrowingRaster
from rsfuse.raster.ortho.ground_scene import Channel, GroundScene, write_missing
from rsfuse.raster.ortho.image import Ground
from rsfuse.raster.ortho.laid_out import lay_out, layout_of
from rsfuse.raster.ortho.optical import OpticalWish, plan_optical
from rsfuse.raster.ortho.placed import Place, PlaceWish, block_of, heights_on, place_of
from rsfuse.raster.ortho.planned import Planned
from rsfuse.raster.ortho.sar import SarWish, plan_sar
from rsfuse.raster.ortho.target import coarsened
from rsfuse.raster.outputs import check_outputs, files_of
from rsfuse.raster.products.opened import is_product, open_product
from rsfuse.raster.products.optical_calibration import Quantity
from rsfuse.raster.products.plain import plain_product
from rsfuse.raster.products.product import OpticalFacts, Product
from rsfuse.raster.products.sar_calibration import SarQuantity
from rsfuse.raster.sharpening.classical import fitted
from rsfuse.raster.sharpening.offset import Offset, measure_offset
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Stages, unseen

_LEAST_RATIO = 1.5  # of multispectral pixels to those of the grid: below it there is nothing to sharpen


@dataclass(frozen=True)
class PrepareSettings:
    """What a user may choose.

    Args:
        quantity: what the pixels are; None for what is usual.
        place: where they lie.
        kernel: by which values between the pixels of an image are made.
        optical: of an optical product.
        sar: of a SAR product.
        packed: write a cloud optimised GeoTIFF; else a plain one, without overviews.
        overwrite: replace an output that is there, and what is left of a run that asked for something else.
    """

    quantity: Quantity | SarQuantity | None = None
    place: PlaceWish = field(default_factory=PlaceWish)
    kernel: Kernel = "bilinear"
    optical: OpticalWish = field(default_factory=OpticalWish)
    sar: SarWish = field(default_factory=SarWish)
    packed: bool = True
    overwrite: bool = False


DEFAULTS = PrepareSettings()


@dataclass(frozen=True)
class PrepareReport:
    """What was made, and what it took.

    Args:
        output: the raster.
        product: it was made of.
        bands: names.
        tags: what the raster says of its numbers.
        place: where it lies.
        offset: of the multispectral image against the panchromatic one; None where nothing was sharpened.
        warnings: a sentence each.
        resumed: rows that an earlier run had made.
        seconds: that it took.
        peak_memory_mb: of this process.
    """

    output: Path
    product: Product
    bands: tuple[str, ...]
    tags: Mapping[str, str]
    place: Place
    offset: Offset | None
    warnings: tuple[str, ...]
    resumed: int
    seconds: float
    peak_memory_mb: int

    @property
    def megapixels(self) -> float:
        """Of the raster."""
        return self.place.grid.height * self.place.grid.width / 1e6

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        grid, heights = self.place.grid, self.place.heights
        return {
            "output": str(self.output),
            "product": self.product.name,
            "bands": list(self.bands),
            **{name.removeprefix("RSFUSE_").lower(): text for name, text in self.tags.items()},
            "crs": self.place.crs.to_string(),
            "gsd": [abs(grid.transform.a), abs(grid.transform.e)],
            "gsd_m": round(gsd_m(grid), 4),
            "height": grid.height,
            "width": grid.width,
            "bounds": list(grid.bounds),
            "heights_m": [round(heights.lowest, 2), round(heights.highest, 2)],
            "covered": round(self.place.covered, 4),
            "offset": None if self.offset is None else self.offset.to_dict(),
            "warnings": list(self.warnings),
            "resumed_rows": self.resumed,
            "megapixels": round(self.megapixels, 3),
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }


def prepare(path: Path, output: Path, settings: PrepareSettings = DEFAULTS, stages: Stages = unseen) -> PrepareReport:
    """Calibrate and orthorectify a product of any size, and write a GeoTIFF.

    Memory is that of a few rows of blocks. A run that was stopped is gone on with by asking for the same; nothing
    unfinished has the final name, and of a product that turns out to be damaged nothing is left.

    Args:
        path: folder or archive of a product, or a raster with polynomials, control points or a CRS.
        output: GeoTIFF to write.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if the output is there already, is one of the inputs, or cannot be written.
        SceneError: if the product is damaged, or something is not known that is asked for.
        GridMismatchError: if it lies elsewhere than the grid that is asked for.
    """
    start = time.monotonic()
    check_free(output, overwrite=settings.overwrite)
    product = open_product(path) if is_product(path) else plain_product(path)
    _check_outputs(product, output, settings)
    work = _Work(product, settings, stages)
    _check_wishes(product, settings)
    method = settings.optical.sharpen
    made = work.orthorectified(output) if method is None else work.sharpened(output, method)
    return PrepareReport(
        output,
        product,
        tuple(band.name for band in made.planned.bands),
        made.content.tags,
        made.place,
        made.offset,
        (*dict.fromkeys(made.planned.warnings), *_doubts(made, settings)),
        made.resumed,
        time.monotonic() - start,
        peak_memory_mb(),
    )


@dataclass(frozen=True)
class _Made:
    planned: Planned
    place: Place
    content: Content
    resumed: int
    offset: Offset | None = None


@dataclass(frozen=True)
class _Work:
    """Product, wishes, and who is told."""

    product: Product
    settings: PrepareSettings
    stages: Stages

    def orthorectified(self, output: Path) -> _Made:
        """The images of one kind on the ground."""
        planned = self._planned(self.settings.optical.image)
        place = place_of(self.product.path, planned, self.settings.place)
        content = replace(_content(self.product, planned, place), packed=self.settings.packed)
        with GrowingRaster(
            output, place.grid, content, self._asked(place), overwrite=self.settings.overwrite
        ) as raster:
            resumed = raster.rows
            self._fill(raster, planned, place, content)
            self._seal(raster)
        return _Made(planned, place, content, resumed)

    def sharpened(self, output: Path, method: Method) -> _Made:
        """The multispectral image on the ground, sharpened by the panchromatic one."""
        pan, ms = self._planned("pan"), self._planned("ms")
        place = place_of(self.product.path, pan, self.settings.place)
        below = self._below(place, ms)
        content = replace(_content(self.product, ms, below, RSFUSE_SHARPENED=method), packed=self.settings.packed)
        with ExitStack() as opened:
            raster = opened.enter_context(
                GrowingRaster(output, place.grid, content, self._asked(place), overwrite=self.settings.overwrite)
            )
            resumed = raster.rows
            pair = raster.folder / "pan.tif", raster.folder / "ms.tif"
            self._intermediate(pair[0], pan, place)
            self._intermediate(pair[1], ms, below)
            scene = opened.enter_context(PanMsScene(*pair))
            with self.stages("matching", "tiles") as progress:
                offset = measure_offset(scene, progress)
            with self.stages("measuring", "windows") as progress:
                sharpener = fitted(scene, method, find_sensor(_sensor_of(self.product)), progress)
            storage = Storage(np.dtype(content.dtype), content.nodata)
            sharp = sharpener.windows(scene, raster.missing())
            with self.stages("sharpening", "blocks") as progress:
                raster.take((replace(storage, limits=each.limits)(each.pixels, each.valid) for each in sharp), progress)
            self._seal(raster)
        return _Made(replace(ms, warnings=(*pan.warnings, *ms.warnings)), place, content, resumed, offset)

    def _planned(self, role: Literal["ms", "pan"]) -> Planned:
        product, settings = self.product, self.settings
        if product.of("sar"):
            return plan_sar(product, settings.quantity, settings.sar)
        return plan_optical(product, role, settings.quantity, settings.optical)

    def _below(self, place: Place, ms: Planned) -> Place:
        """Where the multispectral image lies beneath the panchromatic one: whole pixels of that make one of its own."""
        wish = self.settings.place
        crs = place.crs.to_wkt()
        own = place_of(self.product.path, ms, replace(wish, like=None, dem=None, crs=crs, gsd=None))
        ratio = gsd_m(own.grid) / gsd_m(place.grid)
        if ratio < _LEAST_RATIO:
            raise SceneError(
                f"pixels of the grid ({gsd_m(place.grid):.3g} m) are as large as multispectral ones "
                f"({gsd_m(own.grid):.3g} m): there is nothing to sharpen",
                hint="leave out --sharpen, or choose a smaller --gsd",
            )
        grid = coarsened(place.grid, round(ratio))
        return replace(place, grid=grid, heights=heights_on(grid, ms.images, wish))

    def _intermediate(self, path: Path, planned: Planned, place: Place) -> None:
        """An orthorectified image that lives as long as the work."""
        if path.exists():
            return
        content = replace(_content(self.product, planned, place), packed=False)
        with GrowingRaster(path, place.grid, content, self._asked(place)) as raster:
            self._fill(raster, planned, place, content)

    def _fill(self, raster: GrowingRaster, planned: Planned, place: Place, content: Content) -> None:
        """Lay out all images, and orthorectify them."""
        channels = []
        for number, channel in enumerate(planned.channels):
            parts = []
            for part, image in enumerate(channel.images):
                treatment = channel.treat(block_of(image, channel.looks, place))
                laid = layout_of(image, treatment, raster.folder / f"laid-{number}-{part}.image.tif")
                if not laid.path.exists():
                    with self.stages(f"reading {image.name}", "rows") as progress:
                        lay_out(image, treatment, laid.path, progress)
                parts.append(laid)
            channels.append(Channel(tuple(parts), channel.finish, channel.beside))
        ground = Ground(place.grid, place.heights, self.settings.kernel)
        with GroundScene(channels, ground, content) as scene, self.stages("orthorectifying", "blocks") as progress:
            write_missing(scene, raster, progress)

    def _seal(self, raster: GrowingRaster) -> None:
        with self.stages("packing", "files") as progress:
            raster.seal()
            progress(1, 1)

    def _asked(self, place: Place) -> dict[str, Any]:
        """What the pixels depend on."""
        settings = asdict(replace(self.settings, overwrite=False))
        named = [self.product.path, *_files(self.product).values()]
        named += [file for file in (self.settings.place.dem, self.settings.optical.coefficients) if file is not None]
        files = {str(file): [file.stat().st_size, file.stat().st_mtime] for file in named if file.is_file()}
        return {
            "software": rsfuse.__version__,
            "files": files,
            **{name: _plain(value) for name, value in settings.items()},
            "grid": [place.crs.to_wkt(), list(place.grid.transform[:6]), list(place.grid.shape)],
        }


def _check_wishes(product: Product, settings: PrepareSettings) -> None:
    """Refuse what would be left undone without a word."""
    has_sar = bool(product.of("sar"))
    if has_sar and settings.optical != OpticalWish():
        raise SceneError(f"{product.path} is of a SAR", hint="leave out what is asked of optical scenes")
    if not has_sar and settings.sar != SarWish():
        raise SceneError(f"{product.path} is not of a SAR", hint="leave out what is asked of SAR scenes")


def _check_outputs(product: Product, output: Path, settings: PrepareSettings) -> None:
    place, inputs = settings.place, [("the product", product.path)]
    inputs += [(f"{name} of the product", path) for name, path in _files(product).items()]
    for told, path in (("the raster after --like", place.like), ("the DEM", place.dem)):
        inputs += [(told, each) for each in (files_of(path) if path is not None else ())]
    check_outputs([("the scene", output)], inputs)


def _files(product: Product) -> dict[str, Path]:
    """Images that are files of their own, by their names; the text of a virtual raster is none."""
    return {image.file: Path(image.source) for image in product.images if not image.source.startswith("<")}


def _content(product: Product, planned: Planned, place: Place, **tags: str) -> Content:
    bands, first = planned.bands, planned.channels[0]
    block = "{} x {}".format(*block_of(first.images[0], first.looks, place))  # rows by columns, as delivered
    told = {"RSFUSE_PRODUCT": product.name, **planned.tags, "RSFUSE_AVERAGED": block, **tags}
    return Content(len(bands), planned.dtype, planned.nodata, bands=bands, tags=told)


def _sensor_of(product: Product) -> str:
    """By whose sharpness images are sharpened: "gf2" of "GF2"."""
    facts = product.facts
    code = facts.satellite.lower()[:3] if isinstance(facts, OpticalFacts) else ""
    return code if code in SENSORS else "other"


def _doubts(made: _Made, settings: PrepareSettings) -> list[str]:
    """What may be wrong with where the pixels lie."""
    doubts, place = [], made.place
    if made.offset is not None and made.offset.is_noticeable:
        right, down = made.offset.shift
        doubts.append(
            f"the multispectral image lies {right:+.2f} px right and {down:+.2f} px down of the panchromatic one: "
            "prepare both by themselves, and rsfuse pansharpen --align undoes it"
        )
    if settings.place.dem is not None and place.heights.covered < _WHOLE:
        doubts.append(
            f"the DEM covers {place.heights.covered:.0%} of the grid; elsewhere the ground is taken to be "
            f"{place.usual_m:.0f} m high"
        )
    return doubts


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


_WHOLE = 0.999
