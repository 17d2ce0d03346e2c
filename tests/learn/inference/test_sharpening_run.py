"""A network sharpens a scene patch by patch as it would at one look, whatever the sides, the ratio and the holes."""

import logging
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import nn

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.sharpening import SharpeningBundle, SharpeningManifest, build_sharpener
from rsfuse.learn.inference.sharpening_run import SharpenSettings, sharpen_strips
from rsfuse.learn.runtimes.eager import EagerSharpeningPredictor
from rsfuse.raster.sharpening.scene import PanMsSample, PanMsScene
from rsfuse_models.sharpening import SharpeningNetwork

BANDS, SIZE, HALO, DIVISOR = ("red", "green", "blue"), 32, 4, 1023.0
CROP = SharpenSettings(blend="crop", readers=1)


class Convolution(SharpeningNetwork):
    """Three by three pixels of pan and of the nearest ms: looks one pixel around. Counts its patches."""

    def __init__(self, ratio):
        super().__init__(bands=len(BANDS), ratio=ratio, multiple=1)
        self.mix = nn.Conv2d(1 + len(BANDS), len(BANDS), 3, padding=1)
        chance = torch.Generator().manual_seed(0)
        self.mix.weight.data = torch.randn(self.mix.weight.shape, generator=chance)
        self.patches = 0

    def sharpen(self, pan, ms):
        self.patches += len(pan)
        near = ms.repeat_interleave(self.ratio, -1).repeat_interleave(self.ratio, -2)
        return self.mix(torch.cat([pan, near], 1))


class Local(Convolution):
    """Looks at no other pixel."""

    def sharpen(self, pan, ms):
        self.patches += len(pan)
        return pan + ms.repeat_interleave(self.ratio, -1).repeat_interleave(self.ratio, -2)


class Untrained(SharpeningBundle):
    """A bundle without a folder."""

    make: staticmethod

    def network(self):
        return self.make().eval()


def predictor(make, ratio=4, **manifest):
    values = {
        "description": "untrained",
        "network": {"name": "cf2n"},
        "inputs": {"ms": BANDS, "divisor": DIVISOR},
        "ratio": ratio,
        "maximum": 1023,
        "patch": {"size": SIZE, "halo": HALO},
        "sensors": ("gf2",),
        "trained_on": (),
        "scores": {},
    }
    bundle = type("One", (Untrained,), {"make": staticmethod(make)})
    return EagerSharpeningPredictor(bundle(Path("untrained"), SharpeningManifest(**values | manifest)), device="cpu")


class Pair:
    """A scene in memory, with the interface of `PanMsScene`; what it is asked for is written down."""

    def __init__(self, shape, ratio=4, *, block=(1, 1)):
        chance, coarse = np.random.default_rng(0), [-(-side // ratio) for side in shape]
        self.pan = chance.integers(1, 1000, (1, *shape)).astype(np.float32)
        self.ms = chance.integers(1, 1000, (len(BANDS), *coarse)).astype(np.float32)
        self.valid = np.ones(shape, bool)
        self.grid, self.ratio, self.block = SimpleNamespace(shape=shape), ratio, block
        self.bands, self.dtype, self.windows = BANDS, "uint16", []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def again(self):
        return self

    def read(self, window):
        self.windows.append(window)
        (top, bottom), (left, right) = window.toranges()
        assert top % self.ratio == left % self.ratio == bottom % self.ratio == right % self.ratio == 0
        height, width = self.grid.shape
        beyond = ((0, max(bottom - height, 0)), (0, max(right - width, 0)))
        here, ratio = np.s_[..., top:bottom, left:right], self.ratio
        coarse = np.s_[..., top // ratio : bottom // ratio, left // ratio : right // ratio]
        ms = self.ms[coarse]
        missing = (bottom - top) // ratio - ms.shape[1], (right - left) // ratio - ms.shape[2]
        return PanMsSample(
            pan=np.pad(self.pan[here], ((0, 0), *beyond), mode="reflect"),
            ms=np.pad(ms, ((0, 0), *((0, each) for each in missing)), mode="reflect"),
            valid=np.pad(self.valid[here], beyond),
        )


def sharpened(pair, awake, settings=CROP):
    """Pixels and validity of the whole, from strips that follow each other."""
    strips = list(sharpen_strips(pair, awake, settings))
    heights = [strip.pixels.shape[1] for strip in strips]
    assert [strip.top for strip in strips] == list(np.cumsum([0, *heights])[:-1])
    pixels = np.concatenate([strip.pixels for strip in strips], axis=1)
    valid = np.concatenate([strip.valid for strip in strips])
    assert pixels.shape == (len(BANDS), *pair.grid.shape)
    assert pixels.dtype == np.float32
    assert valid.shape == pair.grid.shape
    return pixels, valid


def whole(pair, awake):
    """All at one look; at sides that are no multiple of the ratio, the edge pixel goes on as far as ms does."""
    (height, width), (rows, columns) = pair.grid.shape, pair.ms.shape[1:]
    beyond = (0, rows * pair.ratio - height), (0, columns * pair.ratio - width)
    pan = np.pad(pair.pan, ((0, 0), *beyond), mode="edge")
    scaled = (torch.from_numpy(each / np.float32(DIVISOR))[None] for each in (pan, pair.ms))
    with torch.inference_mode():
        return awake.network(*scaled)[0, :, :height, :width].numpy() * np.float32(DIVISOR)


SHAPES = [(128, 96), (130, 117), (SIZE, SIZE), (SIZE + 1, 3 * SIZE + 3), (400, SIZE + 2)]


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block", [(1, 117), (10, 10), (256, 256)])
def test_patches_that_are_cut_where_they_meet_make_what_one_look_makes(shape, ratio, block):
    pair, awake = Pair(shape, ratio, block=block), predictor(lambda: Convolution(ratio), ratio)
    pixels, valid = sharpened(pair, awake)
    assert valid.all()
    np.testing.assert_allclose(pixels, whole(pair, awake), rtol=1e-5, atol=1e-2)


def test_patches_without_a_halo_do_not():
    pair, awake = Pair((130, 117)), predictor(lambda: Convolution(4))
    pixels, _ = sharpened(pair, awake, SharpenSettings(blend="crop", overlap=0))
    assert np.abs(pixels - whole(pair, awake)).max() > 10


def test_patches_may_be_larger_than_the_bundle_says():
    pair, network = Pair((130, 117)), Convolution(4)
    awake = predictor(lambda: network)
    pixels, _ = sharpened(pair, awake, SharpenSettings(patch=70, blend="crop"))  # 72: a multiple of the ratio
    assert network.patches == 4
    np.testing.assert_allclose(pixels, whole(pair, awake), rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("blend", ["hann", "gaussian", "crop"])
@pytest.mark.parametrize(("overlap", "readers"), [(None, 1), (6, 3)])
def test_blended_patches_are_the_scene_in_digital_numbers(blend, overlap, readers):
    pair = Pair((131, 90), block=(16, 16))
    settings = SharpenSettings(overlap=overlap, blend=blend, readers=readers)
    pixels, _ = sharpened(pair, predictor(lambda: Local(4)), settings)
    near = pair.ms.repeat(4, 1).repeat(4, 2)[:, :131, :90]
    np.testing.assert_allclose(pixels, pair.pan + near, rtol=1e-5)


def test_a_scene_smaller_than_a_patch_is_sharpened_as_far_as_it_goes():
    pair = Pair((21, 10))
    pixels, valid = sharpened(pair, predictor(lambda: Local(4)))
    assert valid.all()
    np.testing.assert_allclose(pixels, pair.pan + pair.ms.repeat(4, 1).repeat(4, 2)[:, :21, :10], rtol=1e-5)


def cf2n(ratio):
    torch.manual_seed(1)
    network = build_sharpener({"name": "cf2n", "channels": 4, "stages": 1}, len(BANDS), ratio)
    nn.init.normal_(network.project.weight, std=0.1)
    return network


@pytest.mark.parametrize("ratio", [2, 4])
def test_cf2n_sees_a_patch_as_it_saw_those_it_learnt_from(ratio):
    pair, awake = Pair((SIZE, SIZE), ratio), predictor(lambda: cf2n(ratio), ratio)
    pixels, _ = sharpened(pair, awake)
    np.testing.assert_allclose(pixels, whole(pair, awake), rtol=1e-4, atol=0.05)
    assert pixels.std() > 100


def test_a_flat_scene_stays_flat_where_patches_of_cf2n_are_cut_and_meet():
    pair, awake = Pair((90, 110)), predictor(lambda: cf2n(4), patch={"size": SIZE, "halo": 12})
    pair.pan[:], pair.ms[:] = 500, 400

    def roughest(settings):
        return np.ptp(sharpened(pair, awake, settings)[0][:, 16:-16, 16:-16], (1, 2)).max()

    assert roughest(CROP) < 1e-3
    assert roughest(SharpenSettings(blend="crop", overlap=0)) > 1


def test_pixels_without_data_are_told_and_are_no_edge_to_the_others():
    pair, awake = Pair((120, 100)), predictor(lambda: Convolution(4))
    pair.pan[:], pair.ms[:] = 500, 400
    without, _ = sharpened(pair, awake)
    hole = np.s_[..., 41:63, 30:55]
    pair.valid[hole] = False
    pair.pan[hole] = pair.ms[:, 11:15, 8:13] = 0  # what no pixel with data lies in
    pixels, valid = sharpened(pair, awake)
    np.testing.assert_array_equal(valid, pair.valid)
    np.testing.assert_allclose(pixels[:, valid], without[:, valid], rtol=1e-5)


def test_patches_without_data_are_not_sharpened():
    network, pair = Convolution(4), Pair((96, 96))
    pair.valid[:70] = False
    told = []
    settings = SharpenSettings(overlap=0)
    list(sharpen_strips(pair, predictor(lambda: network), settings, lambda *at: told.append(at)))
    assert network.patches == 3
    assert told[-1] == (9, 9)


def test_a_taller_scene_is_not_read_farther_ahead():
    def ahead(height):
        pair, lead = Pair((height, 40), block=(32, 40)), 0
        strips = sharpen_strips(pair, predictor(lambda: Convolution(4)), CROP)
        pair.windows.clear()  # those that the check looked at
        for strip in strips:
            lead = max(lead, max(window.toranges()[0][1] for window in pair.windows) - strip.top)
        return lead

    assert ahead(1500) == ahead(3000) < 700


def test_every_block_is_read_once_and_whole():
    pair = Pair((1030, 1100), block=(256, 128))
    strips = sharpen_strips(pair, predictor(lambda: Convolution(4)), CROP)
    pair.windows.clear()
    list(strips)
    times = np.zeros((1032, 1100), int)
    for window in pair.windows:
        times[window.toslices()] += 1
        assert window.row_off % 256 == window.col_off % 128 == 0
    assert (times == 1).all()


def refused(awake, pair, told):
    with pytest.raises(BundleError, match=re.escape(told)) as caught:
        sharpen_strips(pair, awake)  # before a row is asked for
    assert "gsa" in caught.value.hint


def test_what_the_bundle_cannot_sharpen_is_refused_with_the_numbers():
    awake = predictor(lambda: Local(4))
    pair = Pair((64, 64))
    pair.bands = ("a", "b")
    refused(awake, pair, "raster are read (a, b), bundle untrained sharpens 3 (red, green, blue)")
    refused(awake, Pair((64, 64), 2), "2 x 2 panchromatic ones, bundle untrained was trained at 4 x 4")
    pair = Pair((64, 64))
    pair.dtype = "uint8"
    refused(awake, pair, "uint8, which holds numbers up to 255; bundle untrained was taught with numbers up to 1023")
    pair = Pair((640, 640))
    pair.ms[:, 70:, 70:] = 9000
    refused(awake, pair, "numbers up to 9000; bundle untrained was taught with numbers up to 1023")


def test_a_scene_of_reflectances_is_warned_of(caplog):
    pair = Pair((64, 64))
    pair.pan /= 1000
    pair.ms /= 1000
    with caplog.at_level(logging.WARNING):
        sharpen_strips(pair, predictor(lambda: Local(4)))
    assert "the largest number found in the scene is 0.999" in caplog.text


def test_two_files_are_sharpened_with_their_own_sides_and_nodata(tmp_path):
    pair = Pair((130, 117))
    pair.pan[:, :20, :9] = pair.ms[:, :5, :2] = 0
    for name, pixels, gsd in (("pan", pair.pan, 1), ("ms", pair.ms, 4)):
        count, height, width = pixels.shape
        place = {"crs": "EPSG:32650", "transform": Affine(gsd, 0, 500_000, 0, -gsd, 4_000_000), "nodata": 0}
        size = {"count": count, "height": height, "width": width, "dtype": "uint16"}
        with rasterio.open(tmp_path / f"{name}.tif", "w", driver="GTiff", **size, **place) as file:
            file.write(pixels.astype(np.uint16))
    with PanMsScene(tmp_path / "pan.tif", tmp_path / "ms.tif") as scene:
        pixels, valid = sharpened(scene, predictor(lambda: Local(4)))
    wanted = pair.pan + pair.ms.repeat(4, 1).repeat(4, 2)[:, :130, :117]
    assert (valid == (pair.pan[0] > 0)).all()
    np.testing.assert_allclose(pixels[:, valid], wanted[:, valid], rtol=1e-5)
