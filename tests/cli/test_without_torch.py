"""An install without torch does all that needs no network, and says in two lines what the rest takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from affine import Affine

from rsfuse.cli.app import app
from rsfuse.cli.extras import EXTRAS

COMMANDS = sorted(command.name for command in app.registered_commands)

# Python runs this at its start, also in processes that a command starts: modules and packages as if never installed
HIDE = """
import os, sys
from importlib.machinery import PathFinder

HIDDEN = set(os.environ["HIDDEN"].split())

class Without(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.partition(".")[0] in HIDDEN else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, *context):
        found = super().find_distributions(*context)
        return (each for each in found if each.name.lower().replace("-gpu", "").replace("-", "_") not in HIDDEN)

sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""
RUN = """
import json, sys, traceback
from typer.testing import CliRunner
from rsfuse.cli import app

def run(arguments):
    done = CliRunner().invoke(app, arguments)
    told = "".join(traceback.format_exception(done.exception)) if done.exit_code == 1 else ""
    return {"code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr + told}

print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)]))
"""


@pytest.fixture
def run_without(repository, tmp_path_factory, tmp_path):
    """Run commands, one after the other in one process, without some modules."""
    hook = tmp_path_factory.mktemp("hook")
    (hook / "sitecustomize.py").write_text(HIDE)

    def run(modules, *commands, path=""):
        roots = [hook, repository, repository / "models", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = os.environ | {
            "HIDDEN": " ".join(modules),
            "PYTHONPATH": os.pathsep.join(str(each) for each in roots if str(each)),
            "PATH": os.pathsep.join(filter(None, [path, os.environ["PATH"]])),
            "COLUMNS": "200",
        }
        asked = json.dumps([command.split() for command in commands])
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            input=asked,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [SimpleNamespace(**each) for each in json.loads(done.stdout)]

    return run


@pytest.fixture
def files(raster, tmp_path):
    """Two rasters of a place and labels; a panchromatic one and its multispectral one."""
    chance = np.random.default_rng(0)
    raster("optical.tif", side=128)
    raster("sar.tif", bands=1, side=128)
    raster("labels.tif", values=chance.integers(0, 5, (1, 128, 128), np.uint8))
    finer = Affine(2.5, 0, 500_000, 0, -2.5, 4_000_000)
    raster("pan.tif", values=chance.integers(1, 2047, (1, 256, 256), np.uint16), transform=finer)
    raster("ms.tif", values=chance.integers(1, 2047, (4, 64, 64), np.uint16))
    return tmp_path


WORKS = (
    *(f"{command} --help" for command in COMMANDS),
    "--version",
    "recipes",
    "recipes --json",
    "recipes pad_demo",
    "bundles",
    "bundles --json",
    "bundles sentinel-10m",
    "info sentinel-10m",
    "info optical.tif",
    "doctor",
    "tile optical.tif --sar sar.tif --labels labels.tif --legend sentinel-5 --size 32 -o tiles",
    "info tiles",
    "tile --wald pan.tif ms.tif --size 16 -o patches",
    "mosaic optical.tif optical.tif -o region.tif",
    "pansharpen pan.tif ms.tif -o sharp.tif",
    "eval labels.tif labels.tif --legend sentinel-5 --report scores.html",
    "eval --sharpening sharp.tif --pan pan.tif --ms ms.tif",
)


def test_what_needs_no_network_works_without_torch(run_without, files):
    missing = (*EXTRAS["full"], *EXTRAS["runtime"])
    answers = dict(zip(WORKS, run_without(missing, *WORKS), strict=True))
    assert {command: answer.stderr for command, answer in answers.items() if answer.code} == {}
    (measured,) = run_without(missing, "coreg optical.tif sar.tif --json")
    assert measured.code in (0, 1, 3), measured.stderr  # whatever it finds in noise
    assert json.loads(measured.stdout)["verdict"]


def test_a_scene_is_mapped_by_the_graph_that_ships(run_without, files):
    predict, evaluate = run_without(
        EXTRAS["full"],
        "predict optical.tif --sar sar.tif -o map.tif --coreg off --confidence --stac --json",
        "eval map.tif labels.tif --legend sentinel-5",
    )
    assert predict.code == 0, predict.stderr
    assert json.loads(predict.stdout)["bundle"] == "sentinel-10m-onnx"
    assert (files / "map.tif").is_file()
    assert evaluate.code == 0, evaluate.stderr


NEEDS_TORCH = (
    "train pad_sentinel-10m --tiles tiles -o run",
    "export sentinel-10m -o onnx",
)


def test_what_needs_torch_says_so_in_two_lines(run_without, files):
    before = sorted(files.iterdir())
    for command, answer in zip(NEEDS_TORCH, run_without(EXTRAS["full"], *NEEDS_TORCH), strict=True):
        wrong, hint = answer.stderr.splitlines()[-2:]
        assert answer.code == 2, answer.stderr
        assert wrong.startswith(f"error: rsfuse {command.split()[0]} needs "), answer.stderr
        assert hint == "hint: pip install 'rsfuse[full]'"
        assert "Traceback" not in answer.stderr
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("predict optical.tif --sar sar.tif --bundle sentinel-10m -o map.tif", "--bundle sentinel-10m-onnx"),
        ("predict optical.tif --sar sar.tif --bundle demo -o map.tif", "rsfuse export it where torch is"),
        ("demo -o shown", "rsfuse export it where torch is"),
    ],
)
def test_weights_of_torch_name_the_graph_that_needs_none(run_without, files, command, instead):
    before = sorted(files.iterdir())
    (answer,) = run_without(EXTRAS["full"], command)
    wrong, hint = answer.stderr.splitlines()[-2:]
    assert answer.code == 2, answer.stderr
    assert wrong.endswith("has weights for torch, which is not installed")
    assert instead in hint
    assert "pip install 'rsfuse[full]'" in hint
    assert sorted(files.iterdir()) == before


def test_an_exported_bundle_without_onnxruntime_says_so_in_two_lines(run_without, files, bundle):
    manifest = bundle / "bundle.yaml"
    agreement = {"samples": "noise", "patches": 1, "largest_error": 0.0, "differing": 0.0}
    exported = {"precision": "float32", "opset": 20, "patch_bytes": None, "agreement": agreement}
    manifest.write_text(yaml.safe_dump(yaml.safe_load(manifest.read_text()) | {"onnx": exported}))
    (bundle / "network.onnx").write_bytes(b"a graph")
    missing = (*EXTRAS["full"], *EXTRAS["runtime"])
    (answer,) = run_without(missing, "predict optical.tif --sar sar.tif --bundle bundle -o map.tif")
    assert answer.code == 2, answer.stderr
    assert answer.stderr.splitlines()[-2:] == [
        "error: rsfuse predict needs onnxruntime here, which is not installed",
        "hint: pip install 'rsfuse[runtime]'",
    ]
    assert not (files / "map.tif").exists()


def test_the_doctor_tells_what_is_missing_and_the_devices_all_the_same(run_without, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    driver = programs / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771'\n")
    driver.chmod(0o755)
    (answer,) = run_without(EXTRAS["full"], "doctor --json", path=str(programs))
    found = json.loads(answer.stdout)
    assert found["packages"]["torch"] == "not installed"
    assert found["packages"]["rasterio"] != "not installed"
    assert found["devices"]["cpu"] == f"{os.cpu_count()} cores"
    assert found["devices"]["cuda:0"] == "NVIDIA H200, 150.8 GB"
    assert found["runtimes"]["torch"].startswith("not installed: pip install 'rsfuse[full]'")
    assert "CPUExecutionProvider" in found["runtimes"]["onnxruntime"]


def test_the_doctor_tells_that_there_is_no_runtime(run_without, tmp_path):
    (answer,) = run_without((*EXTRAS["full"], *EXTRAS["runtime"]), "doctor --json")
    found = json.loads(answer.stdout)
    assert found["packages"]["onnxruntime-gpu"] == found["packages"]["onnxruntime"] == "not installed"
    assert found["runtimes"]["onnxruntime"].startswith("not installed: pip install 'rsfuse[runtime]'")


def test_the_doctor_says_what_torch_sees_where_it_is_there(rsfuse):
    found = json.loads(rsfuse("doctor", "--json").stdout)
    assert "torch uses" in found["devices"]["cpu"]
