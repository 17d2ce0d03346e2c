"""From an opened product to the finished raster: images laid out, brought to the ground, sharpened, written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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
from rsfuse.raster.products.optical_calibration import Quantity
from rsfuse.raster.products.product import OpticalFacts, Product
from rsfuse.raster.products.sar_calibration import SarQuantity
from rsfuse.raster.sharpening.classical import fitted
from rsfuse.raster.sharpening.offset import Offset, measure_offset
from rsfuse.raster.sharpening.scene import PanMsScene

_LEAST_RATIO = 1.5  # of multispectral pixels to those of the grid: below it there is nothing to sharpen
Stages = Callable[[str, str], AbstractContextManager[Callable[[int, int], None]]]
"""Called when a part of the work begins, with what is being done and what is counted."""


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


@dataclass(frozen=True)
class Made:
    """What came of it.

    Args:
        planned: what was made of the product.
        place: where it lies.
        content: of the raster.
        resumed: rows that an earlier run had made.
        known: how many pixels are data.
        offset: of the multispectral image against the panchromatic one; None where nothing was sharpened.
    """

    planned: Planned
    place: Place
    content: Content
    resumed: int
    known: int
    offset: Offset | None = None


@dataclass(frozen=True)
class Making:
    """The work on one product.

    Args:
        product: see there.
        settings: what a user has chosen.
        stages: told of the parts of the work.
    """

    product: Product
    settings: PrepareSettings
    stages: Stages

    def made(self, output: Path) -> Made:
        """The raster that is asked for.

        Raises:
            SceneError: if the product is damaged, or something is not known that is asked for.
            OutputError: if the raster cannot be written.
        """
        method = self.settings.optical.sharpen
        return self._orthorectified(output) if method is None else self._sharpened(output, method)

    def _orthorectified(self, output: Path) -> Made:
        """The images of one kind on the ground."""
        planned = self._planned(self.settings.optical.image)
        place = place_of(self.product.path, planned, self.settings.place)
        content = replace(self._content(planned, place), packed=self.settings.packed)
        with GrowingRaster(
            output, place.grid, content, self._asked(place), overwrite=self.settings.overwrite
        ) as raster:
            resumed = raster.rows
            self._fill(raster, planned, place, content)
            self._seal(raster)
        return Made(planned, place, content, resumed, raster.known)

    def _sharpened(self, output: Path, method: Method) -> Made:
        """The multispectral image on the ground, sharpened by the panchromatic one."""
        pan, ms = self._planned("pan"), self._planned("ms")
        place = place_of(self.product.path, pan, self.settings.place)
        below = self._below(place, ms)
        content = replace(self._content(ms, below, RSFUSE_SHARPENED=method), packed=self.settings.packed)
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
        return Made(replace(ms, warnings=(*pan.warnings, *ms.warnings)), place, content, resumed, raster.known, offset)

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
        content = replace(self._content(planned, place), packed=False)
        with GrowingRaster(path, place.grid, content, self._asked(place)) as raster:
            self._fill(raster, planned, place, content)

    def _fill(self, raster: GrowingRaster, planned: Planned, place: Place, content: Content) -> None:
        """Lay out all images, and orthorectify them."""
        channels = []
        for number, channel in enumerate(planned.channels):
            parts = []
            for part, image in enumerate(channel.images):
                block = block_of(image, channel.looks, place)
                laid = layout_of(image, block, raster.folder / f"laid-{number}-{part}.image.tif")
                if not laid.path.exists():
                    with self.stages(f"reading {image.name}", "rows") as progress:
                        lay_out(image, channel.treat(block), laid.path, progress)
                parts.append(laid)
            channels.append(Channel(tuple(parts), channel.finish, channel.beside))
        ground = Ground(place.grid, place.heights, self.settings.kernel)
        with GroundScene(channels, ground, content) as scene, self.stages("orthorectifying", "blocks") as progress:
            write_missing(scene, raster, progress)

    def _seal(self, raster: GrowingRaster) -> None:
        with self.stages("packing", "files") as progress:
            raster.seal()
            progress(1, 1)

    def _content(self, planned: Planned, place: Place, **tags: str) -> Content:
        """What the raster is, and says of itself."""
        first, facts = planned.channels[0], self.product.facts
        wish = self.settings.place
        told = {
            "RSFUSE_PRODUCT": self.product.name,
            **({"RSFUSE_ACQUIRED": facts.acquired.isoformat()} if isinstance(facts, OpticalFacts) else {}),
            **planned.tags,
            "RSFUSE_AVERAGED": "{} x {} px (rows x columns)".format(*block_of(first.images[0], first.looks, place)),
            "RSFUSE_RESAMPLING": self.settings.kernel,
            **tags,
        }
        if place.heeds_height:
            ground = f"{place.usual_m:g} m" if wish.dem is None else f"{wish.dem.name}, {wish.geoid_m:+g} m"
            told["RSFUSE_GROUND"] = f"{ground} (above the ellipsoid)"
        return Content(len(planned.bands), planned.dtype, planned.nodata, bands=planned.bands, tags=told)

    def _asked(self, place: Place) -> dict[str, Any]:
        """What the pixels depend on."""
        settings = asdict(replace(self.settings, overwrite=False))
        named = [self.product.path, *files_in(self.product).values()]
        named += [file for file in (self.settings.place.dem, self.settings.optical.coefficients) if file is not None]
        files = {str(file): [file.stat().st_size, file.stat().st_mtime] for file in named if file.is_file()}
        return {
            "software": rsfuse.__version__,
            "files": files,
            **{name: _plain(value) for name, value in settings.items()},
            "grid": [place.crs.to_wkt(), list(place.grid.transform[:6]), list(place.grid.shape)],
        }


def files_in(product: Product) -> dict[str, Path]:
    """Images that are files of their own, by their names; the text of a virtual raster is none."""
    return {image.file: Path(image.source) for image in product.images if not image.source.startswith("<")}


def _sensor_of(product: Product) -> str:
    """By whose sharpness images are sharpened: "gf2" of "GF2"."""
    facts = product.facts
    code = facts.satellite.lower()[:3] if isinstance(facts, OpticalFacts) else ""
    return code if code in SENSORS else "other"


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
