"""`rsfuse coreg`: what it prints, what it writes, and how it ends."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy import ndimage

SIDE = 500


@pytest.fixture(scope="module")
def ground():
    chance = np.random.default_rng(0)
    coarse = ndimage.zoom(chance.uniform(40, 200, (SIDE // 10, SIDE // 10)), 10, order=0)
    return ndimage.gaussian_filter(ndimage.rotate(coarse, 20, reshape=False, order=0, mode="reflect"), 0.7)


@pytest.fixture
def pair(raster, ground):
    def make(dx=0, dy=0, west=500_000):
        moved = ndimage.shift(ground, (dy, dx), order=3, mode="reflect")
        seen = (np.abs(moved - 120) + 20) * np.random.default_rng(1).gamma(10, 0.1, moved.shape)
        sides = {"side": SIDE}
        return raster("optical.tif", values=ground.astype("u1")[None], **sides), raster(
            "sar.tif", values=seen.astype("f4")[None], transform=Affine(10, 0, west, 0, -10, 4_000_000), **sides
        )

    return make


def test_a_pair_that_lies_well_passes(rsfuse, pair):
    done = rsfuse("coreg", *pair(), "--tiles", 100)
    assert done.exit_code == 0, done.stderr
    assert "pass: CE90" in done.stdout
    assert "in pixels of " in done.stdout


def test_a_pair_that_does_not_fails_with_figures_for_programs(rsfuse, pair, tmp_path):
    done = rsfuse("coreg", *pair(7, -3), "--tiles", 100, "--json", "-q", "--geojson", "tiles.geojson")
    assert done.exit_code == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "fail"
    assert (told["median_dx_px"], told["median_dy_px"]) == pytest.approx((7, -3), abs=0.15)
    assert {"tiles", "accepted", "rmse_px", "ce90_px", "noise_px", "gsd_m"} < set(told)
    assert told["tiles"] == told["accepted"] + told["rejected"] + told["flat"] + told["empty"]
    points = json.loads((tmp_path / "tiles.geojson").read_text())["features"]
    assert len(points) == told["tiles"]
    accepted = [point["properties"] for point in points if point["properties"]["accepted"]]
    assert len(accepted) == told["accepted"]
    assert np.median([each["dx_px"] for each in accepted]) == pytest.approx(told["median_dx_px"], abs=1e-3)
    assert accepted[0]["dx_m"] == pytest.approx(accepted[0]["dx_px"] * told["gsd_m"], rel=1e-3)
    longitude, latitude = points[0]["geometry"]["coordinates"]
    assert (longitude, latitude) == pytest.approx((117.0, 36.1), abs=0.2)  # UTM zone 50, 4000 km north


def test_limits_are_the_users(rsfuse, pair):
    assert rsfuse("coreg", *pair(2), "--tiles", 100, "--max-ce90", 3, "--max-median", 2.5, "-q").exit_code == 0


def test_places_that_have_nothing_in_common_are_inconclusive(rsfuse, pair, raster):
    optical, _ = pair()
    noise = raster("noise.tif", values=np.random.default_rng(0).gamma(4, 25, (1, SIDE, SIDE)).astype("f4"), side=SIDE)
    done = rsfuse("coreg", optical, noise, "--tiles", 100)
    assert done.exit_code == 3
    assert "inconclusive: " in done.stdout
    assert "at least 30 are needed" in done.stdout


def test_what_is_there_is_not_replaced_and_rasters_of_other_places_are_told(rsfuse, pair, tmp_path):
    (tmp_path / "tiles.geojson").write_text("mine")
    done = rsfuse("coreg", *pair(), "--geojson", "tiles.geojson")
    assert done.exit_code == 2
    assert (tmp_path / "tiles.geojson").read_text() == "mine"
    far = pair(west=600_000)
    done = rsfuse("coreg", *far)
    assert done.exit_code == 2
    assert "lies elsewhere" in done.stderr
    assert "hint:" in done.stderr


def test_what_lies_aside_is_put_right_and_checked_once_more(rsfuse, pair, tmp_path):
    optical, sar = pair(7, -3)
    named = "--write", "aligned.tif", "--report", "report.html", "--json", "-q"
    done = rsfuse("coreg", optical, sar, "--tiles", 100, *named)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "fail"
    aligned = told["aligned"]
    assert (aligned["verdict"], aligned["correction"], aligned["output"]) == ("pass", "shift", "aligned.tif")
    assert abs(aligned["median_dx_px"]) < 0.15 > abs(aligned["median_dy_px"])
    assert set(aligned["held_out_px"]) == {"shift", "affine", "local"}
    with rasterio.open(sar) as before, rasterio.open(tmp_path / "aligned.tif") as after:
        np.testing.assert_array_equal(after.read(), before.read())
        moved = ~before.transform * after.transform
    assert (moved.c, moved.f) == pytest.approx((-7, 3), abs=0.2)
    page = (tmp_path / "report.html").read_text()
    assert "FAIL" in page
    assert "PASS" in page


def test_who_asks_for_an_affine_correction_gets_it(rsfuse, pair, tmp_path):
    done = rsfuse("coreg", *pair(2, 1), "--tiles", 100, "--write", "aligned.tif", "--correction", "affine")
    assert done.exit_code == 0, done.stderr
    assert "aligned by: affine; " in done.stdout
    with rasterio.open(tmp_path / "aligned.tif") as file:
        assert file.transform == Affine(10, 0, 500_000, 0, -10, 4_000_000)
        assert (file.read_masks(1) == 0).any()  # what would come from beyond the edge


def test_what_cannot_be_told_is_not_put_right(rsfuse, pair, raster, tmp_path):
    optical, _ = pair()
    noise = raster("noise.tif", values=np.random.default_rng(0).gamma(4, 25, (1, SIDE, SIDE)).astype("f4"), side=SIDE)
    done = rsfuse("coreg", optical, noise, "--tiles", 100, "--write", "aligned.tif")
    assert done.exit_code == 3
    assert "aligned.tif was not written" in done.stderr
    assert not (tmp_path / "aligned.tif").exists()


def test_what_is_read_is_never_written_over(rsfuse, pair):
    optical, sar = pair()
    before = sar.read_bytes()
    for option in ("--write", "--report", "--geojson"):
        done = rsfuse("coreg", optical, sar, option, sar, "--overwrite")
        assert done.exit_code == 2
        assert "it is a raster that is matched" in done.stderr
    assert sar.read_bytes() == before


@pytest.mark.slow
def test_los_angeles_is_put_right(rsfuse, shared_data):
    """Real data whose two images lie 2 to 5 pixels aside, not the same everywhere."""
    folder = shared_data("los_angeles")
    done = rsfuse("coreg", folder / "optical.tif", folder / "sar.tif", "--write", "aligned.tif", "--json", "-q")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["verdict"], told["aligned"]["verdict"], told["aligned"]["correction"]) == ("fail", "pass", "local")
    assert told["ce90_px"] > 4
    # left over where nothing was fitted: independent of what was
    assert told["aligned"]["held_out_px"]["local"] < 0.6 * told["aligned"]["held_out_px"]["affine"]
