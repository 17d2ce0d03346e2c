"""`rsfuse export` writes a bundle that `rsfuse info` and others take for one, and says how good it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from rsfuse.learn.bundles import land_cover as bundles
from rsfuse.learn.bundles.exported import Agreement, Exported
from rsfuse.learn.bundles.land_cover import Bundle, PatchSize, save_bundle
from rsfuse.learn.export.agreement import Measured
from rsfuse.tasks import export as task
from rsfuse.tasks.export import ExportReport, ExportSettings, Images
from rsfuse_models import FusionNetwork


class Pixelwise(FusionNetwork):
    """A graph of it is written in a second."""

    def __init__(self):
        super().__init__(optical_channels=3, sar_channels=1, multiple=1)
        self.mix = nn.Conv2d(4, 5, 1)

    def score(self, optical, sar):
        return self.mix(torch.cat([optical, sar], 1))

    def score_training(self, optical, sar):
        raise NotImplementedError


@pytest.fixture
def quick(bundle, monkeypatch):
    """The bundle in the current folder, of another network than it says."""
    monkeypatch.setattr(bundles, "build_network", lambda *_: Pixelwise())
    found = Bundle.open(bundle)
    save_bundle(bundle, found.manifest, Pixelwise().state_dict(), storage="float32", card=found.card)


@pytest.fixture
def asked(monkeypatch):
    """What the command asks of its task, which answers at once: two patches, and a hundredth of pixels differ."""
    asked = {}

    def answer(bundle, folder, settings, stages):
        told = settings.images.scene or "noise"
        agreement = Agreement(samples=str(told), patches=2, largest_error=2e-3, differing=0.01)
        exported = Exported(precision=settings.precision, opset=18, patch_bytes=None, agreement=agreement)
        asked.update(bundle=bundle, folder=folder, settings=settings)
        measured = Measured(2e-3, 0.01, 4e-5, (0.5, 0.4))
        patch = PatchSize(size=50, halo=8)
        return ExportReport(folder, bundle, "pad", patch, 64, exported, measured, (3 * 10**6, 6 * 10**6), 7.0)

    monkeypatch.setattr(task, "export", answer)
    return asked


def test_what_is_exported_is_a_bundle_that_info_tells_without_torch(rsfuse, quick, tmp_path):
    result = rsfuse("export", "bundle", "-o", "onnx", "--patch", "32", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["output"], told["patch"], told["precision"], told["samples"]) == ("onnx", 32, "float32", "noise")
    assert told["differing"] <= 0.001
    assert "no real image was looked at" in result.stderr

    found = json.loads(rsfuse("info", "onnx", "--json").stdout)
    assert (found["runtime"], found["precision"], found["patch"]["size"]) == ("onnxruntime", "float32", 32)
    assert found["megabytes"] == pytest.approx((tmp_path / "onnx/network.onnx").stat().st_size / 1e6, abs=1e-3)
    assert "CPUExecutionProvider" in found["providers"]
    assert found["onnx"]["agreement"]["patches"] == told["patches"]
    code = "import sys; from rsfuse.tasks.info import info; info('onnx'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)

    again = rsfuse("export", "onnx", "-o", "twice")
    assert again.exit_code == 2
    assert "is exported already" in again.stderr
    taken = rsfuse("export", "bundle", "-o", "onnx")
    assert taken.exit_code == 2
    assert "--overwrite" in taken.stderr


def test_info_of_a_bundle_of_torch_tells_its_runtime(rsfuse, bundle):
    found = json.loads(rsfuse("info", "bundle", "--json").stdout)
    assert (found["runtime"], found["precision"]) == ("torch", "float32")
    table = rsfuse("info", "bundle").stdout
    for word in ("runtime", "precision", "megabytes", "providers"):
        assert word in table
    assert found["providers"] is None  # torch has none


def test_providers_are_none_where_onnxruntime_is_not_installed(rsfuse, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "rsfuse.learn.runtimes.session", raising=False)
    assert json.loads(rsfuse("info", "sentinel-10m-onnx", "--json").stdout)["providers"] is None


def test_the_table_has_every_figure(rsfuse, asked):
    result = rsfuse("export", "sentinel-10m", "-o", "onnx", "--precision", "float16", "--scene", "a.tif")
    assert result.exit_code == 0, result.stderr
    for word in ("onnx, exported from sentinel-10m", "pad", "50 px", "float16", "6.0 MB", "3.0 MB", "18", "2 patches"):
        assert word in result.stdout
    for word in ("a.tif", "2.0e-03", "1.0000%", "4.0e-05", "0.5000, 0.4000", "7.0"):
        assert word in result.stdout
    assert "pads patches of 50 px to 64 px" in result.stderr
    assert "no real image" not in result.stderr


def test_options_arrive(rsfuse, asked):
    options = ("--precision", "int8", "--patch", "50", "--tolerance", "0.02", "--overwrite")
    assert rsfuse("export", "pad", "-o", "onnx", *options, "--scene", "a.tif", "--sar", "b.tif").exit_code == 0
    assert (asked["bundle"], asked["folder"]) == ("pad", Path("onnx"))
    images = Images(scene=Path("a.tif"), sar=Path("b.tif"))
    assert asked["settings"] == ExportSettings("int8", 50, images, 0.02, overwrite=True)
    assert rsfuse("export", "cf2n", "-o", "onnx", "--scene", "a.tif", "--ms", "b.tif").exit_code == 0
    assert asked["settings"] == ExportSettings(images=Images(scene=Path("a.tif"), ms=Path("b.tif")))
    assert rsfuse("export", "pad", "-o", "onnx", "--tiles", "tiles").exit_code == 0
    assert asked["settings"].images == Images(tiles=Path("tiles"))


def test_noise_is_warned_of_however_quiet(rsfuse, asked):
    result = rsfuse("export", "pad", "-o", "onnx", "-q", "--json")
    assert "no real image was looked at" in result.stderr
    assert "pads patches" not in result.stderr
    assert json.loads(result.stdout)["miou"] == {"torch": 0.5, "onnx": 0.4}


@pytest.mark.parametrize(
    "mistake", [("--precision", "float8"), ("--patch", "0"), ("--tolerance", "2"), ("--tiles", "t", "--scene", "s.tif")]
)
def test_mistakes_end_with_2(rsfuse, bundle, tmp_path, mistake):
    result = rsfuse("export", "bundle", "-o", "onnx", *mistake)
    assert (result.exit_code, result.stdout) == (2, "")
    assert not (tmp_path / "onnx").exists()


def test_a_bundle_that_is_not_there_is_told(rsfuse):
    result = rsfuse("export", "nothing", "-o", "onnx")
    assert result.exit_code == 2
    assert "there is no bundle 'nothing'" in result.stderr
