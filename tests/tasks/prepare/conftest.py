"""Synthetic products to order, and `prepare` with what it wrote."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform

from rsfuse.raster.ortho.optical import OpticalWish
from rsfuse.raster.ortho.placed import PlaceWish
from rsfuse.raster.ortho.sar import SarWish
from rsfuse.tasks.prepare import PrepareReport, PrepareSettings, prepare

TESTS = Path(__file__).parents[2]
WISHES = {"place": PlaceWish, "optical": OpticalWish, "sar": SarWish}


@dataclass(frozen=True)
class Prepared:
    """A raster that was written: its pixels (B, h, w), where all of them are data, and what it says of itself."""

    report: PrepareReport
    pixels: NDArray[Any]
    valid: NDArray[np.bool_]
    crs: CRS
    transform: Affine
    nodata: float
    names: tuple[str, ...]
    units: tuple[str, ...]
    tags: dict[str, str]

    @property
    def lonlat(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Longitude and latitude of the middle of every pixel, (h, w)."""
        rows, columns = (each.ravel() + 0.5 for each in np.indices(self.valid.shape))
        x, y = self.transform * (columns, rows)
        lies = transform(self.crs, "EPSG:4326", x, y)
        longitude, latitude = (np.reshape(each, self.valid.shape) for each in lies)
        return longitude, latitude


def _settings_of(**given: Any) -> PrepareSettings:
    for part, kind in WISHES.items():
        own = {field.name: given.pop(field.name) for field in fields(kind) if field.name in given}
        given[part] = kind(**own)
    return PrepareSettings(**given)


def _read(path: Path, report: Any = None) -> Prepared:
    """What a file holds."""
    with rasterio.open(path) as file:
        return Prepared(
            report,
            file.read(),
            file.dataset_mask() > 0,
            file.crs,
            file.transform,
            file.nodata,
            file.descriptions,
            tuple(unit or "" for unit in file.units),
            file.tags(),
        )


@pytest.fixture(scope="session")
def gaofen() -> SimpleNamespace:
    """What tests/gaofen_products.py offers."""
    return SimpleNamespace(**run_path(str(TESTS / "gaofen_products.py")))


@pytest.fixture(scope="session")
def safes() -> SimpleNamespace:
    """What tests/safe_folders.py offers."""
    return SimpleNamespace(**run_path(str(TESTS / "safe_folders.py")))


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Prepared]:
    """Prepare a product and read what was written: prepared(path, "name.tif", gsd=8, linear=True, quantity="dn")."""

    def run(path: Path, name: str = "scene.tif", **given: Any) -> Prepared:
        output = tmp_path / name
        return _read(output, prepare(path, output, _settings_of(**given)))

    return run


@pytest.fixture(scope="session")
def read() -> Callable[[Path], Prepared]:
    """What a raster on the disk holds."""
    return _read


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., PrepareSettings]:
    """Settings from the names in all of their parts: settings_of(gsd=8, sharpen="gsa", kernel="cubic")."""
    return _settings_of


@pytest.fixture
def write_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write pixels (B, h, w) as a raster: write_raster("name.tif", pixels, crs=..., transform=..., rpcs=...)."""

    def write(name: str, pixels: NDArray[Any], **said: Any) -> Path:
        path = tmp_path / name
        count, height, width = pixels.shape
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", photometric="MINISBLACK", **profile, **said) as file:
                file.write(pixels)
        return path

    return write


@pytest.fixture
def left_behind(tmp_path: Path) -> Callable[[], set[str]]:
    """Names of all files and folders in the folder of the test, hidden ones too."""
    return lambda: {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
