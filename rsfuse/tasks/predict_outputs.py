"""What a prediction will write, held against what it reads and against itself, before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rsfuse.errors import OutputError, SceneError
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.scene_run import PredictSettings
from rsfuse.legend import Legend
from rsfuse.raster.opening import open_raster
from rsfuse.raster.painted import names_beside
from rsfuse.reports.stac import item_path

__all__ = ["Named", "check_outputs", "inputs_of", "outputs_of"]

Named = tuple[str, Path]
"""What a file is to the user, in words, and where it lies."""


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
        yield from (("a raster that is mapped", path) for path in _files(raster))
    if settings.crop.polygons is not None:
        yield "the file of the area that is mapped", settings.crop.polygons
    for folder in bundles:
        yield from ((f"part of the bundle {folder.name}", path) for path in sorted(folder.rglob("*")))


def check_outputs(outputs: Sequence[Named], inputs: Iterable[Named]) -> None:
    """Refuse outputs that are inputs, or each other; overwriting is no excuse.

    Raises:
        OutputError: naming the file and what it is.
    """
    first: dict[Path, str] = {}
    for told, path in outputs:
        if path.resolve() in first:
            other = first[path.resolve()]
            raise OutputError(f"{path} would be {other} and {told}", hint="give each of them a name of its own")
        first[path.resolve()] = told
    there = {_identity(path): (told, path) for told, path in outputs if path.is_file()}
    if not there:
        return
    for is_told, source in inputs:
        if source.is_file() and _identity(source) in there:
            told, path = there[_identity(source)]
            same = "" if path == source else f", {source}"
            raise OutputError(
                f"{path} would be written as {told}, and it is {is_told}{same}",
                hint="choose another --out or --polygons: what is read is never written over",
            )


def _what(layer: Path, output: Path) -> str:
    return layer.stem.removeprefix(f"{output.stem}_")


def _files(raster: Path) -> set[Path]:
    """A raster and the files beside or below it: a VRT's sources, a header."""
    found = {raster}
    with suppress(SceneError), open_raster(raster) as file:  # what cannot be opened is told where it is mapped
        found.update(Path(name) for name in file.files)
    return found


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of a file, links among them."""
    there = path.stat()
    return there.st_dev, there.st_ino
