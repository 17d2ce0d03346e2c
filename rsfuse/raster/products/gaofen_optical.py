"""Scenes of Gaofen-1, -2 and -6: panchromatic and multispectral images, and the XML beside each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from rsfuse.errors import SceneError
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.products.archive import Files
from rsfuse.raster.products.measured import Measured, check_size, measure, told_rpcs, unplaced
from rsfuse.raster.products.metadata import first_of, number_of, parse_xml, tag_of, text_of
from rsfuse.raster.products.names import SceneName, day_of, parse_file, satellite_of
from rsfuse.raster.products.product import OpticalFacts, Product, ProductImage, Role

IMAGES = (".tif", ".tiff")

_ENDING = re.compile(r"[-_](MSS|MUX|PAN|[1-3]$)\d?$", re.IGNORECASE)
_BANDS = ("blue", "green", "red", "nir", "red edge 1", "red edge 2", "purple", "yellow")  # as the files have them
_BANDS_OF = {4: _BANDS[:4], 8: _BANDS}
_PARTS = (1, 2, 3)  # into which a WFV image of GF-6 is cut
_GSD_M = {("GF2", "PMS", "pan"): 1.0, ("GF2", "PMS", "ms"): 4.0}  # where the XML does not say it
_GSD_OF_OTHERS_M = {("PMS", "pan"): 2.0, ("PMS", "ms"): 8.0, ("WFV", "ms"): 16.0}
_DAYS = ("CenterTime", "StartTime", "ImagingStartTime", "EndTime", "ReceiveTime")


@dataclass(frozen=True)
class _Found:
    """An image, what its file is, and the outermost tag of its XML, in the XML of that name."""

    image: ProductImage
    measured: Measured
    fields: Element | None
    xml: str


def is_image(name: str) -> bool:
    """Whether a file of a scene has the name of one of its images, and not of what somebody made of one."""
    said = parse_file(name)
    if not name.lower().endswith(IMAGES) or said is None or said.scene.sensor == "SAR":
        return False
    return not said.rest or bool(_ENDING.fullmatch(said.rest))


def scene_of(fields: Element, text: str) -> SceneName | None:
    """What the XML of an image says of its scene, where names say nothing; None for any other XML.

    Args:
        fields: its outermost tag.
        text: what to call the scene.
    """
    satellite = satellite_of(text_of(fields, "SatelliteID"))
    day = next((day for tag in _DAYS if (day := day_of(text_of(fields, tag)))), None)
    if tag_of(fields) != "productmetadata" or satellite is None or satellite.startswith("GF3") or day is None:
        return None
    level = (text_of(fields, "ProductLevel") or "").upper().replace("LEVEL", "L")
    return SceneName(text, satellite, (text_of(fields, "SensorID") or "").upper(), day, level)


def read_optical(files: Files, scene: SceneName, names: Sequence[str]) -> Product:
    """A scene of these images.

    Args:
        files: of the product.
        scene: what its name says.
        names: of the files of its images.

    Raises:
        SceneError: if an image, or what lies beside it, is damaged or belongs to another scene.
    """
    ended = [name for name in names if _ending(name)]  # where there are such, others were made of them
    found = sorted((_find(files, scene, name) for name in ended or names), key=lambda each: each.image.part)
    scene = replace(scene, sensor=_sensor(scene, found))
    zenith = next((each for one in found if one.fields is not None and (each := _zenith(one.fields)) is not None), None)
    return Product(
        path=files.path,
        name=scene.text,
        images=tuple(each.image for each in found),
        facts=OpticalFacts(scene.satellite, scene.sensor, scene.acquired, zenith),
        understood=_understood(scene, found, zenith),
        missing=(*_missing_images(scene, found), *_missing_facts(scene, found, zenith)),
    )


def _find(files: Files, scene: SceneName, name: str) -> _Found:
    """An image, with what lies beside it."""
    measured = measure(files, name)
    xml = files.beside(name, ".xml") or ""
    fields = parse_xml(files.read(xml), xml) if xml else None
    if fields is not None:
        _check_belongs(fields, xml, scene, name)
        check_size(measured, fields, xml)
    role = _role(scene, name, measured)
    part = int(_ending(name)) if role == "ms" and _ending(name).isdigit() else 0
    unnamed = tuple(f"band {number}" for number in range(1, measured.bands + 1))
    bands = ("pan",) if role == "pan" else _BANDS_OF.get(measured.bands, unnamed)
    model = RationalModel(measured.rpc) if measured.rpc is not None and not _is_map(scene) else None
    told_m = number_of(fields, "ImageGSD", "ImageGSDLine") if fields is not None else None
    gsd_m = told_m or _nominal_gsd_m(scene, role)
    return _Found(ProductImage(name, files.source(name), role, bands, model, part, gsd_m), measured, fields, xml)


def _ending(name: str) -> str:
    """What tells images of a scene apart: "MSS", "MUX", "PAN", or the number of a part; "" where a name has none."""
    found = _ENDING.search(PurePosixPath(name).stem)
    return found[1].upper() if found else ""


def _role(scene: SceneName, name: str, measured: Measured) -> Role:
    of_one_band = measured.bands == 1 and not scene.sensor.startswith("WFV")
    return "pan" if _ending(name) == "PAN" or (of_one_band and not _ending(name)) else "ms"


def _check_belongs(fields: Element, xml: str, scene: SceneName, name: str) -> None:
    """Refuse the XML of another satellite or camera."""
    sensor = text_of(fields, "SensorID") or ""
    satellite = satellite_of(text_of(fields, "SatelliteID", "satellite"))
    if (satellite or scene.satellite) != scene.satellite or not _one_camera(scene.sensor, sensor):
        raise SceneError(
            f"{xml} is of {satellite or scene.satellite} {sensor}, {name} is of {scene.satellite} {scene.sensor}",
            hint="they are not of one product: copy or unpack it again",
        )


def _one_camera(sensor: str, other: str) -> bool:
    """Whether two names can be of one camera: PMS, whose halves are called MSS, MUX and PAN, too, or WFV."""
    one, two = (re.fullmatch(r"(PMS|MSS|MUX|PAN|WFV)[-_ ]?(\d*)", each.strip().upper()) for each in (sensor, other))
    if one is None or two is None:
        return True  # nobody knows what an unknown name means
    return (one[1] == "WFV") == (two[1] == "WFV") and (not one[2] or not two[2] or one[2] == two[2])


def _sensor(scene: SceneName, found: Sequence[_Found]) -> str:
    """The camera, with its number where the XML says one and the name does not."""
    said = [text_of(each.fields, "SensorID") or "" for each in found if each.fields is not None]
    numbered = (each.upper() for each in said if re.fullmatch(rf"{scene.sensor}\d", each, re.IGNORECASE))
    return next(numbered, scene.sensor)


def _zenith(fields: Element) -> float | None:
    """Of the sun, in degrees."""
    elevation = number_of(fields, "SolarElevation", "SunElevation", "SunAltitude")
    zenith = number_of(fields, "SolarZenith", "SunZenith")
    return 90 - elevation if zenith is None and elevation is not None else zenith


def _nominal_gsd_m(scene: SceneName, role: Role) -> float | None:
    family = scene.sensor[:3]
    return _GSD_M.get((scene.satellite, family, role), _GSD_OF_OTHERS_M.get((family, role)))


def _is_map(scene: SceneName) -> bool:
    """Whether images of this level lie on a map already, so that polynomials are of no use."""
    return scene.level[1:2].isdigit() and int(scene.level[1]) >= 2


def _understood(scene: SceneName, found: Sequence[_Found], zenith: float | None) -> dict[str, str]:
    told = {"satellite": scene.satellite, "sensor": scene.sensor, "acquired": scene.acquired.isoformat()}
    told |= {"level": scene.level} if scene.level else {}
    for each in found:
        key = each.image.role + (f" part {each.image.part}" if each.image.part else "")
        told[key] = f"{each.measured.told(each.image.gsd_m)}; {', '.join(each.image.bands)}"
    told["RPC"] = told_rpcs([each.measured for each in found])
    if zenith is not None:
        told["sun"] = f"zenith {zenith:g} deg, elevation {90 - zenith:g} deg"
    clouds = [text_of(each.fields, "CloudPercent") for each in found if each.fields is not None]
    return told | ({"clouds": f"{clouds[0]} %"} if clouds and clouds[0] else {})


def _missing_images(scene: SceneName, found: Sequence[_Found]) -> Iterator[str]:
    roles = {each.image.role for each in found}
    if scene.sensor.startswith("PMS") and not _is_map(scene):
        yield from (f"there is no {role} image" for role in ("pan", "ms") if role not in roles)
    parts = {each.image.part for each in found if each.image.part}
    yield from (f"part {part} of {len(_PARTS)} is not there" for part in _PARTS if parts and part not in parts)


def _missing_facts(scene: SceneName, found: Sequence[_Found], zenith: float | None) -> Iterator[str]:
    for each in found:
        if each.fields is None:
            yield f"there is no XML beside {each.image.file}"
        elif tag_of(each.fields) != "productmetadata" and first_of(each.fields, "ProductMetaData") is None:
            yield f"{each.xml} is not laid out as rsfuse knows it: <{tag_of(each.fields)}> on top"
        if each.image.bands[0] == "band 1":
            yield f"{each.image.file} has {each.measured.bands} bands, whose colours nobody says"
    yield from unplaced([each.image for each in found], [each.measured for each in found])
    if zenith is None:
        yield "nobody says how high the sun stood"
