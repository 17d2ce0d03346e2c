"""Made-up ground, and made-up polynomials that say where it lies in an image: nothing here comes from a satellite."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer

PLACE = (116.5, 39.4)
METRES = (111_320.0 * float(np.cos(np.radians(PLACE[1]))), 111_132.0)  # of a degree of longitude and of latitude
HEIGHT_M, HEIGHT_SCALE_M = 60.0, 500.0


@dataclass(frozen=True)
class View:
    """Of an image: rows and columns, size of its pixels on the ground (rows, columns), how it lies there."""

    shape: tuple[int, int]
    gsd_m: tuple[float, float]
    east_m: float = 0.0
    turned_deg: float = 12.0
    lean: float = 0.15  # metres by which a point moves along the columns for a metre of height


def texture(longitude: NDArray[Any], latitude: NDArray[Any]) -> NDArray[np.float64]:
    """What the ground looks like, from 0 to 1: waves of some hundred metres, and fields of 64 m."""
    east, north = (longitude - PLACE[0]) * METRES[0], (latitude - PLACE[1]) * METRES[1]
    waves = np.sin(east / 37 + 1) * np.cos(north / 29) + np.sin((east + 2 * north) / 83)
    fields = (np.floor(east / 64) * 7 + np.floor(north / 64) * 13 + np.floor(east * north / 50_000)) % 5 / 4
    return np.clip(0.5 + 0.14 * waves + 0.4 * (fields - 0.5), 0.0, 1.0)


def terrain(longitude: NDArray[Any], latitude: NDArray[Any], relief_m: float) -> NDArray[np.float64]:
    """Height of the ground above the ellipsoid, in metres."""
    east, north = (longitude - PLACE[0]) * METRES[0], (latitude - PLACE[1]) * METRES[1]
    return HEIGHT_M + relief_m * np.sin(east / 150) * np.cos(north / 190 + 0.4)


def write_dem(path: Path, relief_m: float, posts: int = 200, spacing_deg: float = 0.0002) -> Path:
    """Writes a DEM of the place, square, in degrees."""
    west, north = PLACE[0] - posts / 2 * spacing_deg, PLACE[1] + posts / 2 * spacing_deg
    centres = (np.arange(posts) + 0.5) * spacing_deg
    heights = terrain(*np.meshgrid(west + centres, north - centres), relief_m).astype("float32")
    place = Affine(spacing_deg, 0, west, 0, -spacing_deg, north)
    write_tiff(path, heights[None], crs="EPSG:4326", transform=place)
    return path


def synthetic_rpc(view: View) -> RPC:
    """Made-up polynomials of an image, with terms of the second and third degree and of height, and denominators."""
    rows, columns = view.shape
    turn = np.radians(view.turned_deg)
    half_m = 0.6 * float(np.hypot(rows * view.gsd_m[0], columns * view.gsd_m[1]))
    down, right = half_m / (view.gsd_m[0] * rows / 2), half_m / (view.gsd_m[1] * columns / 2)
    line, samp = np.zeros(20), np.zeros(20)  # 1 L P H LP LH PH LL PP HH PLH LLL LPP LHH LLP PPP PHH LLH PPH HHH
    line[[1, 2]] = -np.sin(turn) * down, -np.cos(turn) * down
    samp[[1, 2]] = np.cos(turn) * right, -np.sin(turn) * right
    samp[3] = view.lean * HEIGHT_SCALE_M / half_m * right
    line[[0, 3, 4, 5, 7, 8, 11, 15]] = 0.003, 0.004, 0.006, -0.003, 0.011, -0.007, 0.002, -0.003
    samp[[0, 4, 5, 6, 7, 8, 9, 14]] = -0.002, -0.008, 0.004, -0.002, 0.006, 0.009, 0.001, 0.002
    line_den, samp_den = np.zeros(20), np.zeros(20)
    line_den[[0, 1, 2, 3, 7]] = 1.0, 0.0015, -0.002, 0.0011, 0.0007
    samp_den[[0, 1, 2, 3, 8]] = 1.0, -0.0012, 0.0018, 0.0009, -0.0006
    return RPC(
        height_off=HEIGHT_M,
        height_scale=HEIGHT_SCALE_M,
        lat_off=PLACE[1],
        lat_scale=half_m / METRES[1],
        line_off=rows / 2 - 0.5,
        line_scale=rows / 2,
        long_off=PLACE[0] + view.east_m / METRES[0],
        long_scale=half_m / METRES[0],
        samp_off=columns / 2 - 0.5,
        samp_scale=columns / 2,
        line_num_coeff=line.tolist(),
        line_den_coeff=line_den.tolist(),
        samp_num_coeff=samp.tolist(),
        samp_den_coeff=samp_den.tolist(),
        err_bias=1.5,
        err_rand=0.25,
    )


def seen(rpc: RPC, shape: tuple[int, int], relief_m: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Longitude and latitude of the ground at the centres of the pixels of an image."""
    rows, columns = (each.ravel() for each in np.indices(shape))
    heights = np.full(rows.size, HEIGHT_M)
    with RPCTransformer(rpc, RPC_PIXEL_ERROR_THRESHOLD=1e-4) as transformer:
        for _ in range(12 if relief_m else 1):
            longitude, latitude = map(np.asarray, transformer.xy(rows, columns, zs=heights))
            heights = terrain(longitude, latitude, relief_m)
    return longitude.reshape(shape), latitude.reshape(shape)


@lru_cache(maxsize=64)
def seen_by(view: View, relief_m: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same of a view; kept, for many products have the same."""
    return seen(synthetic_rpc(view), view.shape, relief_m)


def rpb_text(rpc: RPC, satellite: str = "GF1") -> str:
    """Polynomials as RPB text."""
    numbers = f"\terrBias = {rpc.err_bias!r};\n\terrRand = {rpc.err_rand!r};\n"
    for kind in ("off", "scale"):
        for axis in ("line", "samp", "lat", "long", "height"):
            name = f"{axis}{'Offset' if kind == 'off' else 'Scale'}"
            numbers += f"\t{name} = {getattr(rpc, f'{axis}_{kind}')!r};\n"
    for axis, part in (("line", "num"), ("line", "den"), ("samp", "num"), ("samp", "den")):
        terms = ",\n".join(f"\t\t\t{term:+.17E}" for term in getattr(rpc, f"{axis}_{part}_coeff"))
        numbers += f"\t{axis}{part.capitalize()}Coef = (\n{terms});\n"
    named = f'satId = "{satellite}";\nbandId = "B";\nSpecId = "RPC00B";\n'
    return f"{named}BEGIN_GROUP = IMAGE\n{numbers}END_GROUP = IMAGE\nEND;\n"


def write_tiff(path: Path, pixels: NDArray[Any], **place: Any) -> None:
    """Writes (bands, h, w) in strips without compression, like the vendor's."""
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", photometric="MINISBLACK", **profile, **place) as file:
            file.write(pixels)
