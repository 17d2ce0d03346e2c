"""Mosaic: many maps, or many images, become one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rasterio.windows import Window

from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import Legend
from rsfuse.raster.disk import check_free
from rsfuse.raster.draft import Content, Draft
from rsfuse.raster.map_layer import BLOCK
from rsfuse.raster.mosaics.agreement import agreed_legend
from rsfuse.raster.mosaics.linked import write_linked
from rsfuse.raster.mosaics.mosaic import Design, Mosaic
from rsfuse.raster.mosaics.region import Region, Target
from rsfuse.raster.mosaics.rules import Name, choose_rule
from rsfuse.raster.mosaics.source import Source, check_bands
from rsfuse.raster.outputs import check_outputs, files_of
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Stages, unseen

_WIDE = 8 * BLOCK  # columns of a window: memory does not grow with the mosaic


@dataclass(frozen=True)
class MosaicSettings:
    """What a user may choose.

    Args:
        rule: what becomes of pixels that several rasters have; None for what suits them best.
        target: where the pixels shall lie.
        legend: of maps that do not say theirs; None to take rasters without one for images.
        scenes: GeoPackage to write, polygons that say which scene each pixel is from; None for none.
        overwrite: replace outputs that are there.
    """

    rule: Name | None = None
    target: Target = field(default_factory=Target)
    legend: Legend | None = None
    scenes: Path | None = None
    overwrite: bool = False


DEFAULTS = MosaicSettings()


@dataclass(frozen=True)
class MosaicReport:
    """What came of it.

    Args:
        output: the file.
        design: what it is made of.
        seconds: how long it took.
        peak_memory_mb: of this process.
    """

    output: Path
    design: Design
    seconds: float
    peak_memory_mb: int

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        design, grid = self.design, self.design.region.grid
        return {
            "output": str(self.output),
            "inputs": len(design.sources),
            "kind": "image" if design.legend is None else "map",
            "rule": design.rule,
            "legend": design.legend and design.legend.to_dict(),
            "crs": grid.crs.to_string() if grid.crs else None,
            "width": grid.width,
            "height": grid.height,
            "megapixels": round(grid.height * grid.width / 1e6, 3),
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }


def mosaic(
    rasters: Sequence[Path], output: Path, settings: MosaicSettings = DEFAULTS, stages: Stages = unseen
) -> MosaicReport:
    """Bring some rasters of any CRS, resolution and extent to one grid, and write what they make together.

    Args:
        rasters: maps of one legend, or images of the same bands.
        output: cloud optimised GeoTIFF to write; or .vrt, which shows the rasters and holds no pixels itself.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if an output is there already, is one of the rasters, or cannot be written.
        SceneError: if a raster cannot be read or does not go with the others.
        LegendMismatchError: if maps mean different things by their codes.
        ToolError: if a virtual raster is wanted and GDAL's programs are missing.
    """
    start = time.monotonic()
    _check_outputs(rasters, output, settings)
    if output.suffix.lower() == ".vrt":
        settings = _linkable(settings)
        design = _design(rasters, settings)
        write_linked(design, output)
    else:
        design = _design(rasters, settings)
        _write(design, output, settings, stages)
    return MosaicReport(output, design, time.monotonic() - start, peak_memory_mb())


def _check_outputs(rasters: Sequence[Path], output: Path, settings: MosaicSettings) -> None:
    outputs = [("the mosaic", output)]
    if settings.scenes is not None:
        outputs.append(("the polygons of scenes", settings.scenes))
    for _, path in outputs:
        check_free(path, overwrite=settings.overwrite)
    check_outputs(outputs, (("a raster of the mosaic", path) for raster in rasters for path in files_of(raster)))


def _linkable(settings: MosaicSettings) -> MosaicSettings:
    """Settings of a virtual raster."""
    if settings.rule not in (None, "first", "last") or settings.scenes is not None:
        wanted = "polygons of scenes" if settings.scenes is not None else f"rule {settings.rule}"
        raise OutputError(
            f"a virtual raster shows the first raster or the last: there is no {wanted} with it",
            hint="write a GeoTIFF: name the output .tif",
        )
    return replace(settings, rule=settings.rule or "first")


def _design(rasters: Sequence[Path], settings: MosaicSettings) -> Design:
    sources = [Source.of(path) for path in rasters]
    legend = agreed_legend(sources, settings.legend)
    if legend is None:
        check_bands(sources)
    return Design(
        sources,
        Region.around(sources, settings.target.lattice(sources[0].grid)),
        choose_rule(sources, settings.rule, are_maps=legend is not None),
        legend,
        checks_codes=settings.legend is not None,
    )


def _write(design: Design, output: Path, settings: MosaicSettings, stages: Stages) -> None:
    grid = design.region.grid
    like = None if design.legend else design.sources[0].path
    content = Content(design.bands, design.dtype, design.nodata, design.legend, like)
    windows = list(_windows(grid))
    with ExitStack() as opened:
        merging = opened.enter_context(Mosaic(design))
        draft = opened.enter_context(Draft(output, grid, content))
        scenes = None
        if settings.scenes is not None:
            # here, because what writes polygons loads for as long as a small mosaic takes
            from rsfuse.raster.mosaics.scene_polygons import ScenePolygons

            paths = [source.path for source in design.sources]
            polygons = ScenePolygons(settings.scenes, paths, design.region, overwrite=settings.overwrite)
            scenes = opened.enter_context(polygons)
        with stages("mosaicking", "windows") as progress:
            for done, window in enumerate(windows, 1):
                merged = merging.read(window)
                draft.write(window, merged.pixels, merged.valid)
                if scenes is not None:
                    scenes.add(window, merged.scenes)
                progress(done, len(windows))
        with stages("packing", "files") as progress:
            draft.seal()
            progress(1, 1)


def _windows(grid: Grid) -> Iterator[Window]:
    """Whole blocks, row by row."""
    for top in range(0, grid.height, BLOCK):
        for left in range(0, grid.width, _WIDE):
            yield Window(left, top, min(_WIDE, grid.width - left), min(BLOCK, grid.height - top))
