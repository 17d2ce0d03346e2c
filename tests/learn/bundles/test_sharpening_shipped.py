"""Which of the bundles that ship sharpens a sensor's images."""

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsfuse.learn.bundles import files as bundle_files
from rsfuse.learn.bundles.sharpening import SharpeningManifest, build_sharpener, save_sharpening_bundle, shipped_for

BANDS = ("blue", "green", "red")
NETWORK = {"name": "cf2n", "channels": 4, "stages": 1}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of bundles with one that sharpens Gaofen-2, and adds 7 of 1023 to what it interpolates."""
    folder = tmp_path / "bundles"
    network = build_sharpener(NETWORK, len(BANDS), 4)
    torch.nn.init.constant_(network.project.bias, 7 / 1023)
    manifest = SharpeningManifest(
        description="a test's",
        network=NETWORK,
        inputs={"ms": BANDS, "divisor": 1023},
        ratio=4,
        maximum=1023,
        patch={"size": 64, "halo": 16},
        sensors=("gf2",),
        trained_on=("nothing",),
        scores={},
    )
    save_sharpening_bundle(folder / "cf2n-gf2", manifest, network.state_dict(), storage="float32")
    monkeypatch.setattr(bundle_files, "bundles_folder", lambda: folder)


@pytest.fixture
def pair(tmp_path):
    """A flat scene of 300."""
    paths = tmp_path / "pan.tif", tmp_path / "ms.tif"
    for path, count, side, gsd_m in zip(paths, (1, 3), (128, 32), (1.0, 4.0), strict=True):
        place = {"crs": "EPSG:32650", "transform": Affine(gsd_m, 0, 4e5, 0, -gsd_m, 4e6)}
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=side, width=side, dtype="uint16", **place
        ) as file:
            file.write(np.full((count, side, side), 300, np.uint16))
    return paths


@pytest.mark.parametrize(
    ("sensor", "bands", "ratio", "name"),
    [("gf2", 3, 4, "cf2n-gf2"), ("gf1", 3, 4, None), ("gf2", 4, 4, None), ("gf2", 3, 2, None)],
)
def test_a_bundle_fits_by_sensor_bands_and_ratio(shipped, sensor, bands, ratio, name):
    found = shipped_for(sensor, bands, ratio)
    assert (found and found.name) == name


@pytest.mark.parametrize(("sensor", "method", "level"), [("gf2", "cf2n-gf2", 307), ("gf1", "gsa", 300)])
def test_by_default_the_bundle_that_fits_sharpens_or_else_gsa(shipped, pair, tmp_path, sensor, method, level):
    from typer.testing import CliRunner

    from rsfuse.cli import app

    out = tmp_path / "sharp.tif"
    told = CliRunner().invoke(app, ["pansharpen", *map(str, pair), "-o", str(out), "--sensor", sensor])
    assert told.exit_code == 0, told.output
    assert f"{method}:" in told.output
    with rasterio.open(out) as file:
        assert (file.count, file.shape, file.dtypes[0]) == (3, (128, 128), "uint16")
        assert (file.read() == level).all()
