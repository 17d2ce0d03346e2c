"""Networks as graphs: what onnxruntime makes of them, against torch."""

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from rsfuse.errors import BundleError
from rsfuse.learn.export.graph import GraphInput, write_graph
from rsfuse_models import FusionNetwork, create_network, create_sharpener, network_names, sharpener_names

SMALL = {
    "early-fusion": {"encoder": "tu-test_resnet"},
    "f2net": {
        "width": 8,
        "groups": 2,
        "depths": (1, 1, 1, 1),
        "dims": (8, 16, 24, 32),
        "state": 8,
        "chunk": 16,
        "short_width": 8,
        "vit_layers": 1,
        "vit_dim": 24,
        "fused": 16,
    },
    "late-fusion": {"encoder": "test_convnext2", "channels": 16, "aux_channels": 8},
    "mfafnet": {"widths": (8, 12, 16), "low_shares": (0.25, 0.5, 0.5), "heads": (1, 2, 4), "nodes": 1},
    "pad": {"encoder": "test_resnet", "stages": (1, 2), "aux_stage": 1, "channels": 16, "aux_channels": 8},
    "whfnet": {
        "optical_encoder": "test_resnet",
        "sar_encoder": "test_resnet",
        "channels": 16,
        "aux_channels": 8,
    },
}
FOURIER = {"encoder": "test_resnet", "stages": (1,), "aux_stage": 0, "channels": 8, "aux_channels": 8}


def land_cover(name, side=40, *, optical=3, sar=1, **options):
    torch.manual_seed(0)
    network = create_network(
        name, optical_channels=optical, sar_channels=sar, num_classes=5, **(options or SMALL[name])
    )
    return settled(network), [GraphInput("optical", optical, side, side), GraphInput("sar", sar, side, side)]


def sharpener(name, side=32, *, ratio=4):
    torch.manual_seed(0)
    network = create_sharpener(name, bands=3, ratio=ratio, channels=8, stages=1)
    return settled(network), [GraphInput("pan", 1, side, side), GraphInput("ms", 3, side // ratio, side // ratio)]


def settled(network):
    """A network as training leaves it: no weights of 0, and normalisations that have seen something."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
        for each in network.modules():
            if isinstance(each, torch.nn.BatchNorm2d):
                each.running_mean.normal_(0, 0.1)
                each.running_var.uniform_(0.5, 1.5)
    return network.eval()


def images(inputs, batch, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, *each[1:], generator=generator) for each in inputs]


def run(path, inputs, given):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fed = {each.name: image.numpy() for each, image in zip(inputs, given, strict=True) if each.channels}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, fed), strict=True))


def error(got, want):
    """Largest difference, over the largest magnitude."""
    return np.abs(got - want).max() / np.abs(want).max()


def every_network():
    """Builders and names; what takes long to trace is slow."""
    slow = {"f2net", "mfafnet", "whfnet"}
    for build, names in ((land_cover, network_names()), (sharpener, sharpener_names())):
        for name in names:
            yield pytest.param(build, name, id=name, marks=[pytest.mark.slow] if name in slow else [])


@pytest.mark.parametrize(("build", "name"), list(every_network()))
def test_a_graph_gives_what_torch_gives_at_any_batch(build, name, tmp_path):
    network, inputs = build(name)
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    for batch in (1, 3):
        given = images(inputs, batch)
        with torch.inference_mode():
            want = network(*given)
        got = run(tmp_path / "network.onnx", inputs, given)
        if isinstance(network, FusionNetwork):
            assert error(got["probabilities"], want.softmax(1).numpy()) < 1e-4
        assert error(got["scores" if isinstance(network, FusionNetwork) else "sharp"], want.numpy()) < 1e-5


@pytest.mark.parametrize("options", [{"spectrum": "paper"}, {"blocks": 2}, {"phase_correction": False}])
def test_each_way_of_pad_has_a_graph(options, tmp_path):
    network, inputs = land_cover("pad", 36, **FOURIER, **options)
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    given = images(inputs, 1)
    with torch.inference_mode():
        assert error(run(tmp_path / "network.onnx", inputs, given)["scores"], network(*given).numpy()) < 1e-5


@pytest.mark.parametrize("absent", ["optical", "sar"])
def test_a_sensor_that_is_not_there_is_no_input(absent, tmp_path):
    network, inputs = land_cover("early-fusion", **SMALL["early-fusion"], **{absent: 0})
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    given = images(inputs, 2)
    with torch.inference_mode():
        assert error(run(tmp_path / "network.onnx", inputs, given)["scores"], network(*given).numpy()) < 1e-5
    assert [each.name for each in onnx.load(tmp_path / "network.onnx").graph.input] == [
        each.name for each in inputs if each.name != absent
    ]


@pytest.mark.parametrize(("precision", "least", "most"), [("float16", 1e-6, 5e-3), ("int8", 1e-4, 5e-2)])
def test_a_graph_of_fewer_bits_is_near_and_smaller(precision, least, most, tmp_path):
    network, inputs = land_cover("late-fusion")
    sizes = {}
    for each in ("float32", precision):
        write_graph(network, inputs, tmp_path / each, each)
        sizes[each] = (tmp_path / each).stat().st_size
    given = images(inputs, 2)
    with torch.inference_mode():
        assert least < error(run(tmp_path / precision, inputs, given)["scores"], network(*given).numpy()) < most
    assert sizes[precision] < 0.75 * sizes["float32"]


def test_spectra_stay_in_float32_when_a_graph_is_halved(tmp_path):
    network, inputs = land_cover("pad", **FOURIER)
    write_graph(network, inputs, tmp_path / "network.onnx", "float16")
    graph = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "network.onnx")).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    assert {kinds[node.output[0]] for node in graph.node if node.op_type in ("Atan", "Cos")} == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.FLOAT16 in {kinds[node.output[0]] for node in graph.node if node.op_type == "Conv"}


def test_writing_says_nothing_leaves_one_file_and_the_network_as_it_was(tmp_path, capfd, recwarn):
    network, inputs = land_cover("late-fusion")
    network.train()
    before = copy.deepcopy(network.state_dict())
    write_graph(network, inputs, tmp_path / "network.onnx", "int8")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert network.training
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_a_graph_tells_nothing_of_the_machine_it_was_written_on(tmp_path, repository):
    network, inputs = land_cover("late-fusion")
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    assert str(repository).encode() not in (tmp_path / "network.onnx").read_bytes()
    assert b"late_fusion" not in (tmp_path / "network.onnx").read_bytes()


def test_what_has_no_counterpart_is_told_with_the_network(tmp_path):
    network, inputs = land_cover("late-fusion")
    network.score = lambda optical, sar: torch.linalg.eigvals(optical[:, :1]).real
    with pytest.raises(BundleError, match=r"LateFusion cannot be written as a graph: .*eig"):
        write_graph(network, inputs, tmp_path / "network.onnx", "float32")
