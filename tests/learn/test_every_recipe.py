"""Every recipe that ships: its launch lines run on its data set in miniature, and the network takes a real step."""

import functools
import re
import shlex
from pathlib import Path

import lightning as pl
import numpy as np
import pytest
import rasterio
import torch
import typer
from typer.testing import CliRunner

from rsfuse.cli import app
from rsfuse.learn.bundles.land_cover import Bundle, build_network
from rsfuse.learn.fitting.fit import fit
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.optimizers import parameter_groups
from rsfuse.learn.fitting.subjects import subject_of
from rsfuse.learn.recipes.reading import load_recipe, read_recipe_text, recipe_names
from rsfuse.legends import LEGENDS
from rsfuse_models.layers.pretrained import without_pretrained

NAMES = [name for name in recipe_names() if not name.startswith("cf2n_")]  # sharpening: test_sharpening_fit.py
WITHOUT_TILES = ("pad_demo", "pad_sentinel-10m")  # they say "rsfuse train" alone
SIDE, SHRUNK = 64, 4  # of a tile; windows of pixels are this much smaller than in the header

RESNET = ("network.channels=8", "network.aux_channels=8", "network.pretrained=none")
OF_STAGES = ("network.encoder=test_resnet", "network.stages=[1, 2]", "network.aux_stage=1", *RESNET)
SMALL = {
    "early-fusion": ("network.encoder=tu-test_resnet", "network.pretrained=none"),
    "f2net": (
        *("network.width=8", "network.groups=2", "network.depths=[1, 1, 1, 1]", "network.dims=[8, 16, 24, 32]"),
        *("network.state=8", "network.short_width=8", "network.vit_layers=1", "network.vit_dim=24", "network.fused=16"),
    ),
    "late-fusion": OF_STAGES,
    "mfafnet": ("network.widths=[8, 16]", "network.low_shares=[0.25, 0.5]", "network.heads=[1, 2]"),
    "pad": OF_STAGES,
    "whfnet": (
        *("network.optical_encoder=test_resnet", "network.sar_encoder=test_resnet", "network.optical_window=null"),
        *RESNET,
    ),
}
ONE_STEP = ("training.steps=1", "training.validate_every=1", "training.batch=2", f"training.crop={SIDE // 2}")
NO_HALF = ("training.halo=8", "storage=float32")

every_recipe = pytest.mark.parametrize("name", NAMES)


def launch_lines(name):
    """The commands in the comment on top, each as its words."""
    comment = read_recipe_text(name).split("\ndescription:")[0]
    lines = re.findall(r"^#   rsfuse (.+)", re.sub(r" \\\n# +", " ", comment), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def options(words):
    """What the command line makes of a launch line."""
    command = typer.main.get_command(app).commands[words[0]]
    return command.make_context(words[0], words[1:]).params


def cut_lines(name):
    if name == "pad_sentinel-10m":
        return cut_lines("pad_porto-alegre")
    if name == "pad_demo":  # like the simulated scenes: four optical bands, one of SAR
        return [shlex.split("tile --dataset whu-opt-sar WHU-OPT-SAR/ -o tiles/simulated")]
    return [words for words in launch_lines(name) if words[0] == "tile"]


@pytest.fixture(scope="module")
def world(publisher, repository, tmp_path_factory):
    """A folder with every data set that a header names, in miniature, under the name that it has there."""
    root = tmp_path_factory.mktemp("world")
    names = [f"NH{number}" for number in range(6)]
    publisher(root / "WHU-OPT-SAR").whu(names, size=(SIDE, SIDE))
    publisher(root / "DDHR").ddhr(names, "korea/256_cloud", SIDE)
    publisher(root / "DDHR").ddhr(names, "Xian/128", SIDE)
    pie, yyx = publisher(root / "PIE-RGB-SAR"), publisher(root / "YYX-OPT-SAR")
    globe, inria, dubai = (publisher(root / name) for name in ("DeepGlobe", "Inria", "dubai"))
    for name in names:
        pie.triple(("rgb", "sar", "label"), name, range(6), bands=(3, 1), size=SIDE)
        yyx.triple(("optical", "sar", "label"), name, range(7), bands=(3, 1), size=SIDE)
        globe.picture(f"{name}_sat.jpg", 3, SIDE)
        globe.colors(f"{name}_mask.png", colors_of("deepglobe"), SIDE)
        inria.picture(f"AerialImageDataset/train/images/{name}.tif", 3, SIDE)
        inria.codes(f"AerialImageDataset/train/gt/{name}.tif", (0, 255), SIDE)
    for area in (1, 2, 3, 4, 5, 7):
        dubai.picture(f"Tile {area}/images/part.jpg", 3, SIDE)
        dubai.colors(f"Tile {area}/masks/part.png", colors_of("dubai"), SIDE)
    terramesh = publisher(root / "terramesh_chips")
    for name in names:
        terramesh.triple(("S2L2A", "S1RTC", "LULC"), name, range(10), bands=(12, 2), size=SIDE)
    city = publisher(root)
    for kind, bands in (("s2_rgb", 3), ("s1_vv_vh", 2)):
        city.picture(f"{kind}_preflood.tif", bands, (2560 // SHRUNK, 1536 // SHRUNK)).rename(root / f"{kind}.tif")
    city.codes("labels_preflood.tif", range(5), (2560 // SHRUNK, 1536 // SHRUNK)).rename(root / "labels.tif")
    for kind in ("s2_rgb", "s1_vv_vh", "labels"):
        lay_over_each_other(root / f"{kind}.tif", root / f"{kind}_preflood.tif")
    (root / "benchmarks").symlink_to(repository / "benchmarks")
    return root


def colors_of(legend):
    return [each.color for each in LEGENDS[legend].classes]


def lay_over_each_other(source, target):
    """The publisher lays files of different names far apart."""
    with rasterio.open(source) as file:
        profile, pixels = file.profile, file.read()
    profile["transform"] = rasterio.Affine(10, 0, 500_000, 0, -10, 4_000_000)
    with rasterio.open(target, "w", **profile) as file:
        file.write(pixels)


def tiled(name):
    """Folders that the header's own `rsfuse tile` lines make, with small tiles."""
    folders = []
    for words in cut_lines(name):
        folder = Path(words[words.index("-o") + 1])
        if "--window" in words:
            first = words.index("--window") + 1
            words[first : first + 4] = [str(int(number) // SHRUNK) for number in words[first : first + 4]]
        if not folder.exists():  # another recipe's line has made it
            done = CliRunner().invoke(app, [*words, "--size", str(SIDE), "--val", "0.3"])
            assert done.exit_code == 0, done.output
        folders.append(folder)
    return folders


@every_recipe
def test_the_launch_lines_are_commands_that_fit_together(name):
    lines = launch_lines(name)
    (train,) = [options(words) for words in lines if words[0] == "train"]
    cut = [options(words)["out"] for words in lines if words[0] == "tile"]
    assert train["recipe"] == name
    assert train["out"] == Path("runs") / (train["out"].name if name in WITHOUT_TILES else name)
    assert name in WITHOUT_TILES or train["tiles"] == cut
    for words in lines:
        if words[0] == "eval":
            assert (Path(options(words)["bundle"]), [options(words)["tiles"]]) == (train["out"], train["tiles"])


@every_recipe
def test_the_header_says_what_score_to_expect_or_whose_recipe_it_is(name):
    assert re.search(r"^# (Published|Expected)|^# Ours, not a published", read_recipe_text(name), re.MULTILINE)


@every_recipe
def test_a_small_network_takes_a_real_step_on_tiles_of_the_launch_lines(name, world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    network = load_recipe(name).network
    settings = [each for each in SMALL[network["name"]] if "stages" in network or "stage" not in each]
    recipe = load_recipe(name, [*settings, *ONE_STEP, *NO_HALF])
    means = FitMeans(device="cpu")
    subject = subject_of(recipe, tiled(name), means)
    pl.seed_everything(recipe.training.seed, verbose=False)
    before = subject.module().network.state_dict()
    report = fit(subject, tmp_path / "run", means)
    after = Bundle.open(report.folder).network().state_dict()
    learnt = [key for key, weight in before.items() if weight.is_floating_point() and "running" not in key]
    assert report.step == 1
    assert np.isfinite(list(report.scores.values())).all()
    assert all(weight.isfinite().all() for weight in after.values())
    assert any(not torch.equal(before[key], after[key]) for key in learnt)


@functools.cache
def full_size(name):
    recipe = load_recipe(name)
    with torch.device("meta"):
        return recipe, build_network(without_pretrained(recipe.network), recipe.inputs, 7)


@every_recipe
def test_every_network_can_be_built_as_its_recipe_says(name):
    _, network = full_size(name)
    assert sum(weight.numel() for weight in network.parameters()) > 1e5


# totals that follow from the published configurations: two encoders, fusion, heads
@pytest.mark.parametrize(("name", "millions"), [("pad_whu-opt-sar", 440.6), ("whfnet_whu-opt-sar", 144.5)])
def test_published_networks_have_their_published_size(name, millions):
    _, network = full_size(name)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("whfnet_") and "porto" not in name])
def test_whfnet_learns_each_stage_at_the_published_rate(name):
    recipe, network = full_size(name)
    names = {id(weight): key for key, weight in network.named_parameters()}
    seen = set()
    for group in parameter_groups(recipe.optimizer, network):
        for weight in group["params"]:
            key = names[id(weight)]
            found = re.search(r"encoder\.trunk\.(?:stages|layers)_(\d)", key)
            place = int(found[1]) + 1 if found else 0 if re.search(r"encoder\.trunk\.(stem|patch_embed)", key) else 7
            if "encoder.norms" not in key:  # ours
                assert group["lr"] == pytest.approx(1e-4 * 0.9 ** (7 - place)), key
            assert group["weight_decay"] == (0.05 if weight.ndim > 1 else 0), key
            seen.add(place)
    assert seen == {0, 1, 2, 3, 4, 7}


def test_two_sources_of_one_normalisation_agree_band_by_band():
    pad, whfnet = (load_recipe(f"{each}_whu-opt-sar").inputs for each in ("pad", "whfnet"))
    assert pad.optical == whfnet.optical == ("red", "green", "blue")
    np.testing.assert_allclose(pad.scaling.optical.mean, whfnet.scaling.optical.mean, atol=0.01)
    np.testing.assert_allclose(pad.scaling.optical.std, whfnet.scaling.optical.std, atol=0.05)
    np.testing.assert_allclose(pad.scaling.sar.std, whfnet.scaling.sar.std, atol=0.05)
