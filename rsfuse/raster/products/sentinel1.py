"""Sentinel-1 GRD in a SAFE folder: an image of amplitudes for each polarisation, and how they become backscatter.

Thermal noise is not taken off (annotation/calibration/noise-*.xml is not looked at), nor is the noise along the borders
of scenes that were processed before 2018: there it stays, as very low backscatter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import SceneError
from rsfuse.raster.opening import open_raster
from rsfuse.raster.products.metadata import as_number, number_of, text_of
from rsfuse.raster.products.product import Product, ProductImage
from rsfuse.raster.products.safe import read_xml, scene_folder, scene_name
from rsfuse.raster.products.sar_calibration import SarQuantity
from rsfuse.raster.products.sparse_table import SparseTable

_SCENE = re.compile(r"S1[A-Z]_(?:IW|EW|S\d|WV)_([A-Z]{3}).*\.SAFE", re.IGNORECASE)
_FILE = re.compile(r"(?:calibration-)?s1[a-z]-[a-z0-9]+-([a-z]{3})-([hv]{2})-.*\.(?:xml|tiff?)", re.IGNORECASE)
_TAGS = {"sigma0": "sigmaNought", "gamma0": "gamma", "beta0": "betaNought"}
_ORDER = ("HH", "HV", "VV", "VH")  # of polarisations: the stronger before the weaker
_DOWNLOAD = "unpack or download the scene again"


def is_safe(path: Path) -> bool:
    """Whether a path is a scene of Sentinel-1, by its name or by what lies in it."""
    return (bool(_SCENE.fullmatch(path.name)) and path.is_dir()) or scene_folder(path, _holds_scene) is not None


def open_safe(path: Path) -> Product:
    """A GRD scene of Sentinel-1, of any mode.

    Its images say where they lie by control points, for the height of the ground at each of them.

    Raises:
        SceneError: if it is no GRD, or an image cannot be read or is not what its annotation describes.
    """
    root = scene_folder(path, _holds_scene) or path
    _refuse_other_kinds(root)
    files = _by_polarisation(root / "measurement")
    if not files:
        raise SceneError(f"{path} holds no image (measurement/s1*-grd-*.tiff)", hint=_DOWNLOAD)
    annotations = _by_polarisation(root / "annotation")
    facts = Sentinel1Facts(annotations, _by_polarisation(root / "annotation" / "calibration"))
    for polarisation, file in files.items():
        _check_size(file, annotations.get(polarisation))
    return Product(
        path=path,
        name=scene_name(root),
        images=tuple(
            ProductImage(
                file=str(file.relative_to(root)),
                source=str(file),
                role="sar",
                bands=(polarisation,),
                model=None,
                gsd_m=facts.spacing_m[1] if facts.spacing_m else None,
            )
            for polarisation, file in files.items()
        ),
        facts=facts,
        understood=facts.told(),
        missing=_missing(files, facts),
    )


@dataclass(frozen=True, eq=False)
class Sentinel1Backscatter:
    """Backscatter of an image of Sentinel-1: power of the amplitude in units of a calibrated one.

    Args:
        amplitudes: that stand for a backscatter of 1.
    """

    amplitudes: SparseTable

    def power(self, pixels: NDArray[Any], row: int, column: int) -> NDArray[np.float32]:
        """Linear power (h, w) of a window of amplitudes (1, h, w), NaN where these are 0."""
        numbers = pixels[0]
        power = np.empty(numbers.shape, np.float32)
        for strip, unit in self.amplitudes.strips(row, column, numbers.shape):
            part = power[strip]
            part[:] = numbers[strip]
            part /= unit
            part *= part
            part[part == 0] = np.nan
        return power


@dataclass(frozen=True)
class Sentinel1Facts:
    """What the radiometry of a GRD scene depends on; tables are read when they are asked for.

    Args:
        annotations: by polarisation.
        calibrations: likewise.
    """

    annotations: Mapping[str, Path]
    calibrations: Mapping[str, Path]

    def backscatter(self, polarisation: str, quantity: SarQuantity) -> Sentinel1Backscatter:
        """What makes a quantity of the image of a polarisation.

        Raises:
            SceneError: if its calibration is missing or broken.
        """
        path = self.calibrations.get(polarisation)
        if path is None:
            raise SceneError(
                f"the scene has no calibration of {polarisation} (annotation/calibration/calibration-*.xml)",
                hint=_DOWNLOAD,
            )
        tag = _TAGS[quantity]
        try:
            table = SparseTable.of(_lines(read_xml(path), tag))
        except ValueError as error:
            raise SceneError(f"{path} has no table of {tag}: {error}", hint=_DOWNLOAD) from error
        if not (np.isfinite(table.values) & (table.values > 0)).all():
            raise SceneError(f"{path} has values of {tag} that are not above 0", hint=_DOWNLOAD)
        return Sentinel1Backscatter(table)

    def incidence(self, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Angles of incidence, in degrees, at positions in the images, arrays of one shape.

        Args:
            columns: counted from the outer corner of the first pixel, whose centre is 0.5.
            rows: likewise.

        Raises:
            SceneError: if no annotation says them.
        """
        if self._angles is None:
            raise SceneError("the scene does not say its angles of incidence (annotation/s1*.xml)", hint=_DOWNLOAD)
        return self._angles.at(columns - 0.5, rows - 0.5).astype(np.float32)

    @property
    def knows_incidence(self) -> bool:
        """Whether angles of incidence can be had."""
        return self._angles is not None

    @property
    def spacing_m(self) -> tuple[float, float] | None:
        """(azimuth, ground range) of the pixels; None where nobody says."""
        azimuth, across = (number_of(self._annotation, f"{axis}PixelSpacing") for axis in ("azimuth", "range"))
        return (azimuth, across) if azimuth and across else None

    def told(self) -> dict[str, str]:
        """What is known of the scene, to be shown."""
        about, size = self._annotation, _size_of(self._annotation)
        mission = text_of(about, "missionId")
        angles = None if self._angles is None else self._angles.values
        facts = {
            "satellite": f"Sentinel-{mission[1:]}" if mission else None,
            "mode": text_of(about, "mode"),
            "acquired": (text_of(about, "startTime") or "")[:19].replace("T", " "),
            "level": text_of(about, "productType"),
            "pass": (text_of(about, "pass") or "").lower(),
            "polarisations": ", ".join(self.annotations),
            "size": f"{size[0]} x {size[1]} px" if size else None,
            "spacing": "{:g} x {:g} m (azimuth, range)".format(*self.spacing_m) if self.spacing_m else None,
            "incidence": None if angles is None else f"{angles.min():.1f} to {angles.max():.1f} degrees",
            "calibration": ", ".join(self.calibrations),
            "thermal noise": "not removed",
        }
        return {name: text for name, text in facts.items() if text}

    @cached_property
    def _annotation(self) -> Element:
        """Of the first polarisation: the others were acquired together with it."""
        return next((read_xml(path) for path in self.annotations.values()), Element("nothing"))

    @cached_property
    def _angles(self) -> SparseTable | None:
        lines: dict[float, list[tuple[float, float]]] = {}
        for point in self._annotation.iterfind(".//{*}geolocationGridPoint"):
            row, column, angle = (number_of(point, name) for name in ("line", "pixel", "incidenceAngle"))
            if row is not None and column is not None and angle is not None:
                lines.setdefault(row, []).append((column, angle))
        try:
            return SparseTable.of({row: _columns_and_values(points) for row, points in lines.items()})
        except ValueError:
            return None


def _columns_and_values(points: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns, values = np.array(sorted(points), np.float64).T
    return columns, values


def _lines(calibration: Element, tag: str) -> dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Columns and values of a quantity, by line of the image; a ValueError where a line has no number."""
    vectors = list(calibration.iterfind(".//{*}calibrationVector"))
    rows = [float(text_of(vector, "line") or "") for vector in vectors]
    tables = [(_row_of_numbers(vector, "pixel"), _row_of_numbers(vector, tag)) for vector in vectors]
    return dict(zip(rows, tables, strict=True))


def _row_of_numbers(above: Element, tag: str) -> NDArray[np.float64]:
    numbers = [as_number(text) for text in (text_of(above, tag) or "").split()]
    return np.array(numbers, np.float64)  # None becomes NaN


def _holds_scene(folder: Path) -> bool:
    return any(_FILE.fullmatch(path.name) for path in folder.glob("annotation/*.xml"))


def _refuse_other_kinds(root: Path) -> None:
    """Raise a SceneError if the files of a scene, or its name, are not of GRD."""
    files = [_FILE.fullmatch(path.name) for path in root.glob("annotation/*.xml")]
    kinds = sorted({match[1].upper() for match in files if match})
    named = _SCENE.fullmatch(root.name)
    found = kinds or ([named[1].upper()] if named else [])
    if found and found != ["GRD"]:
        raise SceneError(
            f"{root} is Sentinel-1 {', '.join(found)}, and only GRD (detected, in ground range) can be read",
            hint="download the GRD of the same scene: its name has GRD after the mode",
        )


def _by_polarisation(folder: Path) -> dict[str, Path]:
    """Files of images, annotations or calibrations by polarisation, in upper case, in the order of their names.

    Noise and radio interference have files of their own, which begin otherwise or lie elsewhere.
    """
    files = [(_FILE.fullmatch(path.name), path) for path in sorted(folder.glob("*"))]
    found = {match[2].upper(): path for match, path in files if match}
    return {polarisation: found[polarisation] for polarisation in _ORDER if polarisation in found}


def _check_size(file: Path, annotation: Path | None) -> None:
    """Raise a SceneError if an image cannot be opened, or is not of the size that its annotation says."""
    size = None if annotation is None else _size_of(read_xml(annotation))
    with open_raster(file) as opened:
        shape = opened.shape
    if size is not None and size != shape:
        raise SceneError(
            f"{file.name} has {shape[0]} x {shape[1]} px, and its annotation speaks of {size[0]} x {size[1]}",
            hint=_DOWNLOAD,
        )


def _size_of(annotation: Element) -> tuple[int, int] | None:
    """(height, width) of an image."""
    lines, samples = (number_of(annotation, name) for name in ("numberOfLines", "numberOfSamples"))
    return (int(lines), int(samples)) if lines and samples else None


def _missing(files: Mapping[str, Path], facts: Sentinel1Facts) -> tuple[str, ...]:
    """What should be there and is not, a sentence each."""
    kinds = {
        "image": (files, "it is left out"),
        "annotation": (facts.annotations, "its size cannot be checked"),
        "calibration": (facts.calibrations, "its backscatter cannot be computed"),
    }
    every = [one for one in _ORDER if any(one in found for found, _ in kinds.values())]
    lacking = [
        f"there is no {kind} of {one}: {outcome}"
        for one in every
        for kind, (found, outcome) in kinds.items()
        if one not in found
    ]
    if not facts.knows_incidence:
        lacking.append("no annotation says the angles of incidence")
    return tuple(lacking)
