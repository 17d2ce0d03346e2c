"""Synthetic SAFE folders of Sentinel-1 and Sentinel-2 in miniature: names, layout and fields as in real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

SENTINEL2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
RESOLUTIONS_M = dict.fromkeys(("B02", "B03", "B04", "B08"), 10) | dict.fromkeys(
    ("B05", "B06", "B07", "B8A", "B11", "B12"), 20
)


@dataclass(frozen=True)
class Sentinel2Folder:
    """A synthetic scene of Sentinel-2.

    Args:
        level: "L1C" or "L2A".
        baseline: of the processing; from 04.00 on the metadata have an offset of each band.
        offset: of every band, or by number of the band (0 to 12); None for metadata without.
        quantification: as the XML says it, None for an XML that does not.
        bands: that are written.
        extension: "jp2", lossless, or "tif".
        shape: (height, width) of the bands of 10 m.
    """

    level: str = "L2A"
    baseline: str = "05.09"
    offset: int | Mapping[int, int] | None = -1000
    quantification: str | None = "10000"
    bands: Sequence[str] = ("B02", "B03", "B04", "B05", "B08")
    extension: str = "jp2"
    shape: tuple[int, int] = (48, 40)

    crs = "EPSG:32650"
    transform = Affine(10, 0, 449_980, 0, -10, 4_400_040)

    @property
    def name(self) -> str:
        """Of the folder."""
        number = self.baseline.replace(".", "")
        return f"S2B_MSI{self.level}_20220301T025639_N{number}_R032_T50TMK_20220301T055521.SAFE"

    def pixels(self, band: str) -> np.ndarray:
        """(h, w) digital numbers of a band: a ramp of its own, 0 where the swath ends."""
        step = RESOLUTIONS_M.get(band, 60) // 10
        rows, columns = np.mgrid[: self.shape[0] // step, : self.shape[1] // step]
        ramp = 1000 + 500 * SENTINEL2_BANDS.index(band) + 7 * rows + 3 * columns
        return np.where(columns + rows < 6 // step, 0, ramp).astype(np.uint16)

    def write(self, folder: Path) -> Path:
        """The folder of the scene, written under another."""
        root = folder / self.name
        granule = root / "GRANULE" / f"{self.level}_T50TMK_A026023_20220301T030014"
        (granule / "QI_DATA").mkdir(parents=True)
        for band in self.bands:
            self._write_band(granule, band)
        (granule / "MTD_TL.xml").write_text(_TILE_XML)
        (granule / "QI_DATA" / f"MSK_DETFOO_B02.{self.extension}").write_bytes(b"no image")
        (root / f"MTD_MSI{self.level}.xml").write_text(self._metadata())
        (root / "manifest.safe").write_text(_MANIFEST)
        return root

    def _write_band(self, granule: Path, band: str) -> None:
        gsd = RESOLUTIONS_M.get(band, 60)
        images = granule / "IMG_DATA" / (f"R{gsd}m" if self.level == "L2A" else ".")
        images.mkdir(parents=True, exist_ok=True)
        suffix = f"_{gsd}m" if self.level == "L2A" else ""
        pixels = self.pixels(band)
        lossless = {"QUALITY": "100", "REVERSIBLE": "YES"} if self.extension == "jp2" else {}
        with rasterio.open(
            images / f"T50TMK_20220301T025639_{band}{suffix}.{self.extension}",
            "w",
            driver="JP2OpenJPEG" if self.extension == "jp2" else "GTiff",
            count=1,
            height=pixels.shape[0],
            width=pixels.shape[1],
            dtype="uint16",
            crs=self.crs,
            transform=self.transform * Affine.scale(gsd / 10),
            **lossless,
        ) as file:
            file.write(pixels, 1)

    def _metadata(self) -> str:
        is_l1c = self.level == "L1C"
        number = "1C" if is_l1c else "2A"
        scale, offset = ("", "RADIO") if is_l1c else ("BOA_", "BOA")
        quantification = (
            ""
            if self.quantification is None
            else (f'<{scale}QUANTIFICATION_VALUE unit="none">{self.quantification}</{scale}QUANTIFICATION_VALUE>')
        )
        if not is_l1c:
            quantification = (
                f"<QUANTIFICATION_VALUES_LIST>{quantification}"
                '<AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
            )
        bands = "".join(
            f'<Spectral_Information bandId="{at}" physicalBand="{name[0]}{name[1:].lstrip("0")}"/>'
            for at, name in enumerate(SENTINEL2_BANDS)
        )
        return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{number}.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2022-03-01T02:56:39.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>{self.name}</PRODUCT_URI>
<PROCESSING_LEVEL>Level-{number}</PROCESSING_LEVEL>
<PRODUCT_TYPE>S2MSI{number}</PRODUCT_TYPE>
<PROCESSING_BASELINE>{self.baseline}</PROCESSING_BASELINE>
<Datatake datatakeIdentifier="GS2B_20220301T025639_026023_N{self.baseline}">
<SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake></Product_Info>
<Product_Image_Characteristics>{quantification}{self._offsets(offset)}
<Spectral_Information_List>{bands}</Spectral_Information_List>
</Product_Image_Characteristics></n1:General_Info>
</n1:Level-{number}_User_Product>
"""

    def _offsets(self, kind: str) -> str:
        if self.offset is None:
            return ""
        offsets = self.offset if isinstance(self.offset, Mapping) else dict.fromkeys(range(13), self.offset)
        inner = "".join(
            f'<{kind}_ADD_OFFSET band_id="{at}">{value}</{kind}_ADD_OFFSET>' for at, value in offsets.items()
        )
        listed = "Radiometric_Offset_List" if kind == "RADIO" else "BOA_ADD_OFFSET_VALUES_LIST"
        return f"<{listed}>{inner}</{listed}>"


@dataclass(frozen=True)
class Sentinel1Folder:
    """A synthetic ground-range scene of Sentinel-1.

    Args:
        kind: "GRD", or another to be refused: "SLC", "OCN".
        polarisations: in upper case.
        shape: (height, width).
        lines: of the calibration table.
        columns: of the calibration table, a tuple to a line, or one for all.
        without: parts of file names (as "calibration-s1a-iw-grd-vh") that are left out.
    """

    kind: str = "GRD"
    polarisations: Sequence[str] = ("VV", "VH")
    shape: tuple[int, int] = (60, 80)
    lines: Sequence[int] = (-7, 20, 41, 75)
    columns: Sequence[int] = (0, 33, 66, 79)
    without: Sequence[str] = ()
    calibration: Mapping[str, float] = field(
        default_factory=lambda: {"sigmaNought": 400.0, "betaNought": 300.0, "gamma": 350.0}
    )

    pixel_m = 10.0
    ground = Affine(1.15e-4, -0.22e-4, 116.5, -0.17e-4, -0.87e-4, 39.5)
    """From (column, row) to (longitude, latitude): a descending pass, turned against north."""

    @property
    def name(self) -> str:
        """Of the folder."""
        kind = "GRDH_1S" if self.kind == "GRD" else f"{self.kind}__1S"
        return f"S1A_IW_{kind}DV_20180530T101010_20180530T101035_022133_0264C3_5A5A.SAFE"

    def stem(self, polarisation: str) -> str:
        """Of the file names of a polarisation."""
        kind = f"{self.kind.lower()}-{polarisation.lower()}"
        return f"s1a-iw-{kind}-20180530t101010-20180530t101035-022133-0264c3-001"

    def pixels(self, polarisation: str) -> np.ndarray:
        """(h, w) amplitudes: speckle over a ramp, with a border of zeros on the left."""
        seed = ["VV", "VH", "HH", "HV"].index(polarisation)
        power = np.random.default_rng(seed).gamma(4.4, 1 / 4.4, self.shape)
        amplitude = np.sqrt(power) * np.linspace(100, 300, self.shape[1])
        amplitude[:, :3] = 0
        return np.maximum(np.rint(amplitude), np.arange(self.shape[1]) >= 3).astype(np.uint16)

    def table(self, quantity: str) -> np.ndarray:
        """(lines, columns) of the calibration table: no plane, so that each point matters."""
        lines, columns = np.array(self.lines)[:, None], np.array(self.columns)
        return self.calibration[quantity] * (1 + lines / 500 + np.sin(columns / 20) / 10 + lines * columns / 4e4)

    def incidence(self, line: float, pixel: float) -> float:
        """Degrees, at a point of the grid of geolocation and between: bilinear itself."""
        return 30 + 0.1 * pixel + 0.01 * line

    def write(self, folder: Path) -> Path:
        """The folder of the scene, written under another."""
        root = folder / self.name
        for part in ("measurement", "annotation/calibration", "preview"):
            (root / part).mkdir(parents=True)
        (root / "manifest.safe").write_text(_MANIFEST)
        for polarisation in self.polarisations:
            self._write_polarisation(root, polarisation)
        for path in [path for path in root.rglob("*") if any(part in path.name for part in self.without)]:
            path.unlink()
        return root

    def _write_polarisation(self, root: Path, polarisation: str) -> None:
        stem = self.stem(polarisation)
        (root / "annotation" / f"{stem}.xml").write_text(self._annotation(polarisation))
        (root / "annotation/calibration" / f"calibration-{stem}.xml").write_text(self._calibration(polarisation))
        (root / "annotation/calibration" / f"noise-{stem}.xml").write_text("<noise/>")
        points = [
            GroundControlPoint(row=line, col=pixel, x=x, y=y, z=40.0)
            for line, pixel in self._points()
            for x, y in [self.ground * (pixel, line)]
        ]
        height, width = self.shape
        with rasterio.open(
            root / "measurement" / f"{stem}.tiff",
            "w",
            driver="GTiff",
            count=1,
            height=height,
            width=width,
            dtype="uint16",
            gcps=points,
            crs="EPSG:4326",
        ) as file:
            file.write(self.pixels(polarisation), 1)

    def _points(self) -> list[tuple[int, int]]:
        lines = np.linspace(0, self.shape[0] - 1, 4).astype(int).tolist()
        pixels = np.linspace(0, self.shape[1] - 1, 5).astype(int).tolist()
        return [(line, pixel) for line in lines for pixel in pixels]

    def _header(self, polarisation: str) -> str:
        return f"""<adsHeader><missionId>S1A</missionId><productType>{self.kind}</productType>
<polarisation>{polarisation}</polarisation><mode>IW</mode><swath>IW</swath>
<startTime>2018-05-30T10:10:10.123456</startTime><stopTime>2018-05-30T10:10:35.123456</stopTime></adsHeader>"""

    def _annotation(self, polarisation: str) -> str:
        points = "".join(
            f"<geolocationGridPoint><line>{line}</line><pixel>{pixel}</pixel><height>4.0e+01</height>"
            f"<incidenceAngle>{self.incidence(line, pixel):.10e}</incidenceAngle></geolocationGridPoint>"
            for line, pixel in self._points()
        )
        height, width = self.shape
        return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<product>{self._header(polarisation)}
<generalAnnotation><productInformation><pass>Descending</pass></productInformation></generalAnnotation>
<imageAnnotation><imageInformation>
<rangePixelSpacing>{self.pixel_m:.6e}</rangePixelSpacing><azimuthPixelSpacing>{self.pixel_m:.6e}</azimuthPixelSpacing>
<numberOfSamples>{width}</numberOfSamples><numberOfLines>{height}</numberOfLines>
</imageInformation></imageAnnotation>
<geolocationGrid><geolocationGridPointList count="{len(self._points())}">{points}</geolocationGridPointList>
</geolocationGrid></product>
"""

    def _row(self, tag: str, values: Sequence[object]) -> str:
        return f'<{tag} count="{len(values)}">{" ".join(map(str, values))}</{tag}>'

    def _calibration(self, polarisation: str) -> str:
        tables = {quantity: self.table(quantity) for quantity in self.calibration}
        vectors = "".join(
            f"<calibrationVector><line>{line}</line>{self._row('pixel', self.columns)}"
            + "".join(
                self._row(quantity, [f"{value:.6e}" for value in table[at]]) for quantity, table in tables.items()
            )
            + "</calibrationVector>"
            for at, line in enumerate(self.lines)
        )
        return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<calibration>{self._header(polarisation)}
<calibrationInformation><absoluteCalibrationConstant>1.000000e+00</absoluteCalibrationConstant></calibrationInformation>
<calibrationVectorList count="{len(self.lines)}">{vectors}</calibrationVectorList></calibration>
"""


_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" version="esa/safe/sentinel-1.0"></xfdu:XFDU>
"""

_TILE_XML = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level_Tile_Metadata.xsd">
<n1:Geometric_Info><Tile_Angles><Mean_Sun_Angle>
<ZENITH_ANGLE unit="deg">49.25</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">154.5</AZIMUTH_ANGLE>
</Mean_Sun_Angle></Tile_Angles></n1:Geometric_Info></n1:Level_Tile_ID>
"""
