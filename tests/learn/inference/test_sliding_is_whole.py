"""Patches that slide over a scene make the map that one look at all of it makes, where the halo covers what they see.

The network is a stack of convolutions that fill up with zeros at the edges of what they are given. The outer patches
end where the scene ends, so both ways see the same zeros there. A patch that ends inside the scene sees zeros in place
of its neighbours, and its scores are others as far inwards as the network looks around.
"""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import nn

from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.land_cover import Bundle, BundleManifest, PatchSize
from rsfuse.learn.recipes.inputs import Inputs, PercentileScaling
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict

LEGEND = LEGENDS["sentinel-5"]
SIZE, REACH = 48, 4  # px; four convolutions of 3 x 3 look 4 px around


class WholeNumbers(nn.Module):
    """Convolutions whose sums are rounded to whole numbers: in whatever order they are added up, they are the same."""

    def __init__(self):
        super().__init__()
        chance = torch.Generator().manual_seed(0)
        self.layers = nn.ModuleList()
        for before, after in ((4, 6), (6, 6), (6, 6), (6, len(LEGEND))):
            layer = nn.Conv2d(before, after, 3, padding=1)
            layer.weight.data = torch.randint(-2, 3, layer.weight.shape, generator=chance).float()
            layer.bias.data = torch.randint(1, 6, layer.bias.shape, generator=chance).float()
            self.layers.append(layer)

    def forward(self, optical, sar):
        pixels = (4 * torch.cat([optical, sar], 1)).round()
        for layer in self.layers:
            pixels = layer(pixels).round() % 16  # small, and every one of them matters
        return pixels / 4


class Untrained(Bundle):
    """A bundle without a folder."""

    def network(self):
        return WholeNumbers().eval()


BUNDLE = Untrained(
    Path("untrained"),
    BundleManifest(
        description="whole numbers",
        network={"name": "whole numbers"},
        inputs=Inputs(
            optical=("red", "green", "blue"), sar=("vh",), scaling=PercentileScaling(kind="scene-percentiles")
        ),
        statistics=None,
        legend=LEGEND.to_dict(),
        patch=PatchSize(size=SIZE, halo=REACH),
        gsd_m=10.0,
        trained_on=(),
        scores={},
    ),
)


@pytest.fixture
def mapped(tmp_path):
    """A function that maps noise of some size with a hole in it, and gives classes and probabilities."""

    def run(shape, *, whole=False, **settings):
        pixels = np.random.default_rng(1).integers(1, 250, (4, *shape), np.uint8)
        pixels[:, 20:100, 30:90] = 0  # larger than a patch, some of which are wholly inside
        paths = [tmp_path / "optical.tif", tmp_path / "sar.tif"]
        for path, bands in zip(paths, (pixels[:3], pixels[3:]), strict=True):
            write(path, bands)
        settings = PredictSettings(probabilities="float16", overwrite=True, **settings)
        with Scene(*paths) as scene:
            report = predict(scene, EagerPredictor(BUNDLE, device="cpu", whole=whole), tmp_path / "map.tif", settings)
        assert not whole or report.patches == 1
        return read(tmp_path / "map.tif")[0], read(tmp_path / "map_probabilities.tif")

    return run


def write(path, pixels):
    count, height, width = pixels.shape
    place = {"crs": "EPSG:32650", "transform": Affine(10, 0, 500_000, 0, -10, 4_000_000), "nodata": 0}
    size = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **size, **place) as file:
        file.write(pixels)


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def sees_all(plan):
    """(H, W), true where every patch that covers a pixel sees all that a look at the whole scene sees from there."""
    height, width = plan.shape
    reached = np.ones(plan.shape, bool)
    for patch in plan:
        top, left = int(patch.read.row_off), int(patch.read.col_off)
        for row in range(top, min(top + SIZE, height)):
            for column in range(left, min(left + SIZE, width)):
                above, below = max(row - REACH, 0), min(row + REACH, height - 1)
                before, after = max(column - REACH, 0), min(column + REACH, width - 1)
                inside = top <= above and below < top + SIZE and left <= before and after < left + SIZE
                reached[row, column] &= inside
    return reached


SHAPES = [(130, 117), (SIZE, SIZE), (SIZE, 2 * SIZE + 1), (SIZE + 1, SIZE + 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlap", [2 * REACH, SIZE - 8])
def test_with_a_halo_as_wide_as_the_network_looks_the_map_is_that_of_the_whole_on_every_pixel(mapped, shape, overlap):
    codes, scores = mapped(shape, overlap=overlap, blend="crop", batch_size=3)
    whole_codes, whole_scores = mapped(shape, whole=True)
    np.testing.assert_array_equal(codes, whole_codes)
    np.testing.assert_allclose(scores, whole_scores, atol=1e-3)  # of their last bit, the softmax may change one
    assert len(np.unique(codes[codes != NODATA])) == len(LEGEND)


@pytest.mark.parametrize("overlap", [0, 2 * (REACH - 1)])
def test_with_a_halo_of_a_pixel_less_it_is_not(mapped, overlap):
    codes, _ = mapped((130, 117), overlap=overlap, blend="crop")
    whole, _ = mapped((130, 117), whole=True)
    assert (codes != whole).any()


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
def test_blended_patches_are_the_whole_but_where_one_of_them_ends_close_by(mapped, blend):
    shape, overlap = (130, 117), 2 * REACH + 8
    _, scores = mapped(shape, overlap=overlap, blend=blend)
    _, whole_scores = mapped(shape, whole=True)
    sees = sees_all(Plan.sliding(*shape, size=SIZE, halo=overlap // 2))
    assert 0.5 < sees.mean() < 0.9
    np.testing.assert_allclose(scores[:, sees], whole_scores[:, sees], atol=1e-3)
    differ = np.abs(scores - whole_scores)[:, ~sees]
    assert np.nanmax(differ) > 0.02  # an end that is blended is softer, but it is there


def test_a_scene_smaller_than_a_patch_is_mirrored_and_differs_from_the_whole_at_the_ends_it_hangs_over(mapped):
    height, width = SIZE - 10, SIZE - 20
    codes, _ = mapped((height, width), blend="crop")
    whole, _ = mapped((height, width), whole=True)
    inner = np.s_[: height - REACH, : width - REACH]  # it hangs over below and on the right
    np.testing.assert_array_equal(codes[inner], whole[inner])
    assert (codes != whole).any()
