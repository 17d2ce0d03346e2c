"""On which grid a scene comes to lie."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from rsfuse.errors import GridMismatchError, SceneError

LIKES = {  # CRS, and how pixels lie around the middle of the scene
    "upright": ("EPSG:32650", Affine.scale(7.5, -7.5)),
    "not on round numbers": ("EPSG:32650", Affine.translation(0.123, 4.56) * Affine.scale(7.77, -7.77)),
    "turned": ("EPSG:32650", Affine.rotation(-25) * Affine.scale(7.5, -7.5)),
    "oblong pixels": ("EPSG:32650", Affine.scale(6, -9)),
    "south up": ("EPSG:32650", Affine.scale(7.5, 7.5)),
    "geographic": ("EPSG:4326", Affine.scale(8e-5, -7e-5)),
    "of the neighbour zone": ("EPSG:32649", Affine.scale(8, -8)),
    "web mercator": ("EPSG:3857", Affine.scale(10, -10)),
    "equal area": ("EPSG:6933", Affine.scale(8, -8)),
}
SHAPE = (81, 66)


@pytest.fixture
def grid(gaofen):
    """CRS and transform of one of these grids."""

    def around(name):
        crs, pixels = LIKES[name]
        (x,), (y,) = transform("EPSG:4326", crs, *([each] for each in gaofen.PLACE))
        return crs, Affine.translation(x, y) * pixels * Affine.translation(-SHAPE[1] / 2, -SHAPE[0] / 2)

    return around


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("pms", name) for name in LIKES), *(("gf3", name) for name in ("upright", "turned", "geographic"))],
)
def test_like_gives_exactly_the_grid_of_the_other_raster(gaofen, prepared, write_raster, grid, tmp_path, kind, name):
    crs, place = grid(name)
    like = write_raster("like.tif", np.ones((1, *SHAPE), "uint8"), crs=crs, transform=place)
    scene = getattr(gaofen, f"write_{kind}")(tmp_path)
    made = prepared(scene.path, like=like, **({} if kind == "pms" else {"speckle": ("lee", 5), "linear": True}))
    assert tuple(made.transform) == tuple(place)
    assert made.crs == CRS.from_string(crs)
    assert made.valid.shape == SHAPE
    assert made.valid.mean() > 0.5
    truth = gaofen.texture(*made.lonlat)[made.valid]
    seen = made.pixels[0][made.valid]
    seen = np.log(seen) if kind == "gf3" else seen
    assert np.corrcoef(seen, truth)[0, 1] > (0.85 if kind == "pms" else 0.5)


def test_a_radar_scene_lies_on_the_camera_scene_it_is_brought_to(gaofen, prepared, tmp_path):
    layout = gaofen.Layout(relief_m=80.0)
    dem = gaofen.write_dem(tmp_path / "dem.tif", 80.0)
    optical = prepared(gaofen.write_pms(tmp_path, layout=layout).path, "optical.tif", dem=dem, gsd=5.0)
    like = tmp_path / "optical.tif"
    sar = gaofen.write_gf3(tmp_path, layout=layout)
    made = prepared(sar.path, "sar.tif", like=like, dem=dem, speckle=("refined-lee", 7))
    assert (made.transform, made.crs, made.valid.shape) == (optical.transform, optical.crs, optical.valid.shape)
    flat = prepared(sar.path, "flat.tif", like=like, speckle=("refined-lee", 7))
    both = optical.valid & made.valid & flat.valid
    alike = [np.corrcoef(optical.pixels[0][both], each.pixels[0][both])[0, 1] for each in (made, flat)]
    assert alike[0] > 0.6
    assert alike[0] > alike[1] + 0.2  # hills are displaced where nobody says how high they are


@pytest.mark.parametrize(("crs", "gsd"), [("EPSG:32650", 7.0), ("EPSG:32649", 12.5), ("EPSG:3857", 10.0), (None, 3.3)])
def test_the_corner_of_a_grid_lies_on_a_multiple_of_the_gsd(gaofen, prepared, tmp_path, crs, gsd):
    made = prepared(gaofen.write_pms(tmp_path).path, crs=crs, gsd=gsd)
    assert made.crs == CRS.from_string(crs or "EPSG:32650")
    assert (made.transform.a, made.transform.e, made.transform.b, made.transform.d) == (gsd, -gsd, 0, 0)
    for corner in (made.transform.c, made.transform.f):
        assert corner / gsd == pytest.approx(round(corner / gsd), abs=1e-6)
    rows, columns = np.nonzero(made.valid)
    assert min(rows.min(), columns.min()) <= 1
    assert max(made.valid.shape[0] - rows.max(), made.valid.shape[1] - columns.max()) <= 2  # no margin


def test_pixels_of_two_scenes_of_one_gsd_coincide(gaofen, prepared, tmp_path):
    one = prepared(gaofen.write_pms(tmp_path).path, "one.tif", gsd=6.0)
    other = prepared(gaofen.write_gf3(tmp_path).path, "other.tif", gsd=6.0)
    third = prepared(gaofen.write_wfv(tmp_path).path, "third.tif", gsd=6.0)
    for each in (other, third):
        columns, rows = ~one.transform * (each.transform.c, each.transform.f)
        assert columns == pytest.approx(round(columns), abs=1e-6)
        assert rows == pytest.approx(round(rows), abs=1e-6)


@pytest.mark.parametrize("gsd", [8.0, 12.0, 24.0, 60.0])
def test_a_scene_may_be_looked_at_from_afar(gaofen, prepared, tmp_path, gsd):
    made = prepared(gaofen.write_pms(tmp_path).path, gsd=gsd)
    assert max(made.valid.shape) < 620 / gsd + 3
    assert made.valid.mean() == pytest.approx(made.report.place.covered, abs=0.1)
    assert made.valid.mean() > 0.5


@pytest.mark.parametrize(("left", "top"), [(100, 100), (60, 120)])
def test_a_small_scene_is_found_wherever_it_lies_on_a_large_grid(gaofen, prepared, write_raster, tmp_path, left, top):
    place = Affine(16, 0, 457_000 - left * 16, 0, -16, 4_361_300 + top * 16)  # the scene is 36 px long and wide
    like = write_raster("like.tif", np.ones((1, 200, 200), "uint8"), crs="EPSG:32650", transform=place)
    made = prepared(gaofen.write_pms(tmp_path).path, like=like)
    assert made.valid.sum() == pytest.approx(960, abs=15)


def test_degrees_are_asked_for_in_degrees(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    made = prepared(scene.path, crs="EPSG:4326", gsd=0.0001)
    assert made.crs.to_epsg() == 4326
    assert made.transform.a == 0.0001
    truth = gaofen.texture(*made.lonlat)[made.valid]
    assert np.corrcoef(made.pixels[0][made.valid], truth)[0, 1] > 0.8
    usual = prepared(scene.path, "usual.tif", crs="EPSG:4326")
    assert usual.transform.a * 111_132 == pytest.approx(8, rel=0.05)


def test_a_gsd_in_metres_of_a_grid_in_degrees_is_refused_or_told(gaofen, prepared, tmp_path, left_behind):
    scene = gaofen.write_pms(tmp_path)
    before = left_behind()
    with pytest.raises((SceneError, GridMismatchError)):
        prepared(scene.path, crs="EPSG:4326", gsd=8.0)
    assert left_behind() == before


def test_the_corners_are_where_the_product_says(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    made = prepared(scene.path)
    longitude, latitude = (each[made.valid] for each in made.lonlat)
    corners = gaofen.seen(scene.rpcs["MS"], (64, 60), 0.0)
    for values, truth in zip((longitude, latitude), corners, strict=True):
        spread = np.ptp(truth)
        assert values.min() == pytest.approx(truth.min(), abs=0.02 * spread)
        assert values.max() == pytest.approx(truth.max(), abs=0.02 * spread)


@pytest.mark.parametrize("height", [0.0, 60.0, 500.0])
def test_the_height_of_the_ground_moves_a_scene_that_was_seen_askance(gaofen, prepared, tmp_path, height):
    scene = gaofen.write_gf3(tmp_path, "HH", "L1B")  # leans by 1.4 m a metre of height, along its columns
    made = prepared(scene.path, "high.tif", height_m=height, gsd=10.0)
    level = prepared(scene.path, "level.tif", gsd=10.0)
    assert made.report.place.heights.lowest == made.report.place.heights.highest == height
    centres = [np.array([each[raster.valid].mean() for each in raster.lonlat]) for raster in (made, level)]
    moved_m = (centres[0] - centres[1]) * gaofen.ground.METRES
    assert np.hypot(*moved_m) == pytest.approx(abs(height - 60) * 1.4, abs=12 + 0.05 * abs(height - 60))


def test_heights_of_a_dem_may_count_from_the_geoid(gaofen, prepared, tmp_path):
    scene, level = gaofen.write_gf3(tmp_path, "HH", "L1B"), gaofen.write_dem(tmp_path / "level.tif", 0.0)
    wish = {"gsd": 10.0, "like": None, "dem": level, "geoid_m": -40.0}
    made = prepared(scene.path, **wish)
    expected = prepared(scene.path, "flat.tif", gsd=10.0, height_m=gaofen.HEIGHT_M - 40)
    assert made.report.place.heights.lowest == pytest.approx(gaofen.HEIGHT_M - 40, abs=1e-3)
    like = prepared(scene.path, "like.tif", **wish | {"gsd": None, "like": tmp_path / "flat.tif"})
    np.testing.assert_allclose(like.pixels, expected.pixels, atol=1e-3)


def test_a_dem_that_covers_a_part_is_warned_of_and_elsewhere_the_ground_is_level(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "HH", "L1B")
    prepared(scene.path, "flat.tif", gsd=10.0)
    small = gaofen.write_dem(tmp_path / "small.tif", 60.0, posts=40)
    made = prepared(scene.path, like=tmp_path / "flat.tif", dem=small)
    flat = prepared(scene.path, "again.tif", like=tmp_path / "flat.tif", height_m=made.report.place.usual_m)
    (warning,) = [each for each in made.report.warnings if "DEM" in each]
    assert "%" in warning
    assert f"{made.report.place.usual_m:.0f} m" in warning
    longitude, latitude = made.lonlat
    reach = 0.0002 * 21
    outside = (np.abs(longitude - gaofen.PLACE[0]) > reach) | (np.abs(latitude - gaofen.PLACE[1]) > reach)
    assert 0.2 < outside.mean() < 0.9
    np.testing.assert_allclose(made.pixels[0][outside], flat.pixels[0][outside], atol=2e-2)
    assert (made.pixels != flat.pixels)[0][~outside & made.valid].mean() > 0.9


def test_of_a_dem_without_a_warning_nothing_is_missing(gaofen, prepared, tmp_path):
    made = prepared(gaofen.write_gf3(tmp_path).path, dem=gaofen.write_dem(tmp_path / "dem.tif", 60.0))
    assert made.report.warnings == ()
    assert made.report.to_dict()["heights_m"] == pytest.approx([0, 120], abs=3)
