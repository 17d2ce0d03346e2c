"""Product: a delivered scene, as far as it is understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rsfuse.geometry.image_model import ImageModel

if TYPE_CHECKING:  # readers build products, so that these cannot import them
    from rsfuse.raster.products.sentinel1 import Sentinel1Facts
    from rsfuse.raster.products.sentinel2 import ReflectanceScale

Role = Literal["ms", "pan", "sar"]


@dataclass(frozen=True)
class OpticalFacts:
    """What the radiometry of an optical scene depends on.

    Args:
        satellite: as "GF1", "GF1B", "GF2", "GF6"; "S2A".
        sensor: as "PMS1", "PMS", "WFV2"; "MSI".
        acquired: day, of which the year chooses coefficients, and the distance of the sun.
        sun_zenith_deg: None where nobody says.
    """

    satellite: str
    sensor: str
    acquired: date
    sun_zenith_deg: float | None


@dataclass(frozen=True)
class SarFacts:
    """What the radiometry and the pixels of a Gaofen-3 scene depend on.

    Args:
        satellite: as "GF3", "GF3B".
        mode: of imaging, as "FSII".
        level: "L1A", of two bands, I and Q; "L1B" or "L2", of one, the amplitude.
        qualify: QualifyValue of each polarisation that is there; None where it says NULL, or nothing.
        constant_db: CalibrationConst likewise.
        incidence_deg: of each column, in the slant range of the whole image; empty where nobody says.
        spacing_m: (azimuth, ground range) of the pixels; None where nobody says.
    """

    satellite: str
    mode: str
    level: str
    qualify: Mapping[str, float | None]
    constant_db: Mapping[str, float | None]
    incidence_deg: tuple[float, ...] = ()
    spacing_m: tuple[float, float] | None = None


@dataclass(frozen=True)
class ProductImage:
    """A raster of a product.

    Args:
        file: its name in the product, for messages.
        source: what GDAL opens: a path, a piece of an archive (/vsisubfile/...), the text of a virtual raster.
        role: of the image in the product.
        bands: names of what comes out, in the order of the file: ("blue", "green", "red", "nir"), ("pan",), ("HH",).
        model: where its pixels lie; None where the file says so itself, or nobody does.
        part: of those that are joined into one: 1 to 3 of a WFV image of GF-6, the strip of a ScanSAR scene; else 0.
        gsd_m: nominal, None where nobody says.
    """

    file: str
    source: str
    role: Role
    bands: tuple[str, ...]
    model: ImageModel | None
    part: int = 0
    gsd_m: float | None = None


@dataclass(frozen=True)
class Product:
    """A scene as it was delivered.

    Args:
        path: of the folder or archive that the user named.
        name: of the scene.
        images: all that were found, those of one role and name in the order of their parts.
        facts: by which digital numbers become measurements; None for a plain raster.
        understood: what to tell the user, by names as they read: "satellite", "acquired", "level", "sun zenith" ...
        missing: what should be there and is not, or could not be understood, a sentence each.
    """

    path: Path
    name: str
    images: tuple[ProductImage, ...]
    facts: OpticalFacts | SarFacts | ReflectanceScale | Sentinel1Facts | None
    understood: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def of(self, role: Role) -> tuple[ProductImage, ...]:
        """Images of a role."""
        return tuple(image for image in self.images if image.role == role)
