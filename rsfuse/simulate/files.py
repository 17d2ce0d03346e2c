"""A simulated scene as three GeoTIFFs, written block by block, each of which says that it is simulated."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from rsfuse.errors import OutputError
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.disk import check_space, writing
from rsfuse.raster.opening import bound_cache
from rsfuse.raster.painted import category_names, names_beside, paint
from rsfuse.simulate.scene import BLOCK, Rendered, SimulatedScene, render

OPTICAL_BANDS = ("blue", "green", "red", "nir")
CRS = "EPSG:32650"
ORIGIN = (500_000.0, 3_400_000.0)  # UTM zone 50 north, in Hubei, where the scenes of WHU-OPT-SAR lie
BYTES_PER_PIXEL = 6.5  # of the three files together; 5.4 measured at 4 looks
_COLORS = (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ScenePaths:
    """The three rasters of a simulated scene, on one grid.

    Args:
        optical: four bands, uint16, 0 to 1023.
        sar: one band, uint16, amplitude in DN.
        truth: one band, uint8, codes of the legend "whu-opt-sar", nodata 255.
    """

    optical: Path
    sar: Path
    truth: Path


def write_scene(
    scene: SimulatedScene, folder: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> ScenePaths:
    """Write optical.tif, sar.tif and truth.tif into a folder, which is made if need be.

    Only a few blocks of 512 x 512 px are in memory at a time, whatever the size of the scene.

    Args:
        scene: what to simulate.
        folder: where to.
        overwrite: whether to replace files that are there.
        progress: is told how many blocks are done, and of how many.

    Raises:
        OutputError: if a file exists and is not to be replaced, or cannot be written.
    """
    paths = ScenePaths(*(folder / f"{name}.tif" for name in ("optical", "sar", "truth")))
    needed = round(BYTES_PER_PIXEL * scene.height * scene.width)
    if not overwrite:
        _refuse_existing(paths)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        check_space(paths.optical, needed)
        bound_cache()
        with ExitStack() as files:
            writers = [files.enter_context(_written(path, scene)) for path in _members(paths)]
            _fill(writers, scene, progress)
        names = names_beside(paths.truth)
        names.write_text(category_names(LEGENDS["whu-opt-sar"]), encoding="utf-8")
    return paths


def _members(paths: ScenePaths) -> tuple[Path, Path, Path]:
    return paths.optical, paths.sar, paths.truth


def _refuse_existing(paths: ScenePaths) -> None:
    there = [path for path in _members(paths) if path.exists()]
    if there:
        raise OutputError(
            f"{len(there)} of 3 files exist already: {', '.join(map(str, there))}",
            hint="give --overwrite to replace them, or choose another folder",
        )


def _fill(writers: list[Any], scene: SimulatedScene, progress: Progress | None) -> None:
    """Render a scene into three open rasters."""
    windows = _windows(scene)
    for done, (window, layers) in enumerate(_rendered(scene, windows), 1):
        for writer, layer in zip(writers, layers, strict=True):
            writer.write(layer, window=window)
        if progress is not None:
            progress(done, len(windows))


def _windows(scene: SimulatedScene) -> list[Window]:
    """The blocks of a scene from left to right, row by row, cut off at its edges."""
    return [
        Window(left, top, min(BLOCK, scene.width - left), min(BLOCK, scene.height - top))
        for top in range(0, scene.height, BLOCK)
        for left in range(0, scene.width, BLOCK)
    ]


def _rendered(scene: SimulatedScene, windows: list[Window]) -> Iterator[tuple[Window, tuple[Any, ...]]]:
    """Windows in order with their layers as the files hold them; a few threads work ahead, and no further."""
    workers = min(os.cpu_count() or 1, 8)
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[tuple[Window, Future[Rendered]]] = deque()
        try:
            for window in windows:
                ahead.append((window, pool.submit(render, scene, window)))
                if len(ahead) > 2 * workers:
                    yield _as_stored(*ahead.popleft())
            while ahead:
                yield _as_stored(*ahead.popleft())
        finally:
            for _, task in ahead:
                task.cancel()


def _as_stored(window: Window, task: Future[Rendered]) -> tuple[Window, tuple[Any, ...]]:
    optical, sar, truth = task.result()
    return window, (optical, np.rint(np.minimum(sar, 65535)).astype(np.uint16), truth[None])


@contextmanager
def _written(path: Path, scene: SimulatedScene) -> Iterator[Any]:
    """A raster open for writing that gets its name only when it is complete."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with rasterio.open(part, "w", **_profile(path.stem, scene)) as writer:
            _describe(writer, path.stem, scene)
            yield writer
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _profile(name: str, scene: SimulatedScene) -> dict[str, Any]:
    """What rasterio needs to create one of the three files."""
    layer = {
        "optical": {"count": 4, "dtype": "uint16", "photometric": "MINISBLACK", "interleave": "band", "predictor": 2},
        "sar": {"count": 1, "dtype": "uint16", "predictor": 2},
        "truth": {"count": 1, "dtype": "uint8", "nodata": NODATA},
    }[name]
    return layer | {
        "driver": "GTiff",
        "height": scene.height,
        "width": scene.width,
        "crs": CRS,
        "transform": Affine(scene.gsd_m, 0, ORIGIN[0], 0, -scene.gsd_m, ORIGIN[1]),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "DEFLATE",
        "zlevel": 1,
        "bigtiff": "IF_SAFER",
    }


def _describe(writer: Any, name: str, scene: SimulatedScene) -> None:
    """Say what the file holds, and that nobody should take it for a real image."""
    told = ", ".join(f"{key} {value}" for key, value in asdict(scene).items())
    writer.update_tags(
        SIMULATED="YES",
        SIMULATED_SCENE=json.dumps(asdict(scene)),
        TIFFTAG_IMAGEDESCRIPTION=f"SIMULATED by rsfuse, not a satellite image: {name} layer, {told}",
        TIFFTAG_SOFTWARE="rsfuse",
    )
    if name == "optical":
        writer.descriptions = OPTICAL_BANDS
        writer.colorinterp = _COLORS
    elif name == "sar":
        writer.descriptions = ("HH",)
    else:
        writer.descriptions = ("land cover",)
        paint(writer, LEGENDS["whu-opt-sar"])
