"""A GeoPackage of polygons, written in portions into a hidden file: a half-written one has no name."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS

from rsfuse.errors import OutputError
from rsfuse.raster.disk import check_free, check_space, writing
from rsfuse.raster.opening import bound_cache, quiet

_PORTION = 2**24  # bytes; to open the file costs as much as to write a few thousand polygons
_FEATURE_BYTES = 512  # more than its attributes and its place in the spatial index take


class PolygonFile:
    """One layer of polygons on its way to the disk, named like the file.

    Args:
        path: of the finished file, .gpkg: other formats do not grow in portions.
        crs: of the polygons, or None.
        fields: name and type of each attribute.
        overwrite: replace a file that is there.

    Raises:
        OutputError: if the path is taken, is not one of a GeoPackage, or its folder is missing.
    """

    def __init__(
        self, path: Path, crs: CRS | None, fields: Mapping[str, type[np.generic]], *, overwrite: bool = False
    ) -> None:
        if path.suffix.lower() != ".gpkg":
            raise OutputError(f"{path} is not a GeoPackage", hint=f"name it {path.with_suffix('.gpkg').name}")
        check_free(path, overwrite=overwrite)
        self._path, self._crs, self._fields = path, None if crs is None else crs.to_wkt(), dict(fields)
        self._stem = f".{path.name}.part"
        self._part = path.with_name(f"{self._stem}.gpkg")
        self._waiting: list[tuple[NDArray[Any], ...]] = []
        self._bytes = self._written = 0
        bound_cache()
        self.abort()  # what a run that was killed has left
        self._write(np.empty(0, object), tuple(np.empty(0) for _ in self._fields))

    def add(self, polygons: NDArray[np.object_], *attributes: NDArray[Any]) -> None:
        """Take some polygons.

        Args:
            polygons: (n,) of shapely.
            attributes: (n,) of each field; NaN for none.

        Raises:
            OutputError: if the disk is full.
        """
        encoded = shapely.to_wkb(polygons)  # a small polygon of shapely's takes five times the memory
        self._waiting.append((encoded, *attributes))
        self._bytes += sum(map(len, encoded))
        if self._bytes >= _PORTION:
            self._flush()

    def _flush(self) -> None:
        encoded, *columns = (np.concatenate(each) for each in zip(*self._waiting, strict=True))
        check_space(self._path, self._bytes + _FEATURE_BYTES * len(encoded))
        self._waiting, self._bytes = [], 0
        self._write(encoded, tuple(columns))

    def _write(self, encoded: NDArray[np.object_], columns: tuple[NDArray[Any], ...]) -> None:
        kinds = self._fields.values()
        with writing(self._path), _unplaced() if self._crs is None else nullcontext():
            try:
                pyogrio.raw.write(
                    self._part,
                    encoded,
                    field_data=[column.astype(kind) for column, kind in zip(columns, kinds, strict=True)],
                    fields=list(self._fields),
                    layer=self._path.stem,
                    driver="GPKG",
                    geometry_type="Polygon",
                    crs=self._crs,
                    append=self._part.exists(),
                )
            except RuntimeError as error:  # so are all of pyogrio's
                raise OSError(str(error)) from error
        self._written += len(encoded)

    def seal(self) -> None:
        """Write what waits and give the file its name.

        Raises:
            OutputError: if the disk is full.
        """
        if self._waiting:
            self._flush()
        with writing(self._path):
            there = pyogrio.read_info(self._part, force_feature_count=True)["features"]
            if there != self._written:
                raise OSError(f"{there} polygons of {self._written} can be read")
            self._part.replace(self._path)
        self.abort()

    def abort(self) -> None:
        """Leave nothing unfinished; what has its name stays."""
        for part in self._path.parent.glob(f"{glob.escape(self._stem)}*"):  # SQLite puts its own files beside ours
            part.unlink(missing_ok=True)


@contextmanager
def _unplaced() -> Iterator[None]:
    """Let polygons without a CRS be written without a warning: their map has none either."""
    with quiet():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        yield
