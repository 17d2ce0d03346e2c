"""`rsfuse` runs exported bundles without torch, and what is wrong with one is told in a line and a hint."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine

made = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "exported_bundles.py")))

HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "safetensors",
    "onnx",
    "onnxscript",
    "segmentation_models_pytorch",
)
RUN = """
import json, sys, traceback
from typer.testing import CliRunner
from rsfuse.cli import app

def run(arguments):
    done = CliRunner().invoke(app, arguments)
    told = "".join(traceback.format_exception(done.exception)) if done.exit_code == 1 else ""
    heavy = sorted(name for name in sys.modules if name in HEAVY or name.startswith("rsfuse_models."))
    return {"code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr + told, "heavy": heavy}

print(json.dumps([run(arguments) for arguments in json.load(sys.stdin)]))
"""


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr("rsfuse.learn.runtimes.session._gpus", lambda: 0)


@pytest.fixture
def onnx(tmp_path):
    """The folder onnx: an exported bundle, patches of 32 px with a halo of 4."""
    return made.save_exported(tmp_path / "onnx")


@pytest.fixture
def torch(tmp_path, monkeypatch):
    """The folder torch: the bundle that it was exported from."""
    made.build_by_torch(monkeypatch)
    return made.save_torch(tmp_path / "torch")


@pytest.fixture
def files(raster, tmp_path):
    """optical.tif, sar.tif and labels.tif of a place; pan.tif and ms.tif of another."""
    chance = np.random.default_rng(0)
    raster("optical.tif", side=100)
    raster("sar.tif", bands=1, side=100)
    raster("labels.tif", side=100, values=chance.integers(0, 5, (1, 100, 100), np.uint8))
    finer = Affine(2.5, 0, 500_000, 0, -2.5, 4_000_000)
    raster("pan.tif", side=128, values=chance.integers(1, 2047, (1, 128, 128), np.uint16), transform=finer)
    raster("ms.tif", side=32, values=chance.integers(1, 2047, (3, 32, 32), np.uint16))
    return tmp_path


SCENE = ("optical.tif", "--sar", "sar.tif", "--coreg", "off")


def test_nothing_that_runs_exported_bundles_loads_torch(files, onnx):
    made.save_sharpener(files / "sharpener")
    part = "--tta flips --tta turns --crop 500100,3999300,500800,3999900"
    everything = f"--confidence --probabilities uint8 --validity --polygons map.gpkg --stac {part}"
    commands = [
        "tile optical.tif --sar sar.tif --labels labels.tif --legend sentinel-5 --size 32 --split test -o tiles",
        f"predict optical.tif --sar sar.tif --bundle onnx -o map.tif {everything}",
        "predict optical.tif --sar sar.tif --bundle onnx --bundle onnx -o two.tif --json",
        "predict optical.tif --sar sar.tif --bundle onnx -o no.tif --dry-run",
        "eval --bundle onnx --tiles tiles --split test",
        "pansharpen pan.tif ms.tif --bundle sharpener -o sharp.tif",
    ]
    asked = json.dumps([command.split() for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY!r}\n{RUN}"],
        input=asked,
        cwd=files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = dict(zip(commands, json.loads(done.stdout), strict=True))
    assert {command: answer["stderr"] for command, answer in answers.items() if answer["code"]} == {}
    assert {command: answer["heavy"] for command, answer in answers.items()} == {command: [] for command in commands}
    assert json.loads(answers[commands[2]]["stdout"])["bundle"] == "onnx, onnx"
    assert not (files / "no.tif").exists()
    assert (files / "map.json").is_file()
    assert (files / "sharp.tif").is_file()


def test_scores_of_tiles_are_those_by_torch(rsfuse, files, onnx, torch):
    labelled = ("tile", "optical.tif", "--sar", "sar.tif", "--labels", "labels.tif", "--legend", "sentinel-5")
    assert rsfuse(*labelled, "--size", "50", "--split", "test", "-o", "tiles").exit_code == 0
    scores = []
    for folder in (torch, onnx):
        result = rsfuse("eval", "--bundle", folder, "--tiles", "tiles", "--device", "cpu", "--json")
        assert result.exit_code == 0, result.stderr
        scores.append(json.loads(result.stdout)["miou"])
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)
    assert scores[0] > 0


def test_tiles_smaller_than_the_graphs_patches_are_refused_with_both_numbers(rsfuse, files, onnx):
    labelled = ("tile", "optical.tif", "--sar", "sar.tif", "--labels", "labels.tif", "--legend", "sentinel-5")
    assert rsfuse(*labelled, "--size", "20", "--split", "test", "-o", "tiles").exit_code == 0
    refused(rsfuse("eval", "--bundle", "onnx", "--tiles", "tiles"), "32 x 32 px", "20 x 20 px", "--patch 20")


@pytest.mark.parametrize("order", [("torch", "onnx"), ("onnx", "torch")])
def test_one_of_torch_and_an_exported_one_are_averaged(rsfuse, files, onnx, torch, order):
    bundles = [word for each in order for word in ("--bundle", each)]
    told = rsfuse("predict", *SCENE, *bundles, "--device", "cpu", "-o", "map.tif", "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["bundle"] == ", ".join(order)
    assert rsfuse("predict", *SCENE, "--bundle", "torch", "--device", "cpu", "-o", "alone.tif").exit_code == 0
    with rasterio.open(files / "map.tif") as mapped, rasterio.open(files / "alone.tif") as alone:
        assert (mapped.read() == alone.read()).mean() > 0.999  # both have the same weights


def refused(result, *words):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    told = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert (told.count("error"), told.count("hint"), told[-1]) == (1, 1, "hint"), result.stderr
    assert "Traceback" not in result.stderr
    assert all(word in result.stderr for word in words), result.stderr


def files_in(folder):
    return sorted(path for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--whole"], ["--whole is not for exported bundles", "leave out --whole"]),
        (["--compile"], ["--compile is not for exported bundles"]),
        (["--precision", "float16"], ["--precision float16", "exported in float32"]),
        (["--tta", "flips", "--tta", "scales"], ["several scales", "leave out --tta scales"]),
        (["--tta", "anchors"], ["one anchor", "leave out --tta anchors"]),
        (["--bundle", "other"], ["32 x 32 px", "48 x 48 px"]),
        (["--overlap", "32"], ["--overlap 32 leaves nothing of patches of 32 px"]),
        (["--max-memory", "1M"], ["do not suffice"]),
        (["--device", ""], ["no device ''", "--device auto, cpu, cuda"]),
        (["--device", "gpu"], ["no device 'gpu'", "--device auto, cpu, cuda"]),
        (["--device", "cpu:1"], ["no device 'cpu:1'", "--device auto, cpu, cuda"]),
        (["--device", "cuda:x"], ["no device 'cuda:x'", "--device auto, cpu, cuda"]),
        (["--device", "cuda"], ["device 'cuda' is not there", "CPUExecutionProvider", "--device cpu"]),
        (["--device", "tensorrt"], ["device 'tensorrt' is not there", "--device cpu"]),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_cannot_be_is_refused_before_the_work(rsfuse, files, onnx, options, words, dry):
    larger = made.land_cover_graph((("optical", 3, 48), ("sar", 1, 48)))
    made.save_exported(files / "other", larger, made.manifest(size=48, onnx=made.exported()))
    before = files_in(files)
    refused(rsfuse("predict", *SCENE, "--bundle", "onnx", "-o", "map.tif", *options, *dry), *words)
    assert files_in(files) == before


@pytest.mark.parametrize(
    ("command", "device"),
    [
        ("eval --bundle onnx --tiles tiles", "cuda:x"),
        ("pansharpen pan.tif ms.tif --bundle sharpener -o s.tif", "cpu:1"),
        ("pansharpen pan.tif ms.tif --bundle sharpener -o s.tif", "cuda"),
    ],
)
def test_devices_are_the_same_of_every_command(rsfuse, files, onnx, command, device):
    made.save_sharpener(files / "sharpener")
    refused(rsfuse(*command.split(), "--device", device), f"'{device}'", "choose --device")


def test_a_plan_tells_patches_memory_and_time_and_writes_nothing(rsfuse, files, onnx):
    before = files_in(files)
    result = rsfuse("predict", *SCENE, "--bundle", "onnx", "--dry-run", "--json", "--max-memory", "8G")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["size"], told["overlap"], told["patches"]) == ([32, 32], 8, 16)
    assert told["needs"]["network"] > told["batch_size"] * 1_000_000
    assert told["bytes_needed"] == sum(told["needs"].values())
    assert told["seconds"] > 0
    assert "MB" in rsfuse("predict", *SCENE, "--bundle", "onnx", "--dry-run").stdout
    assert files_in(files) == before


def truncated(folder):
    graph = folder / "network.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])


def of_another(**graph):
    return lambda folder: (folder / "network.onnx").write_bytes(made.land_cover_graph(**graph).SerializeToString())


DAMAGED = {
    "truncated": (truncated, ["network.onnx cannot be loaded", "copy the bundle anew"]),
    "missing": (lambda folder: (folder / "network.onnx").unlink(), ["network.onnx cannot be loaded"]),
    "a folder": (
        lambda folder: ((folder / "network.onnx").unlink(), (folder / "network.onnx").mkdir()),
        ["network.onnx cannot be loaded"],
    ),
    "other patches": (of_another(inputs=(("optical", 3, 64), ("sar", 1, 64))), ["3 x 64 x 64", "3 x 32 x 32"]),
    "other names": (of_another(inputs=(("rgb", 3, 32), ("radar", 1, 32))), ["rgb 3 x 32 x 32", "optical 3 x 32 x 32"]),
    "more classes": (of_another(classes=7), ["probabilities 7 x 32 x 32", "probabilities 5 x 32 x 32"]),
    "fewer classes": (of_another(classes=3), ["probabilities 3 x 32 x 32", "probabilities 5 x 32 x 32"]),
    "more bands": (of_another(inputs=(("optical", 4, 32), ("sar", 1, 32))), ["network.onnx", "optical"]),
    "other outputs": (of_another(outputs=("logits", "softmax")), ["network.onnx", "probabilities"]),
    "a precision that is none": (lambda folder: made.edit(folder, precision="bits"), ["bundle.yaml", "precision"]),
    "no agreement": (lambda folder: made.edit(folder, agreement=None), ["bundle.yaml", "agreement"]),
    "a manifest cut off": (
        lambda folder: (folder / "bundle.yaml").write_text((folder / "bundle.yaml").read_text() + "onnx: [\n"),
        ["bundle.yaml"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_bundle_is_told_and_nothing_is_left_of_the_map(rsfuse, files, onnx, capfd, damage):
    spoil, words = DAMAGED[damage]
    spoil(onnx)
    before = files_in(files)
    refused(rsfuse("predict", *SCENE, "--bundle", "onnx", "-o", "map.tif"), *words)
    assert files_in(files) == before
    assert capfd.readouterr().err == ""  # nothing that onnxruntime itself has printed


@pytest.mark.parametrize("damage", ["truncated", "missing", "no agreement"])
def test_so_is_one_that_sharpens(rsfuse, files, damage):
    spoil, words = DAMAGED[damage]
    spoil(made.save_sharpener(files / "sharpener"))
    before = files_in(files)
    refused(rsfuse("pansharpen", "pan.tif", "ms.tif", "--bundle", "sharpener", "-o", "sharp.tif"), *words)
    assert files_in(files) == before


def test_a_bundle_is_not_written_over_by_its_map(rsfuse, files, onnx):
    graph = (onnx / "network.onnx").read_bytes()
    result = rsfuse("predict", *SCENE, "--bundle", "onnx", "-o", "onnx/network.onnx", "--overwrite")
    refused(result, "part of the bundle onnx")
    assert (onnx / "network.onnx").read_bytes() == graph


def test_a_bundle_that_cannot_be_written_to_is_run(rsfuse, files, onnx):
    """As those that ship are, or those on a disk that is read only."""
    before = files_in(onnx)
    onnx.chmod(0o555)
    try:
        assert rsfuse("predict", *SCENE, "--bundle", "onnx", "-o", "map.tif").exit_code == 0
        assert files_in(onnx) == before
    finally:
        onnx.chmod(0o755)


def test_a_bundle_may_lie_anywhere_under_any_name(rsfuse, files, onnx):
    shutil.move(onnx, files / "größe [1] é")
    assert rsfuse("predict", *SCENE, "--bundle", "größe [1] é", "-o", "map.tif").exit_code == 0
