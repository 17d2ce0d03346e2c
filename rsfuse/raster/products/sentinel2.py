"""Sentinel-2 in a SAFE folder, L1C or L2A: the four bands of 10 m, and how their numbers become reflectance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.opening import open_raster
from rsfuse.raster.products.jpeg2000 import check_whole
from rsfuse.raster.products.metadata import as_number, first_of, number_of, text_of
from rsfuse.raster.products.optical_calibration import OpticalCalibration, Quantity, as_delivered
from rsfuse.raster.products.product import Product, ProductImage
from rsfuse.raster.products.safe import read_first, scene_folder, scene_name
from rsfuse.raster.vrt import show, vrt_on

_SCENE = re.compile(r"S2[A-Z]_.*\.SAFE", re.IGNORECASE)
_BAND = re.compile(r".*_(B\d[\dA])(?:_(\d\d)m)?\.(?:jp2|tiff?)", re.IGNORECASE)
_NAMES = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir"}
_NUMBERS = {"B02": 1, "B03": 2, "B04": 3, "B08": 7}  # by which the metadata call them: B01 is 0, B8A is 8
_METADATA = ("MTD_MSIL*.xml", "*_MTD_SAFL*.xml")  # the second until December 2016
_FIRST_WITH_OFFSETS = (4, 0)  # processing baseline, of January 2022


def is_safe(path: Path) -> bool:
    """Whether a path is a scene of Sentinel-2, by its name or by what lies in it."""
    return (bool(_SCENE.fullmatch(path.name)) and path.is_dir()) or scene_folder(path, _holds_scene) is not None


def open_safe(path: Path) -> Product:
    """A scene of Sentinel-2.

    Its one image shows blue, green, red and near infrared of 10 m; other bands are named and left alone. 0 means that
    there is no data; 65535, saturated, stays a number.

    Raises:
        SceneError: if none of these bands is there, one cannot be read, or there are several tiles.
    """
    root = scene_folder(path, _holds_scene) or path
    granule = _only_granule(root)
    files = _band_files(granule)
    bands = tuple(band for band in _NAMES if (band, 10) in files)
    if not bands:
        raise SceneError(
            f"{path} holds no band of 10 m of Sentinel-2 (GRANULE/*/IMG_DATA/*_B02.jp2, *_B02_10m.jp2 ...)",
            hint="unpack or download the scene again",
        )
    chosen = [files[band, 10] for band in bands]
    metadata = _Metadata.read(root, granule)
    scale, doubts = metadata.reflectance(bands)
    image = ProductImage(
        file=str(chosen[0].parent.relative_to(root)),
        source=_stacked(chosen, [_NAMES[band] for band in bands]),
        role="ms",
        bands=tuple(_NAMES[band] for band in bands),
        model=None,
        gsd_m=10.0,
    )
    finest = {band: gsd for band, gsd in sorted(files, reverse=True) if band not in _NAMES}
    others = [f"{band} ({finest[band]} m)" for band in sorted(finest)]
    absent = [f"band {band} ({_NAMES[band]}) of 10 m is not there" for band in _NAMES if band not in bands]
    return Product(
        path=path,
        name=scene_name(root),
        images=(image,),
        facts=scale,
        understood={
            **metadata.told(),
            "bands": ", ".join(f"{band} {_NAMES[band]}" for band in bands),
            "other bands": f"{', '.join(others) or 'none'}; not read",
            "reflectance": scale.told if scale else "unknown",
        },
        missing=(*absent, *doubts),
    )


@dataclass(frozen=True)
class ReflectanceScale(OpticalCalibration):
    """How the numbers of a scene become reflectance, as its metadata say: (number + offset) / quantification.

    That of a dark pixel may come out below 0, as the agency means it.
    """

    def giving(self, quantity: Quantity) -> OpticalCalibration:
        """What makes a quantity of the numbers.

        Raises:
            SceneError: if radiance is asked for.
        """
        if quantity == "radiance":
            raise SceneError(
                "Sentinel-2 is delivered as reflectance, not as radiance",
                hint="ask for --as reflectance, or --as dn",
            )
        if quantity == "reflectance":
            return self
        return as_delivered(len(self.scales))


@dataclass(frozen=True)
class _Metadata:
    """What the XML files of a scene say.

    Args:
        file: name of that of the scene; "" where there is none.
        scene: its content.
        tile: content of that of the tile.
        granule: name of the folder of the tile.
    """

    file: str
    scene: Element
    tile: Element
    granule: str

    @classmethod
    def read(cls, root: Path, granule: Path) -> _Metadata:
        _, tile = read_first(granule, "MTD_TL.xml", "*_MTD_L*.xml")
        return cls(*read_first(root, *_METADATA), tile, granule.name)

    @property
    def baseline(self) -> str:
        """Of the processing, as "05.09"; "" where nobody says."""
        return text_of(self.scene, "PROCESSING_BASELINE") or ""

    @property
    def level(self) -> str:
        """As the granule is called: "L1C" or "L2A"."""
        found = re.search(r"L(1C|2A)", f"{self.granule} {self.file}")
        return found[0] if found else ""

    def told(self) -> dict[str, str]:
        """What is known of the scene, to be shown."""
        sun = first_of(self.tile, "Mean_Sun_Angle")
        zenith = None if sun is None else number_of(sun, "ZENITH_ANGLE")
        tile = re.search(r"_T(\d\d[A-Z]{3})_", self.granule)
        facts = {
            "satellite": text_of(self.scene, "SPACECRAFT_NAME"),
            "sensor": "MSI",
            "acquired": (text_of(self.scene, "PRODUCT_START_TIME") or "")[:19].replace("T", " "),
            "level": self.level,
            "processing baseline": self.baseline,
            "tile": tile[1] if tile else None,
            "sun zenith": None if zenith is None else f"{zenith:.2f} degrees",
        }
        return {name: text for name, text in facts.items() if text}

    def reflectance(self, bands: Sequence[str]) -> tuple[ReflectanceScale | None, tuple[str, ...]]:
        """How numbers of some bands become reflectance, None where that is unknown, and doubts, a sentence each."""
        if not self.file:
            return None, ("neither MTD_MSIL1C.xml nor MTD_MSIL2A.xml is there: reflectance cannot be computed",)
        quantification = number_of(
            self.scene, "BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE"
        )
        if not quantification or quantification < 0:
            return None, (f"{self.file} has no QUANTIFICATION_VALUE: reflectance cannot be computed",)
        listed = self._offsets()
        if listed and not {_NUMBERS[band] for band in bands} <= set(listed):
            return None, (f"{self.file} has an ADD_OFFSET of some bands only: reflectance cannot be computed",)
        doubts: tuple[str, ...] = ()
        if not listed and self._is_expected_to_have_offsets:
            doubts = (f"{self.file} is of processing baseline {self.baseline} and has no ADD_OFFSET: 0 is taken",)
        offsets = [listed.get(_NUMBERS[band], 0.0) for band in bands]
        where = "at the top of the atmosphere" if self.level == "L1C" else "of the surface"
        shown = "0" if not any(offsets) else ", ".join(f"{offset:+g}" for offset in sorted(set(offsets)))
        scale = ReflectanceScale(
            "reflectance",
            tuple(1 / quantification for _ in bands),
            tuple(offset / quantification for offset in offsets),
            f"{where}: offset {shown}, divided by {quantification:g} ({self.file})",
            doubts,
        )
        return scale, doubts

    def _offsets(self) -> dict[int, float]:
        found = [*self.scene.iterfind(".//{*}RADIO_ADD_OFFSET"), *self.scene.iterfind(".//{*}BOA_ADD_OFFSET")]
        numbers = [(as_number(each.get("band_id")), as_number(each.text)) for each in found]
        return {int(band): offset for band, offset in numbers if band is not None and offset is not None}

    @property
    def _is_expected_to_have_offsets(self) -> bool:
        parts = tuple(int(part) for part in self.baseline.split(".") if part.isdigit())
        return parts >= _FIRST_WITH_OFFSETS


def _holds_scene(folder: Path) -> bool:
    return (folder / "GRANULE").is_dir() and any(True for name in _METADATA for _ in folder.glob(name))


def _only_granule(root: Path) -> Path:
    """The folder of the tile.

    Raises:
        SceneError: if there are several, as in scenes before December 2016, or none.
    """
    found = sorted(root.glob("GRANULE/*/IMG_DATA"))
    if len(found) != 1:
        tiles = f"{len(found)} tiles: {', '.join(each.parent.name for each in found[:3])} ..." if found else "no tile"
        raise SceneError(
            f"{root} holds {tiles} (GRANULE/*/IMG_DATA)",
            hint="give a scene of one tile, as they are delivered since December 2016, or unpack it again",
        )
    return found[0].parent


def _band_files(granule: Path) -> dict[tuple[str, int], Path]:
    """Files of images by name and GSD in metres, by name."""
    gsd_m = dict.fromkeys(("B02", "B03", "B04", "B08"), 10) | dict.fromkeys(("B01", "B09", "B10"), 60)
    matched = [(_BAND.fullmatch(path.name), path) for path in sorted((granule / "IMG_DATA").rglob("*"))]
    named = [(match[1].upper(), match[2], path) for match, path in matched if match]
    return {(band, int(gsd or gsd_m.get(band, 20))): path for band, gsd, path in sorted(named)}


def _stacked(files: Sequence[Path], names: Sequence[str]) -> str:
    """The text of a VRT that shows files of one band as one file.

    Raises:
        GridMismatchError: if they do not lie on each other.
        SceneError: if one cannot be read.
    """
    grids = [_grid_of(path) for path in files]
    for path, grid in zip(files, grids, strict=True):
        if not grids[0].matches(grid):
            raise GridMismatchError(
                f"{path.name} ({grid.height} x {grid.width} px) does not lie on {files[0].name} "
                f"({grids[0].height} x {grids[0].width} px)",
                hint="download the scene again",
            )
    root = vrt_on(grids[0])
    for number, (path, name) in enumerate(zip(files, names, strict=True), 1):
        band = SubElement(root, "VRTRasterBand", dataType="UInt16", band=str(number))
        SubElement(band, "Description").text = name
        SubElement(band, "NoDataValue").text = "0"
        show(band, path, 1, beside=False)
    return tostring(root, "unicode")


def _grid_of(path: Path) -> Grid:
    with open_raster(path) as file:
        check_whole(path)
        return Grid(file.crs, file.transform, file.shape)
