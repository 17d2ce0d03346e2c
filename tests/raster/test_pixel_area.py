"""Areas of pixels: the surface of the earth, by other ways."""

import math

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from rsfuse.geometry.grid import Grid
from rsfuse.raster.drawn.pixel_area import row_areas_m2


def test_in_degrees_the_areas_of_the_whole_earth_are_its_surface():
    grid = Grid(CRS.from_epsg(4326), Affine(1, 0, -180, 0, -1, 90), (180, 360))
    assert row_areas_m2(grid).sum() * 360 == pytest.approx(510_065_621_724_000, rel=1e-9)  # of WGS 84


def test_in_degrees_areas_are_the_integral_of_the_radii_of_curvature():
    a, e2 = 6_378_137.0, 0.00669437999014
    latitudes = np.radians(np.linspace(59, 60, 20_001))
    radii = a**2 * (1 - e2) / (1 - e2 * np.sin(latitudes) ** 2) ** 2 * np.cos(latitudes)
    integral = np.trapezoid(radii, latitudes) * np.radians(0.01)
    grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 60), (100, 100))  # across the 180th meridian
    assert row_areas_m2(grid).sum() == pytest.approx(integral, rel=1e-8)


def test_in_mercator_areas_shrink_by_the_square_of_the_cosine():
    y = 6_378_137 * math.log(math.tan(math.pi / 4 + math.radians(60) / 2))
    areas = row_areas_m2(Grid(CRS.from_epsg(3857), Affine(10, 0, 0, 0, -10, y), (3, 4)))
    assert areas == pytest.approx(100 * math.cos(math.radians(60)) ** 2, rel=0.01)


@pytest.mark.parametrize(("code", "area"), [(32722, 100.0), (3035, 100.0), (2263, 100 * (1200 / 3937) ** 2)])
def test_elsewhere_areas_are_those_of_the_projection(code, area):
    areas = row_areas_m2(Grid(CRS.from_epsg(code), Affine(6, 8, 5e5, 8, -6, 2e5), (3, 4)))
    assert areas == pytest.approx([area] * 3, rel=1e-12)
