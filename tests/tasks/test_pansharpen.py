"""A pair of rasters in, a sharpened one out: where its pixels lie, what they are, and what is left of a failure."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy.io import loadmat
from scipy.ndimage import gaussian_filter, shift

from rsfuse.errors import GridMismatchError, OutputError, RsfuseError, SceneError
from rsfuse.geometry.sharpening.methods import METHODS, fit
from rsfuse.geometry.sharpening.placement import Placement
from rsfuse.geometry.sharpening.sensors import SENSORS
from rsfuse.raster.sharpening.classical import Sharpener
from rsfuse.raster.sharpening.moments import measure_pair
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.tasks.pansharpen import PansharpenSettings, pansharpen

PLACE = Affine(1.0, 0, 500_000, 0, -1.0, 4_000_000)
SHAPE, LARGE = (200, 232), (568, 1080)  # of one window, and of four


@pytest.fixture(scope="module")
def ground():
    """What three bands would be at panchromatic pixels, and the panchromatic image: digital numbers from 80 to 2000."""
    chance = np.random.default_rng(0)
    common, *own = (sum(gaussian_filter(chance.normal(0, s, LARGE), s) for s in (1, 3, 12)) for _ in range(4))
    bands = np.stack([common * gain + 0.2 * each for gain, each in zip((0.8, 1.0, 1.3), own, strict=True)])
    bands = np.clip(800 + 250 * bands, 80, 2000)
    return bands, 0.2 * bands[0] + 0.4 * bands[1] + 0.4 * bands[2]


@pytest.fixture
def lay(tmp_path):
    """Write a raster: lay(name, pixels, transform, **what rasterio takes), with names of bands and a mask."""

    def write(name, pixels, transform=PLACE, *, names=None, mask=None, **options):
        count, height, width = pixels.shape
        profile = {"crs": "EPSG:32650", "photometric": "MINISBLACK", "dtype": pixels.dtype, **options}
        size = {"count": count, "height": height, "width": width}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(tmp_path / name, "w", driver="GTiff", transform=transform, **size, **profile) as file,
        ):
            file.write(pixels)
            file.descriptions = names or (None,) * count
            if mask is not None:
                file.write_mask(mask)
        return tmp_path / name

    return write


@pytest.fixture
def pair(lay, ground):
    """Paths of both; options are those of the multispectral one."""

    def write(ratio=4, dtype="uint16", shape=SHAPE, **options):
        bands, pan = (each[..., : shape[0], : shape[1]] for each in ground)
        coarse = shape[0] // ratio, shape[1] // ratio
        ms = Placement.by_area(ratio, coarse).reducing(0.3).whole(bands.astype(np.float32), coarse)
        scale = 1 / 2000 if np.dtype(dtype).kind == "f" else 1 / 10 if np.dtype(dtype).itemsize == 1 else 1
        ms, pan = (np.rint(each * scale) if scale > 1e-3 else each * scale for each in (ms, pan))
        erased = options.pop("erased", None)
        if erased is not None:
            ms[:, *erased] = options["nodata"]
        place = PLACE * Affine.scale(ratio)
        return lay("pan.tif", pan[None].astype(dtype)), lay("ms.tif", ms.astype(dtype), place, **options)

    return write


def sharpened(paths, output, **settings):
    report = pansharpen(*paths, output, PansharpenSettings(**settings))
    with rasterio.open(output) as file:
        return report, file.read(), file.dataset_mask() > 0


def as_a_whole(paths, method="gsa", sensor="other"):
    """The same without windows, type and file."""
    with PanMsScene(*paths) as scene:
        moments, gains = measure_pair(scene, SENSORS[sensor]), SENSORS[sensor].of(len(scene.bands))
        height, width = scene.grid.shape
        return Sharpener(fit(method, moments), gains, moments.limits)(scene, (0, height), (0, width))


@pytest.mark.parametrize("method", ["gsa", "mtf-glp-fs"])
def test_the_output_is_the_whole_scene_sharpened_rounded_and_clipped(pair, tmp_path, method):
    paths = pair(shape=LARGE)
    _, pixels, valid = sharpened(paths, tmp_path / "sharp.tif", method=method)
    expected = np.clip(np.rint(as_a_whole(paths, method).pixels), 0, 2047)
    assert np.abs(pixels.astype(int) - expected).max() <= 1  # where rounding is a toss
    assert (pixels != expected).mean() < 0.002
    assert valid.all()


@pytest.mark.parametrize("ratio", [2, 4])
def test_it_comes_nearer_to_the_ground_than_interpolation(pair, ground, tmp_path, ratio):
    paths = pair(ratio)
    _, plain, _ = sharpened(paths, tmp_path / "exp.tif", method="exp")
    truth = ground[0][:, : SHAPE[0], : SHAPE[1]]
    error = np.sqrt(((plain - truth) ** 2).mean())
    for method in METHODS[1:]:
        _, pixels, _ = sharpened(paths, tmp_path / f"{method}.tif", method=method)
        assert np.sqrt(((pixels - truth) ** 2).mean()) < 0.8 * error, (method, error)


@pytest.mark.parametrize(("name", "sensor"), [("imgWV2", "wv2"), ("imgGE1", "geoeye1")])
def test_of_real_images_seen_from_afar_every_method_finds_more_than_interpolation(
    shared_data, lay, tmp_path, name, sensor
):
    images = loadmat(shared_data("pansharpening") / f"{name}.mat")
    truth = np.moveaxis(images["I_MS"], -1, 0)[:, :160, :160].astype(np.float32)
    pan, gains = images["I_PAN"][None, :640, :640].astype(np.float32), SENSORS[sensor].of(len(truth))
    coarse = Placement.by_area(4, (40, 40))
    ms = [coarse.reducing(gain).whole(band[None], (40, 40))[0] for gain, band in zip(gains, truth, strict=True)]
    pan = Placement.by_area(4, (160, 160)).reducing(SENSORS[sensor].pan).whole(pan, (160, 160))
    paths = lay("pan.tif", pan), lay("ms.tif", np.stack(ms), PLACE * Affine.scale(4))
    errors = {}
    for method in METHODS:
        _, pixels, _ = sharpened(paths, tmp_path / f"{method}.tif", method=method, sensor=sensor)
        errors[method] = np.sqrt(((pixels - truth) ** 2).mean((1, 2)) / truth.mean((1, 2)) ** 2).mean()
    assert all(errors[method] < 0.95 * errors["exp"] for method in METHODS[1:]), errors
    assert min(errors, key=errors.get) not in ("exp", "brovey", "gs"), errors


def test_it_lies_on_the_panchromatic_grid_and_is_described_as_the_bands_were(pair, tmp_path):
    paths = pair(names=("blue", "green", "nir"), nodata=0)
    with rasterio.open(paths[1], "r+") as file:
        file.units, file.scales, file.offsets = ("W",) * 3, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)
    report, _, _ = sharpened(paths, tmp_path / "sharp.tif", bands=(3, 1))
    with rasterio.open(report.output) as file, rasterio.open(paths[0]) as pan:
        assert (file.crs, file.transform, file.shape) == (pan.crs, pan.transform, SHAPE)
        assert (file.dtypes, file.nodata, file.descriptions) == (("uint16",) * 2, 0, ("nir", "blue"))
        assert (file.units, file.scales, file.offsets) == (("W", "W"), (0.3, 0.1), (3.0, 1.0))
        assert file.tags()["RSFUSE_SHARPENED"] == "gsa"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(512, 512)] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ms.tif", "pan.tif", "sharp.tif"]


TYPES = [
    ("uint8", 0),
    ("uint8", 255),
    ("uint16", 0),
    ("int16", -1),
    ("int16", 0),
    ("float32", -9999),
    ("float32", np.nan),
]


@pytest.mark.parametrize(("dtype", "nodata"), TYPES)
def test_gaps_stay_gaps_and_nothing_else_becomes_one(pair, tmp_path, dtype, nodata):
    paths = pair(dtype=dtype, nodata=nodata, erased=np.s_[20:30, 30:45])
    _, pixels, valid = sharpened(paths, tmp_path / "sharp.tif")
    gap = np.zeros(SHAPE, bool)
    gap[80:120, 120:180] = True
    np.testing.assert_array_equal(~valid, gap)
    is_nodata = np.isnan(pixels) if np.isnan(nodata) else pixels == nodata
    np.testing.assert_array_equal(is_nodata, gap[None].repeat(3, 0))
    assert pixels.dtype == np.dtype(dtype)
    sharp = as_a_whole(paths)
    whole = np.clip(sharp.pixels, *sharp.limits) if dtype == "float32" else sharp.pixels
    assert np.abs(pixels - whole)[:, valid].max() <= (1e-4 if dtype == "float32" else 1.1)


def test_a_dark_pixel_that_is_valid_is_not_0_where_that_means_no_data(pair, tmp_path):
    paths = pair(nodata=0)
    with rasterio.open(paths[0], "r+") as file:
        pan = file.read()
        pan[:, 100:104, 100:104] = 0  # a shadow: so dark that the sharpened bands fall below 0
        file.write(pan)
    assert as_a_whole(paths).pixels[:, 100:104, 100:104].min() < 0
    _, pixels, valid = sharpened(paths, tmp_path / "sharp.tif")
    assert valid.all()
    assert pixels.min() == 1


def test_gaps_of_the_panchromatic_raster_are_gaps(pair, lay, ground, tmp_path):
    seen = np.ones(SHAPE, bool)
    seen[30:50, 200:] = False
    _, ms = pair()
    _, pixels, valid = sharpened(
        (lay("pan.tif", ground[1][None, : SHAPE[0], : SHAPE[1]].astype(np.uint16), mask=seen), ms), tmp_path / "s.tif"
    )
    np.testing.assert_array_equal(valid, seen)
    assert not pixels[:, ~seen].any()


@pytest.mark.parametrize("method", ["gsa", "bdsd-pc", "mtf-glp"])
def test_a_gap_in_the_panchromatic_raster_spoils_nothing_beside_it(pair, tmp_path, method):
    paths = pair()
    _, expected, _ = sharpened(paths, tmp_path / "whole.tif", method=method)
    with rasterio.open(paths[0], "r+") as file:
        file.nodata, pan = 0, file.read()
        pan[..., :116] = 0
        file.write(pan)
    _, pixels, _ = sharpened(paths, tmp_path / "half.tif", method=method)
    change = (pixels.astype(float) - expected)[..., 140:]
    assert np.sqrt((change**2).mean()) < 10  # fitted to another half of the ground


def test_what_the_multispectral_raster_does_not_cover_has_no_data(pair, lay, tmp_path):
    pan, ms = pair()
    with rasterio.open(ms) as file:
        part = lay("part.tif", file.read()[:, 10:40, 20:], PLACE * Affine.translation(80, 40) * Affine.scale(4))
    _, _, valid = sharpened((pan, part), tmp_path / "sharp.tif")
    expected = np.zeros(SHAPE, bool)
    expected[40:160, 80:] = True
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.parametrize("nodata", [None, 0])
def test_overviews_are_the_means_of_what_has_data(pair, tmp_path, nodata):
    options = {} if nodata is None else {"nodata": 0, "erased": np.s_[40:61, 101:130]}
    _, pixels, valid = sharpened(pair(shape=LARGE, **options), tmp_path / "sharp.tif")
    with rasterio.open(tmp_path / "sharp.tif") as file:
        assert file.overviews(1) == [2, 4]
        for level in (2, 4):
            small = file.read(out_shape=(3, LARGE[0] // level, LARGE[1] // level))
            blocks = [each.reshape(-1, LARGE[0] // level, level, LARGE[1] // level, level) for each in (pixels, valid)]
            counts = blocks[1].sum((2, 4))
            mean = np.where(blocks[1], blocks[0].astype(float), 0).sum((2, 4)) / np.maximum(counts, 1)
            inside = counts[0] == level**2
            assert np.abs(small - mean)[:, inside].max() <= 1
            assert (small[:, counts[0] == 0] == 0).all()
            assert (small[:, counts[0] > 0] > 0).all()


def test_numbers_stay_within_the_bits_of_the_data(pair, tmp_path):
    paths = pair()
    with rasterio.open(paths[0], "r+") as file:
        pan = file.read()
        pan[:, 60:64, 60:64] = 2047  # glare
        file.write(pan)
    _, pixels, _ = sharpened(paths, tmp_path / "sharp.tif")
    assert as_a_whole(paths).pixels.max() > 2300
    assert pixels.max() == 2047


def test_without_coordinates_the_result_has_none(lay, pair, tmp_path):
    paths = pair()
    for path in paths:
        with rasterio.open(path) as file:
            pixels = file.read()
        lay(path.name, pixels, crs=None)
    report, _, _ = sharpened(paths, tmp_path / "sharp.tif")
    assert report.ratio == 4
    assert report.offset.shift == pytest.approx((0, 0), abs=0.15)
    assert rasterio.open(tmp_path / "sharp.tif").crs is None


def test_aligning_brings_the_ground_back(lay, ground, tmp_path):
    bands, pan = ground
    aside = np.stack([shift(band, (-2.0, 3.0), order=3, mode="nearest") for band in bands])
    ms = aside.reshape(3, LARGE[0] // 4, 4, LARGE[1] // 4, 4).mean((2, 4)).astype(np.uint16)
    paths = lay("pan.tif", pan[None].astype(np.uint16)), lay("ms.tif", ms, PLACE * Affine.scale(4))
    errors = []
    for align in (False, True):
        report, pixels, _ = sharpened(paths, tmp_path / f"{align}.tif", align=align)
        assert report.offset.shift == pytest.approx((0.75, -0.5), abs=0.15)
        errors.append(np.sqrt(((pixels - bands) ** 2)[:, 16:-16, 16:-16].mean()))
    assert errors[1] < errors[0] / 1.5


REFUSED = {
    "a sensor that nobody knows": ({"sensor": "gf22"}, SceneError, "'gf22'"),
    "a sensor of eight bands": ({"sensor": "wv3"}, SceneError, "8 multispectral bands, the raster 3"),
    "a band that is not there": ({"bands": (1, 7)}, SceneError, "no band 7"),
    "two outputs in one": ({"preview": "sharp.tif"}, OutputError, "the sharpened raster and the preview"),
    "a preview over an input": ({"preview": "ms.tif", "overwrite": True}, OutputError, "multispectral raster"),
    "a preview that is no PNG": ({"preview": "look.tif"}, OutputError, "would be a PNG picture"),
    "a preview in no folder": ({"preview": "none/a.png"}, OutputError, "no folder"),
}


@pytest.mark.parametrize(("settings", "kind", "told"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_told_before_anything_is_written(pair, tmp_path, settings, kind, told):
    paths = pair()
    if "preview" in settings:
        settings = {**settings, "preview": tmp_path / settings["preview"]}
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(kind, match=told) as caught:
        pansharpen(*paths, tmp_path / "sharp.tif", PansharpenSettings(**settings))
    assert caught.value.hint
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_inputs_are_never_written_over_and_outputs_on_request_only(pair, tmp_path):
    pan, ms = pair()
    for path in (pan, ms):
        with pytest.raises(OutputError, match="raster"):
            pansharpen(pan, ms, path, PansharpenSettings(overwrite=True))
    output = tmp_path / "sharp.tif"
    output.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        pansharpen(pan, ms, output)
    assert output.read_text() == "mine"
    pansharpen(pan, ms, output, PansharpenSettings(overwrite=True))
    assert rasterio.open(output).count == 3


def test_of_work_that_fails_midway_nothing_is_left(pair, tmp_path, monkeypatch):
    paths, whole, seen = pair(shape=LARGE), Sharpener.__call__, []

    def fail(self, scene, rows, columns):
        seen.append(rows)
        if len(seen) > 1:
            raise SceneError("a block is damaged", hint="get another copy")
        return whole(self, scene, rows, columns)

    monkeypatch.setattr(Sharpener, "__call__", fail)
    (tmp_path / "sharp.tif").write_text("mine")
    with pytest.raises(RsfuseError, match="damaged"):
        pansharpen(*paths, tmp_path / "sharp.tif", PansharpenSettings(overwrite=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ms.tif", "pan.tif", "sharp.tif"]
    assert (tmp_path / "sharp.tif").read_text() == "mine"


def test_rasters_in_the_wrong_order_are_told(pair, tmp_path):
    pan, ms = pair()
    with pytest.raises(SceneError, match=r"ms\.tif has 3 bands, a panchromatic raster has one"):
        pansharpen(ms, pan, tmp_path / "sharp.tif")
    with pytest.raises(GridMismatchError, match=r"is 1 x 1 pixels"):
        pansharpen(pan, pan, tmp_path / "sharp.tif")


@pytest.mark.parametrize("nodata", [None, 0])
def test_unpacked_it_has_the_same_pixels_in_a_plain_file(pair, tmp_path, nodata):
    paths = pair(nodata=nodata)
    _, packed, _ = sharpened(paths, tmp_path / "packed.tif")
    _, plain, _ = sharpened(paths, tmp_path / "plain.tif", packed=False)
    np.testing.assert_array_equal(plain, packed)
    with rasterio.open(tmp_path / "packed.tif") as cog, rasterio.open(tmp_path / "plain.tif") as file:
        assert file.compression is None
        assert file.overviews(1) == []
        assert file.descriptions == cog.descriptions
        assert (file.nodata, file.dtypes, file.transform) == (cog.nodata, cog.dtypes, cog.transform)
        np.testing.assert_array_equal(file.dataset_mask(), cog.dataset_mask())
    assert not list(tmp_path.glob(".*"))
