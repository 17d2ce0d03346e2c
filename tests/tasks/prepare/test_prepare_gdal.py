"""Where `prepare` puts pixels, and what it makes of them, held against GDAL's own program."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.transform import RPCTransformer, array_bounds
from rasterio.warp import Resampling, reproject

HEIGHT_M = 140.0
NAMES = {"nearest": "near", "bilinear": "bilinear", "cubic": "cubic"}
AS_IT_IS = "-q", "-et", "0", "-wo", "XSCALE=1", "-wo", "YSCALE=1"  # no shortcuts, and no wider kernel on coarse grids
FROM_A_SATELLITE = ((192, 160), (5.2, 3.92)), ((256, 240), (2.0, 2.0))  # of a SAR with a steep view, and a camera

needs_gdalwarp = pytest.mark.skipif(shutil.which("gdalwarp") is None, reason="gdalwarp (gdal-bin) is not installed")


@pytest.fixture
def warped(read, tmp_path):
    """What gdalwarp makes of a file on the grid of what was prepared."""

    def warp(source, like, *options, kernel="bilinear", nodata="nan"):
        bounds = array_bounds(*like.valid.shape, like.transform)
        grid = ["-t_srs", like.crs.to_string(), "-te", *bounds, "-ts", *like.valid.shape[::-1]]
        values = ["-r", NAMES[kernel], "-dstnodata", nodata]
        made = tmp_path / "gdal.tif"
        command = ["gdalwarp", *AS_IT_IS, "-overwrite", "-rpc", *grid, *values, *options, source, made]
        subprocess.run([str(each) for each in command], check=True, timeout=60)
        return read(made)

    return warp


@pytest.fixture
def sensors(gaofen):
    """Views of a SAR and of a camera."""
    (sar, sar_gsd), (camera, camera_gsd) = FROM_A_SATELLITE
    return {
        "sar": gaofen.View(sar, sar_gsd, turned_deg=-11.0, lean=-1.4),
        "camera": gaofen.View(camera, camera_gsd),
    }


@pytest.fixture
def places(gaofen, sensors, write_raster):
    """An image whose two bands are the columns and rows of its own pixels, and its polynomials."""

    def write(sensor):
        rows, columns = np.indices(sensors[sensor].shape) + 0.5
        rpc = gaofen.synthetic_rpc(sensors[sensor])
        return write_raster("places.tif", np.stack([columns, rows]).astype("float32"), rpcs=rpc), rpc

    return write


@pytest.fixture
def hills(gaofen, tmp_path):
    """A DEM of the place with hills of 80 m; in degrees, or brought to the CRS."""

    def write(crs="EPSG:4326"):
        path = gaofen.write_dem(tmp_path / "dem.tif", 80.0)
        if crs == "EPSG:4326":
            return path
        with rasterio.open(path) as file:
            grid = rasterio.warp.calculate_default_transform(file.crs, crs, *file.shape[::-1], *file.bounds)
            heights = np.full((1, grid[2], grid[1]), -9999, "float32")
            reproject(
                file.read(1),
                heights[0],
                src_transform=file.transform,
                src_crs=file.crs,
                dst_transform=grid[0],
                dst_crs=crs,
                dst_nodata=-9999,
                resampling=Resampling.bilinear,
            )
        moved = tmp_path / "moved.tif"
        gaofen.write_tiff(moved, heights, crs=crs, transform=grid[0], nodata=-9999)
        return moved

    return write


@pytest.mark.parametrize("sensor", ["sar", "camera"])
def test_every_pixel_lies_where_the_polynomials_say(prepared, places, sensor):
    path, rpc = places(sensor)
    made = prepared(path, height_m=HEIGHT_M, gsd=3.0)
    with RPCTransformer(rpc, rpc_height=HEIGHT_M) as transformer:
        rows, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.positive)
    asked = np.stack([columns, rows]).reshape(2, *made.valid.shape)
    inner = made.valid & (asked > 1).all(0) & (asked[0] < asked[0][made.valid].max() - 1)
    inner &= asked[1] < asked[1][made.valid].max() - 1  # at its edge an image is as it is half a pixel further in
    assert inner.mean() > 0.5
    assert np.abs(made.pixels - asked)[:, inner].max() < 0.01


@needs_gdalwarp
@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
@pytest.mark.parametrize("sensor", ["sar", "camera"])
def test_gdalwarp_puts_pixels_to_the_same_places(prepared, places, warped, sensor, kernel):
    path, _ = places(sensor)
    made = prepared(path, height_m=HEIGHT_M, gsd=3.5, kernel=kernel)
    theirs = warped(path, made, "-to", f"RPC_HEIGHT={HEIGHT_M}", kernel=kernel)
    both = made.valid & theirs.valid
    assert both.mean() > 0.6
    assert (made.valid ^ theirs.valid).sum() <= 5
    assert np.abs(made.pixels - theirs.pixels)[:, both].max() < 0.02


@needs_gdalwarp
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32650", "EPSG:3857"])
@pytest.mark.parametrize("sensor", ["sar", "camera"])
def test_gdalwarp_over_hills_puts_pixels_to_the_same_places(prepared, places, hills, warped, tmp_path, sensor, crs):
    (path, _), dem = places(sensor), hills(crs)
    made = prepared(path, dem=dem, gsd=3.5)
    assert made.report.place.heights.highest > made.report.place.heights.lowest + 100
    to_dem = "-to", f"RPC_DEM={dem}", "-to", "RPC_DEMINTERPOLATION=bilinear"
    theirs = warped(path, made, *to_dem)
    both = made.valid & theirs.valid
    assert both.mean() > 0.5
    assert (made.valid ^ theirs.valid).sum() <= 0.001 * both.size
    away = np.abs(made.pixels - theirs.pixels)[:, both]
    assert np.quantile(away, 0.999) < 0.1
    flat = prepared(path, "flat.tif", like=tmp_path / "scene.tif")
    moved = np.abs(flat.pixels - made.pixels)[0][flat.valid & made.valid].max()
    assert moved > 5  # else hills would matter to nobody


@needs_gdalwarp
@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize("relief", ["flat", "hills"])
def test_digital_numbers_are_those_of_gdalwarp(gaofen, prepared, hills, warped, tmp_path, kernel, relief):
    layout = gaofen.Layout(relief_m=80.0 if relief == "hills" else 0.0)
    scene = gaofen.write_pms(tmp_path / "delivered", layout=layout)
    dem = hills() if relief == "hills" else None
    made = prepared(scene.path, image="pan", quantity="dn", gsd=2.0, dem=dem, kernel=kernel)
    ground = (f"RPC_DEM={dem}", "RPC_DEMINTERPOLATION=bilinear") if dem else (f"RPC_HEIGHT={gaofen.HEIGHT_M}",)
    options = [each for way in ground for each in ("-to", way)]
    image = scene.path / f"{scene.name}-PAN1.tiff"
    theirs = warped(image, made, *options, kernel=kernel, nodata="0")
    both = made.valid & theirs.valid
    assert both.mean() > 0.6
    assert (made.valid ^ theirs.valid).sum() <= 0.001 * both.size
    apart = np.abs(made.pixels.astype(int) - theirs.pixels)[:, both]
    assert (apart <= 1).mean() > 0.995
    assert np.ptp(made.pixels[:, both]) > 300


@needs_gdalwarp
def test_a_grid_that_is_turned_gets_what_gdalwarp_would_give_it(prepared, places, write_raster, read, tmp_path):
    path, _ = places("camera")
    turned = Affine.translation(456_750, 4_361_300) * Affine.rotation(20) * Affine.scale(3, -3)
    like = write_raster("like.tif", np.ones((1, 120, 90), "uint8"), crs="EPSG:32650", transform=turned)
    made = prepared(path, like=like, height_m=HEIGHT_M)
    onto = tmp_path / "onto.tif"
    nothing = np.full((2, 120, 90), np.nan, "float32")
    write_raster("onto.tif", nothing, crs="EPSG:32650", transform=turned, nodata=np.nan)
    command = ["gdalwarp", *AS_IT_IS, "-rpc", "-to", f"RPC_HEIGHT={HEIGHT_M}", "-r", "bilinear", str(path), str(onto)]
    subprocess.run(command, check=True, timeout=60)
    theirs = read(onto)
    assert made.transform.almost_equals(turned)
    assert made.crs == CRS.from_epsg(32650)
    both = made.valid & theirs.valid
    assert both.mean() > 0.3
    assert np.abs(made.pixels - theirs.pixels)[:, both].max() < 0.02
