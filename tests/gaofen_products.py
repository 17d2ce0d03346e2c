"""Synthetic Gaofen products in miniature: folders and archives with the names, layouts and tags of real ones.

Nothing here comes from a satellite. Every image shows the same ground, `texture`, through polynomials that
`synthetic_rpc` makes up, so that images of different sensors lie on each other once they are orthorectified.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.rpc import RPC
from rasterio.warp import transform as reproject_points

ground = SimpleNamespace(**run_path(str(Path(__file__).with_name("gaofen_ground.py"))))
PLACE, HEIGHT_M, View = ground.PLACE, ground.HEIGHT_M, ground.View
texture, terrain, write_dem = ground.texture, ground.terrain, ground.write_dem
synthetic_rpc, seen, rpb_text, write_tiff = ground.synthetic_rpc, ground.seen, ground.rpb_text, ground.write_tiff

CHANNELS = {
    **dict.fromkeys(("HHHV", "HVHH"), ("HH", "HV")),
    **dict.fromkeys(("VVVH", "VHVV"), ("VV", "VH")),
    **{"AHV": ("HH", "HV", "VH", "VV"), "DH": ("HH",), "DV": ("VV",), "HH": ("HH",), "VV": ("VV",)},
}
QUALIFY = {"HH": 60.25, "HV": 30.125, "VH": 30.5, "VV": 58.75}
CONSTANT_DB = {"HH": 31.25, "HV": 30.5, "VH": 30.75, "VV": 31.0}
SIGMA0_DB = {"HH": -12.0, "HV": -19.0, "VH": -19.0, "VV": -11.0}  # of the middle of the texture
INCIDENCE_DEG = (34.0, 36.0)
BORDER = (3, 5)  # rows at the top and the bottom, columns at the sides of a SAR image without data

Fields = Mapping[str, Any]
"""Of an XML: texts, lists of repeated ones, and further fields."""


@dataclass(frozen=True)
class Layout:
    """How a product is packed, and what is odd about it.

    Args:
        archive: ".tar.gz", ".tgz" or ".tar"; "" for a folder.
        nested: extra folders around the files.
        folder: what the user calls the folder or archive; "" for the name of the scene.
        lower: whether the names of the files are in lower case.
        suffix: of images.
        model_suffix: of polynomials; "" writes none.
        encoding: of XML: "utf-8", "gbk".
        declared: whether XML says its encoding.
        tags: texts that replace those of tags, named "SolarZenith" or "CalibrationConst/HH"; None drops the tag.
        renamed: other names of tags.
        relief_m: by how much hills rise above and valleys lie below `HEIGHT_M`.
    """

    archive: str = ""
    nested: int = 0
    folder: str = ""
    lower: bool = False
    suffix: str = ".tiff"
    model_suffix: str = ".rpb"
    encoding: str = "utf-8"
    declared: bool = True
    tags: Mapping[str, str | None] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    relief_m: float = 0.0


PLAIN = Layout()


@dataclass(frozen=True)
class Written:
    """A product on the disk; polynomials and pixels by the name of the image: "PAN", "MS", "1", "HH", "HH_strip_0"."""

    path: Path
    name: str
    rpcs: dict[str, RPC] = field(default_factory=dict)
    pixels: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_pms(root: Path, satellite: str = "GF1", *, camera: int = 1, layout: Layout = PLAIN) -> Written:
    """PAN and MS: GF1 and GF2 call them PAN1 and MSS1, the others PAN and MUX."""
    numbered = satellite in {"GF1", "GF2"}
    sensor = f"PMS{camera}" if numbered else "PMS"
    made = Written(root, f"{satellite}_{sensor}_E116.5_N39.4_20180530_L1A0003229119")
    gsd_m = 1.0 if satellite == "GF2" else 2.0
    for role, ratio, ending in (("PAN", 1, "PAN"), ("MS", 4, "MSS" if numbered else "MUX")):
        view = View((256 // ratio, 240 // ratio), (gsd_m * ratio, gsd_m * ratio))
        _optical(made, role, view, f"-{ending}{camera if numbered else ''}", layout, 1 if role == "PAN" else 4)
    return _packed(made, layout)


def write_wfv(root: Path, satellite: str = "GF1", *, camera: int = 1, layout: Layout = PLAIN) -> Written:
    """Four bands at 16 m in files named like the scene."""
    made = Written(root, f"{satellite}_WFV{camera}_E116.5_N39.4_20180530_L1A0003229120")
    _optical(made, "MS", View((96, 80), (16.0, 16.0)), "", layout, 4)
    return _packed(made, layout)


def write_gf6_wfv(root: Path, *, layout: Layout = PLAIN) -> Written:
    """Eight bands at 16 m in three parts, side by side, that overlap by a tenth."""
    made = Written(root, "GF6_WFV_E116.5_N39.4_20180530_L1A1119839616")
    for part in (1, 2, 3):
        view = View((96, 80), (16.0, 16.0), east_m=(part - 2) * 0.9 * 80 * 16.0)
        _optical(made, str(part), view, f"-{part}", layout, 8)
    return _packed(made, layout)


def write_gf3(
    root: Path,
    tag: str = "HHHV",
    level: str = "L1A",
    *,
    satellite: str = "GF3",
    strips: int = 0,
    layout: Layout = PLAIN,
) -> Written:
    """Images of the polarisations of a tag: complex (L1A), amplitude (L1B), amplitude on a UTM grid (L2)."""
    mode = "NSC" if strips else "FSII"
    made = Written(root, f"{satellite}_KAS_{mode}_020743_E116.5_N39.4_20200718_{level}_{tag}_L10004935216")
    view = View((192, 160), (5.2, 3.92) if level == "L1A" else (10.0, 10.0), turned_deg=-11.0, lean=-1.4)
    for channel in CHANNELS[tag]:
        for strip in range(max(strips, 1)):
            key = f"{channel}_strip_{strip}" if strips else channel
            shifted = View(view.shape, view.gsd_m, (strip - 0.5) * 0.9 * 160 * 10 if strips else 0, -11.0, -1.4)
            stem = made.name.replace(f"_{tag}_", f"_{channel}_") + (f"_strip_{strip}" if strips else "")
            _sar(made, key, shifted, level, stem, layout)
    name = _cased(made.name, layout)
    _write_xml(made, f"{name}.meta.xml", "product", _gf3_fields(made.name, view, level, tag), layout)
    columns = np.linspace(*INCIDENCE_DEG, view.shape[1])
    values = {
        "numberofIncidenceValue": str(columns.size),
        "stepSize": "1",
        "incidenceValue": [f"{each:.6f}" for each in columns],
    }
    _write_xml(made, f"{name}.incidence.xml", "incidenceAngle", values, layout)
    for ending in (".jpg", ".thumb.jpg"):
        Image.new("L", (8, 8)).save(_place(made, name + ending, layout))
    return _packed(made, layout)


def _cased(name: str, layout: Layout) -> str:
    return name.lower() if layout.lower else name


def _place(made: Written, file: str, layout: Layout) -> Path:
    """Where a file of a product goes; the folders are made."""
    folder = made.path.joinpath(layout.folder or made.name, *[made.name] * layout.nested)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / _cased(file, layout)


def _packed(made: Written, layout: Layout) -> Written:
    """The product with the path that a user would name."""
    folder = made.path / (layout.folder or made.name)
    if not layout.archive:
        return Written(folder, made.name, made.rpcs, made.pixels)
    archive = folder.with_name(folder.name + layout.archive)
    with tarfile.open(archive, "w:gz" if layout.archive.endswith("gz") else "w") as tar:
        for file in sorted(folder.rglob("*")):
            tar.add(file, arcname=str(file.relative_to(folder)), recursive=False)
    shutil.rmtree(folder)
    return Written(archive, made.name, made.rpcs, made.pixels)


def _write_image(made: Written, key: str, stem: str, pixels: NDArray[Any], layout: Layout, **place: Any) -> None:
    write_tiff(_place(made, stem + layout.suffix, layout), pixels, **place)
    if layout.model_suffix and not place:
        _place(made, stem + layout.model_suffix, layout).write_text(rpb_text(made.rpcs[key], made.name.split("_")[0]))
    made.pixels[key] = pixels


def _optical(made: Written, key: str, view: View, ending: str, layout: Layout, bands: int) -> None:
    """An image, its XML and its quick-looks."""
    made.rpcs[key] = synthetic_rpc(view)
    bright = texture(*ground.seen_by(view, layout.relief_m))
    pixels = np.stack([100 + 20 * band + bright * (500 + 40 * band) for band in range(bands)]).round().astype("uint16")
    _write_image(made, key, made.name + ending, pixels, layout)
    _write_xml(made, f"{made.name}{ending}.xml", "ProductMetaData", _optical_fields(made.name, view, bands), layout)
    for quick in (".jpg", "_thumb.jpg"):
        Image.new("RGB", (8, 8)).save(_place(made, made.name + ending + quick, layout))


def _sar(made: Written, key: str, view: View, level: str, stem: str, layout: Layout) -> None:
    """An image with speckle; zero where there is no data."""
    channel = key[:2]
    random = np.random.default_rng(sum(map(ord, key)))
    made.rpcs[key] = synthetic_rpc(view)
    utm = Affine(10.0, 0.0, 456_000.0, 0.0, -10.0, 4_362_300.0)
    if level == "L2":
        rows, columns = (each.ravel() + 0.5 for each in np.indices(view.shape))
        east, north = utm.c + utm.a * columns, utm.f + utm.e * rows
        lies = [np.reshape(each, view.shape) for each in reproject_points("EPSG:32650", "EPSG:4326", east, north)]
    else:
        lies = list(ground.seen_by(view, layout.relief_m))
    decibels = SIGMA0_DB[channel] + CONSTANT_DB[channel] + 14 * (texture(*lies) - 0.5)
    amplitude = 10 ** (decibels / 20) / QUALIFY[channel]
    if level == "L1A":
        phases = random.normal(scale=np.sqrt(0.5), size=(2, *view.shape))
        pixels = np.clip(np.round(phases * amplitude * 32767), -32768, 32767).astype("int16")
    else:
        looks = random.gamma(4, 1 / 4, view.shape)
        pixels = np.clip(np.round(np.sqrt(looks) * amplitude * 65535), 1, 65535).astype("uint16")[None]
    inside = np.zeros(view.shape, bool)
    inside[BORDER[0] : -BORDER[0], BORDER[1] : -BORDER[1]] = True
    place = {"crs": "EPSG:32650", "transform": utm} if level == "L2" else {}
    _write_image(made, key, stem, pixels * inside, layout, **place)


def _write_xml(made: Written, file: str, root: str, fields: Fields, layout: Layout) -> None:
    tree = Element(root)
    _fill(tree, fields, layout)
    indent(tree)
    text = tostring(tree, "unicode")
    declared = f'<?xml version="1.0" encoding="{layout.encoding}"?>\n' if layout.declared else ""
    _place(made, file, layout).write_bytes((declared + text).encode(layout.encoding))


def _fill(above: Element, fields: Fields, layout: Layout) -> None:
    for tag, content in fields.items():
        each = content if isinstance(content, list) else [content]
        for content in each:
            text = layout.tags.get(f"{above.tag}/{tag}", layout.tags.get(tag, content))
            if text is None:
                continue
            below = SubElement(above, layout.renamed.get(tag, tag))
            if isinstance(text, str):
                below.text = text
            else:
                _fill(below, text, layout)


def _optical_fields(name: str, view: View, bands: int) -> Fields:
    """Of the XML of an image."""
    satellite, sensor = name.split("_")[:2]
    line, samp = map(str, view.gsd_m)
    gsd = {"ImageGSD": line} if satellite in {"GF1", "GF2"} else {"ImageGSDLine": line, "ImageGSDSample": samp}
    rows, columns = view.shape
    corners = {"TopLeft": (0, 0), "TopRight": (0, -1), "BottomRight": (-1, -1), "BottomLeft": (-1, 0)}
    longitude, latitude = ground.seen_by(view, 0.0)
    named = {"SatelliteID": satellite, "SensorID": sensor, "ReceiveTime": "2018-05-30 11:16:02", "OrbitID": "27781"}
    named |= {"SceneID": "4831234", "ProductID": name[-10:].lstrip("0"), "ProductLevel": "LEVEL1A"}
    named |= {"ProductQuality": "合格", "ProductFormat": "GEOTIFF", "ProduceTime": "2018-05-30 20:24:11"}
    named |= {"Bands": ",".join(map(str, range(1, bands + 1))) if bands > 1 else "5"}
    named |= {"StartTime": "2018-05-30 03:16:00", "EndTime": "2018-05-30 03:16:09", "CenterTime": "2018-05-30 03:16:04"}
    named |= {**gsd, "WidthInPixels": str(columns), "HeightInPixels": str(rows), "CloudPercent": "2", "PixelByte": "2"}
    named |= {"RollViewingAngle": "8.5", "PitchViewingAngle": "0.01", "SolarAzimuth": "138.6", "SolarZenith": "22.5"}
    named |= {
        "SatelliteAzimuth": "98.2",
        "SatelliteZenith": "80.1",
        "IntegrationTime": "0.0009",
        "IntegrationLevel": "48",
    }
    named |= {"MapProjection": "", "EarthEllipsoid": "WGS84", "RadiometricMethod": "relative", "GainMode": "G1"}
    named |= {"CenterLatitude": f"{PLACE[1]}", "CenterLongitude": f"{PLACE[0]}"}
    for corner, at in corners.items():
        named |= {f"{corner}Latitude": f"{latitude[at]:.6f}", f"{corner}Longitude": f"{longitude[at]:.6f}"}
    return named


def _gf3_fields(name: str, view: View, level: str, tag: str) -> Fields:
    """Of meta.xml: eqvFs gives 2.248 m of slant range, eqvPRF 5.2 m along the track."""
    satellite, _, mode = name.split("_")[:3]
    there = CHANNELS[tag]
    rows, columns = view.shape
    widths = (
        {"widthspace": "2.2485", "heightspace": "5.2"} if level == "L1A" else {"widthspace": "10", "heightspace": "10"}
    )
    wave = {
        "waveCode": "180",
        "centerLookAngle": "30.1",
        "prf": "1300",
        "sampleRate": "66.6667",
        "groundVelocity": "6760",
    }
    sensor = {
        "sensorID": "SAR",
        "imagingMode": mode,
        "lamda": "0.055517",
        "RadarCenterFrequency": "5.4",
        "lookDirection": "R",
    }
    image = {
        "imagingTime": {"start": "2020-07-18 22:11:02.5", "end": "2020-07-18 22:11:10.1"},
        **{"nearRange": "892345.1", "refRange": "905123.7", "eqvFs": "66.6667", "eqvPRF": "1300"},
        "center": {"latitude": f"{PLACE[1]}", "longitude": f"{PLACE[0]}"},
        **{"width": str(columns), "height": str(rows), **widths, "imagebit": "16"},
        "QualifyValue": {each: str(QUALIFY[each]) if each in there else "NULL" for each in QUALIFY},
        "echoSaturation": dict.fromkeys(QUALIFY, "0"),
    }
    process = {
        **{"EphemerisData": "GPS", "AttitudeData": "ATTI", "algorithm": "CS"},
        "CalibrationConst": {each: str(CONSTANT_DB[each]) if each in there else "NULL" for each in CONSTANT_DB},
        **{"MultilookRange": "1", "MultilookAzimuth": "1", "EarthModel": "WGS84"},
        **{f"incidenceAngle{end}Range": str(angle) for end, angle in zip(("Near", "Far"), INCIDENCE_DEG, strict=True)},
    }
    product = {"NominalResolution": "10", "productLevel": level[1:], "productType": "SLC" if level == "L1A" else "SGF"}
    return {
        **{"satellite": satellite, "orbitID": "020743", "Direction": "DEC", "productID": name.split("_L")[-1]},
        "sensor": {**sensor, "waveParams": {"wave": [wave]}, "polarParams": {"polar": {"polarMode": tag}}},
        "platform": {"CenterTime": "2020-07-18 22:11:06.3", "Rs": "7134000", "satVelocity": "7560"},
        "productinfo": {**product, "productFormat": "GEOTIFF", "productPolar": tag},
        **{"imageinfo": image, "processinfo": process},
    }
