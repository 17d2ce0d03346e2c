"""What ran a network is told: torch, or onnxruntime where it was exported."""

from importlib.metadata import version

import pytest

from rsfuse.legends import LEGENDS
from rsfuse.reports.stac_assets import weights_asset
from rsfuse.reports.stac_model import ModelRun, model_fields


@pytest.fixture
def run(tmp_path):
    def run(weights):
        (tmp_path / weights).write_bytes(b"numbers")
        return ModelRun("a bundle", "pad", "", ("red",), (), 64, 8, {}, tmp_path / weights, "0" * 64, "cpu", 1.0)

    return run


def test_weights_are_run_by_torch(run):
    told = model_fields([run("weights.safetensors")], LEGENDS["sentinel-5"])
    assert told["mlm:framework"] == "PyTorch"
    assert told["mlm:framework_version"] == version("torch")


def test_a_graph_is_run_by_onnxruntime(run):
    graph = run("network.onnx")
    told = model_fields([graph], LEGENDS["sentinel-5"])
    assert told["mlm:framework"] == "ONNX"
    assert told["mlm:framework_version"] == pytest.importorskip("onnxruntime").__version__
    asset = weights_asset(graph.weights, graph.weights_sha256, "a graph", graph.optical_bands, graph.weights.parent)
    assert asset["type"] == "application/octet-stream; application=onnx"
    assert asset["mlm:artifact_type"] == "onnx"


def test_a_graph_beside_weights_is_told_with_both(run):
    runs = [run("network.onnx"), run("weights.safetensors")]
    assert dict(each.framework for each in runs).keys() == {"ONNX", "PyTorch"}
