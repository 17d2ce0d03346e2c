"""What a prediction will write, and what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.scene_run import PredictSettings
from rsfuse.legend import Legend
from rsfuse.raster.outputs import Named, files_of
from rsfuse.raster.painted import names_beside
from rsfuse.reports.stac import item_path


def outputs_of(output: Path, legend: Legend, settings: PredictSettings) -> list[Named]:
    """All files that a map brings, the map first.

    Args:
        output: the map.
        legend: of its classes.
        settings: what is to be written beside it.
    """
    layers = Products(legend, settings.confidence, settings.probabilities, settings.validity).layers(output, {})
    named = [("the map", output), *((f"its layer of {_what(each.path, output)}", each.path) for each in layers[1:])]
    named.append(("its names of classes", names_beside(output)))
    if settings.polygons is not None:
        named.append(("its polygons", settings.polygons))
    if settings.stac:
        named.append(("its STAC item", item_path(output)))
    return named


def inputs_of(rasters: Iterable[Path], settings: PredictSettings, bundles: Iterable[Path]) -> Iterator[Named]:
    """All files that a prediction reads, those that a raster is made of among them.

    Args:
        rasters: optical and SAR.
        settings: polygons of its crop count.
        bundles: their folders.
    """
    for raster in rasters:
        yield from (("a raster that is mapped", path) for path in files_of(raster))
    if settings.crop.polygons is not None:
        yield "the file of the area that is mapped", settings.crop.polygons
    for folder in bundles:
        yield from ((f"part of the bundle {folder.name}", path) for path in sorted(folder.rglob("*")))


def _what(layer: Path, output: Path) -> str:
    return layer.stem.removeprefix(f"{output.stem}_")
