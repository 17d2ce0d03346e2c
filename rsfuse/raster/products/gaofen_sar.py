"""Scenes of Gaofen-3: an image for each polarisation, meta.xml, and the incidence angle of each column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from rasterio.rpc import RPC

from rsfuse.errors import SceneError
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.products.archive import Files
from rsfuse.raster.products.gaofen_optical import IMAGES
from rsfuse.raster.products.measured import Measured, check_size, measure, told_rpcs, unplaced
from rsfuse.raster.products.metadata import first_of, number_of, numbers_of, parse_xml, tag_of, text_of
from rsfuse.raster.products.names import SceneName, channels_of, day_of, parse_file, parse_name, satellite_of
from rsfuse.raster.products.product import Product, ProductImage, SarFacts

_LIGHT_M_S = 299_792_458.0
_GROUND_PER_ORBIT = 6371 / (6371 + 755)  # how much slower the spot on the ground is than the satellite, 755 km above
_MHZ = 1e6
_STRIP = re.compile(r"[-_.]?strip[-_]?(\d+)", re.IGNORECASE)
_POLARISATION = re.compile(r"(?<![A-Z0-9])(HH|HV|VH|VV)(?![A-Z0-9])", re.IGNORECASE)
_BANDS = {"L1A": 2, "L1B": 1, "L2": 1}  # I and Q; amplitude


@dataclass(frozen=True)
class _Meta:
    """meta.xml, or what stands for it where there is none, and the angles of incidence."""

    name: str
    fields: Element
    incidence_deg: tuple[float, ...] = ()
    by_column: bool = False  # whether these are of columns, not of near and far range only

    @property
    def image(self) -> Element:
        """What it tells of the image, in which "width" means one thing only."""
        found = first_of(self.fields, "imageinfo")
        return Element("nothing") if found is None else found

    @property
    def middle_deg(self) -> float | None:
        """The angle of incidence in the middle of the image."""
        angles = self.incidence_deg
        return (angles[(len(angles) - 1) // 2] + angles[len(angles) // 2]) / 2 if angles else None

    def by_channel(self, tag: str, channels: Sequence[str]) -> dict[str, float | None]:
        """Numbers that are told for each polarisation."""
        above = first_of(self.fields, tag)
        return {each: None if above is None else number_of(above, each) for each in channels}


def is_image(name: str) -> bool:
    """Whether a file of a scene has the name of one of its images, and not of what somebody made of one."""
    said = parse_file(name)
    if not name.lower().endswith(IMAGES) or said is None or said.scene.sensor != "SAR":
        return False
    return len(channels_of(said.scene.tag)) == 1 and (not said.rest or bool(_STRIP.fullmatch(said.rest)))


def scene_of(fields: Element, text: str) -> SceneName | None:
    """What meta.xml says of its scene, where names say nothing; None for any other XML.

    Args:
        fields: its outermost tag.
        text: what to call the scene.
    """
    satellite = satellite_of(text_of(fields, "satellite"))
    day = day_of(text_of(fields, "CenterTime", "start"))
    if tag_of(fields) != "product" or not (satellite or "").startswith("GF3") or day is None:
        return None
    level = (text_of(fields, "productLevel") or "").upper().replace("LEVEL", "").removeprefix("L")
    mode, tag = text_of(fields, "imagingMode") or "", text_of(fields, "productPolar", "polarMode") or ""
    return SceneName(text, str(satellite), "SAR", day, f"L{level}", mode, tag)


def read_gaofen3(files: Files, scene: SceneName, names: Sequence[str]) -> Product:
    """A scene of these images.

    Args:
        files: of the product.
        scene: what the name of one of them says.
        names: of the files of its images.

    Raises:
        SceneError: if an image, or what lies beside it, is damaged or belongs to another scene.
    """
    meta = _read_meta(files, scene)
    tag = _tag(files, scene)
    level = "L2" if scene.level.startswith("L2") else scene.level
    measured = [_measure(files, name, level) for name in names]
    in_strips = any(_strip(name) is not None for name in names)
    if not in_strips:  # of which meta.xml tells the size of the whole
        for each in measured:
            check_size(each, meta.image, meta.name)
    spacing_m = _spacing_m(meta, level)
    images = [_image(files, each, _rpc(each, measured), level, spacing_m) for each in measured]
    channels = tuple(dict.fromkeys((*channels_of(tag), *(image.bands[0] for image in images))))
    images.sort(key=lambda image: (channels.index(image.bands[0]), image.part))
    there = tuple(dict.fromkeys(image.bands[0] for image in images))
    facts = SarFacts(
        satellite=scene.satellite,
        mode=scene.mode,
        level=level,
        qualify=meta.by_channel("QualifyValue", there),
        constant_db=meta.by_channel("CalibrationConst", there),
        incidence_deg=() if in_strips else meta.incidence_deg,  # nobody says which columns are a strip's
        spacing_m=spacing_m,
    )
    return Product(
        path=files.path,
        name=re.sub(f"_{scene.tag}(?=_)", f"_{tag}", scene.text, flags=re.IGNORECASE) if scene.tag else scene.text,
        images=tuple(images),
        facts=facts,
        understood=_understood(scene, tag, meta, facts) | _told_images(images, measured),
        missing=(*_missing_files(channels, meta, images), *unplaced(images, measured), *_missing_facts(meta, facts)),
    )


def channel_of(name: str) -> str | None:
    """The polarisation that the name of a file says; None where it says none, or several."""
    said = parse_file(name)
    if said is not None:
        channels = channels_of(said.scene.tag)
        return channels[0] if len(channels) == 1 else None
    found = _POLARISATION.search(PurePosixPath(name).stem)
    return found[1].upper() if found else None


def _strip(name: str) -> int | None:
    found = _STRIP.search(PurePosixPath(name).stem)
    return int(found[1]) if found else None


def _tag(files: Files, scene: SceneName) -> str:
    """The tag that promises polarisations: what all images share has it in its name, and so has the folder."""
    said = [parse_file(name) for name in files.names]
    tags = [each.scene.tag for each in (*said, parse_name(files.path.name)) if each and each.scene.key == scene.key]
    return next((tag for tag in tags if channels_of(tag) != (tag,)), scene.tag)


def _read_meta(files: Files, scene: SceneName) -> _Meta:
    """meta.xml of a scene and the angles of incidence; nothing where there are none."""
    name, fields = _xml_of(files, scene, "meta")
    satellite = satellite_of(text_of(fields, "satellite", "SatelliteID")) or scene.satellite
    lettered = {satellite, scene.satellite} - {"GF3"}  # which those with a letter are called, too
    if len(lettered) > 1 or not satellite.startswith("GF3"):
        raise SceneError(
            f"{name} is of {satellite}, the images beside it are of {scene.satellite}",
            hint="they are not of one product: copy or unpack it again",
        )
    _, incidence = _xml_of(files, scene, "incidence")
    ends = number_of(fields, "incidenceAngleNearRange"), number_of(fields, "incidenceAngleFarRange")
    told = numbers_of(incidence, "incidenceValue")
    angles = told or tuple(end for end in ends if end is not None and None not in ends)
    return _Meta(name, fields, tuple(angle for angle in angles if 0 < angle < 90), bool(told))


def _xml_of(files: Files, scene: SceneName, kind: str) -> tuple[str, Element]:
    """Name and content of an XML that all images share; ("", an empty tag) where there is none."""
    names = files.ending(f".{kind}.xml", f"_{kind}.xml")
    own = [name for name in names if (said := parse_file(name)) is None or said.scene.key == scene.key]
    name = next(iter(own), "")
    return name, parse_xml(files.read(name), name) if name else Element("nothing")


def _measure(files: Files, name: str, level: str) -> Measured:
    """What an image is; an error if it is not what its level says."""
    if level not in _BANDS:
        raise SceneError(
            f"{name} is of level {level}, rsfuse knows {', '.join(_BANDS)} of Gaofen-3", hint="get one of these"
        )
    measured = measure(files, name)
    if measured.bands != _BANDS[level]:
        raise SceneError(
            f"{name} has {measured.bands} of the {_BANDS[level]} bands of level {level}",
            hint="it is not as it was delivered: copy or unpack the product again",
        )
    return measured


def _rpc(image: Measured, images: Sequence[Measured]) -> RPC | None:
    """Polynomials of an image; those of another polarisation are the same."""
    alike = (each.rpc for each in images if _strip(each.name) == _strip(image.name) and each.shape == image.shape)
    return image.rpc or next((rpc for rpc in alike if rpc is not None), None)


def _image(
    files: Files, measured: Measured, rpc: RPC | None, level: str, spacing_m: tuple[float, float] | None
) -> ProductImage:
    return ProductImage(
        file=measured.name,
        source=files.source(measured.name),
        role="sar",
        bands=(channel_of(measured.name) or "",),
        model=RationalModel(rpc) if rpc is not None and level != "L2" else None,
        part=_strip(measured.name) or 0,
        gsd_m=max(spacing_m) if spacing_m else None,
    )


def _spacing_m(meta: _Meta, level: str) -> tuple[float, float] | None:
    """Azimuth and ground range of a pixel; in the slant range, a step is shorter by the sine of the incidence."""
    azimuth, across = number_of(meta.image, "heightspace"), number_of(meta.image, "widthspace")
    if level == "L1A":
        azimuth, across = _along_m(meta) or azimuth, _slant_m(meta) or across
        angle = meta.middle_deg
        across = across / math.sin(math.radians(angle)) if across and angle else None
    return (azimuth, across) if azimuth and across else None


def _along_m(meta: _Meta) -> float | None:
    """How far the spot on the ground moves from one line to the next."""
    lines = number_of(meta.fields, "eqvPRF")
    speed = number_of(meta.fields, "groundVelocity")
    if speed is None and (orbit := number_of(meta.fields, "satVelocity")):
        speed = orbit * _GROUND_PER_ORBIT
    return speed / lines if speed and lines else None


def _slant_m(meta: _Meta) -> float | None:
    """The range of a sample: light goes there and back."""
    samples = number_of(meta.fields, "eqvFs")
    return _LIGHT_M_S / (2 * samples * _MHZ) if samples else None


def _understood(scene: SceneName, tag: str, meta: _Meta, facts: SarFacts) -> dict[str, str]:
    told = {"satellite": scene.satellite, "sensor": "SAR", "mode": scene.mode, "acquired": scene.acquired.isoformat()}
    told |= {"level": facts.level, "polarisations": f"{', '.join(facts.qualify)}" + (f" ({tag})" if tag else "")}
    told["qualify value"] = _listed(facts.qualify)
    told["calibration constant"] = _listed(facts.constant_db, " dB")
    if facts.incidence_deg:
        told["incidence"] = f"{min(facts.incidence_deg):.2f} to {max(facts.incidence_deg):.2f} deg"
    if facts.spacing_m:
        told["spacing"] = (
            f"{facts.spacing_m[0]:.3g} m along the track, {facts.spacing_m[1]:.3g} m across, on the ground"
        )
    looks = [text_of(meta.fields, f"Multilook{axis}") for axis in ("Azimuth", "Range")]
    told["looks"] = f"{looks[0]} x {looks[1]} (azimuth x range)" if all(looks) else ""
    told["orbit"] = " ".join(filter(None, (text_of(meta.fields, "orbitID"), text_of(meta.fields, "Direction"))))
    return {name: text for name, text in told.items() if text}


def _told_images(images: Sequence[ProductImage], measured: Sequence[Measured]) -> dict[str, str]:
    by_name = {each.name: each for each in measured}
    strips = len({image.part for image in images}) > 1
    told = {
        image.bands[0] + (f" strip {image.part}" if strips else ""): by_name[image.file].told(None) for image in images
    }
    return told | {"RPC": told_rpcs(measured)}


def _listed(values: Mapping[str, float | None], unit: str = "") -> str:
    return ", ".join(
        f"{each} {f'{value:g}{unit}' if value is not None else 'unknown'}" for each, value in values.items()
    )


def _missing_files(channels: Sequence[str], meta: _Meta, images: Sequence[ProductImage]) -> Iterator[str]:
    parts = sorted({image.part for image in images})
    for channel in channels:
        own = [image.part for image in images if image.bands[0] == channel]
        if not own:
            yield f"there is no {channel} image"
        elif own != parts:
            yield f"there are strips {own} of {channel}, of {parts}"
    if not meta.name:
        yield "there is no meta.xml: nobody says what the numbers stand for"


def _missing_facts(meta: _Meta, facts: SarFacts) -> Iterator[str]:
    if meta.name:
        yield from (f"the QualifyValue of {each} is not told" for each, told in facts.qualify.items() if told is None)
        constants = facts.constant_db.items()
        yield from (f"the CalibrationConst of {each} is not told" for each, told in constants if told is None)
    if not facts.incidence_deg and meta.incidence_deg:
        yield "the angles of incidence are told of the whole swath, not of its strips"
    elif not facts.incidence_deg:
        yield "the angles of incidence are not told"
    elif not meta.by_column:
        yield "there is no incidence.xml: the angles of columns are those between near and far range"
    if facts.spacing_m is None:
        yield "the spacing of pixels is not told"
