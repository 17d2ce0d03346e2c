"""Networks as graphs: what onnxruntime makes of them, against torch."""

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

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
QUICK = {"cf2n", "pad"}


class Toy(FusionNetwork):
    """A convolution, and linear layers place by place."""

    def __init__(self, optical=3, sar=1, width=64):
        super().__init__(optical_channels=optical, sar_channels=sar, multiple=1)
        self.mix = nn.Conv2d(optical + sar, width, 5, padding=2)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, 5))

    def score(self, optical, sar):
        seen = self.mix(torch.cat([optical, sar], 1)).permute(0, 2, 3, 1)
        return self.perceptron(seen).permute(0, 3, 1, 2)

    def score_training(self, optical, sar):
        raise NotImplementedError


def toy(side=16, *, optical=3, sar=1):
    torch.manual_seed(0)
    return Toy(optical, sar).eval(), [GraphInput("optical", optical, side, side), GraphInput("sar", sar, side, side)]


def land_cover(name, side=40, **options):
    torch.manual_seed(0)
    network = create_network(name, optical_channels=3, sar_channels=1, num_classes=5, **(options or SMALL[name]))
    return settled(network), [GraphInput("optical", 3, side, side), GraphInput("sar", 1, side, side)]


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
            if isinstance(each, nn.BatchNorm2d):
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


def torch_says(network, given):
    with torch.inference_mode():
        return network(*given).numpy()


def every_network(quick=QUICK):
    """Builders and names; what is not quick is slow."""
    for build, names in ((land_cover, network_names()), (sharpener, sharpener_names())):
        for name in names:
            yield pytest.param(build, name, id=name, marks=[] if name in quick else [pytest.mark.slow])


@pytest.mark.parametrize(("build", "name"), list(every_network()))
def test_a_graph_gives_what_torch_gives_at_any_batch(build, name, tmp_path):
    network, inputs = build(name)
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    for batch in (1, 3):
        given = images(inputs, batch)
        want, got = torch_says(network, given), run(tmp_path / "network.onnx", inputs, given)
        if isinstance(network, FusionNetwork):
            assert error(got["probabilities"], torch.from_numpy(want).softmax(1).numpy()) < 1e-4
        assert error(got["scores" if isinstance(network, FusionNetwork) else "sharp"], want) < 1e-5


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize(("build", "name"), list(every_network(quick=())))
def test_every_network_has_graphs_of_fewer_bits(build, name, precision, tmp_path):
    network, inputs = build(name)
    write_graph(network, inputs, tmp_path / "network.onnx", precision)
    given = images(inputs, 2)
    got, want = run(tmp_path / "network.onnx", inputs, given), torch_says(network, given)
    with torch.autocast("cpu", torch.float16):
        halved = error(torch_says(network, given), want)  # what half precision costs in torch
    most = 0.1 if precision == "int8" else 2 * halved + 1e-3
    assert error(got["scores" if isinstance(network, FusionNetwork) else "sharp"], want) < most


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"spectrum": "paper"}, {"blocks": 2}, {"phase_correction": False}])
def test_each_way_of_pad_has_a_graph(options, tmp_path):
    network, inputs = land_cover("pad", 36, **FOURIER, **options)
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    given = images(inputs, 1)
    assert error(run(tmp_path / "network.onnx", inputs, given)["scores"], torch_says(network, given)) < 1e-5


@pytest.mark.parametrize("absent", ["optical", "sar"])
def test_a_sensor_that_is_not_there_is_no_input(absent, tmp_path):
    network, inputs = toy(**{absent: 0})
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    given = images(inputs, 2)
    assert error(run(tmp_path / "network.onnx", inputs, given)["scores"], torch_says(network, given)) < 1e-5
    assert [each.name for each in onnx.load(tmp_path / "network.onnx").graph.input] == [
        each.name for each in inputs if each.name != absent
    ]


def test_graphs_of_fewer_bits_are_near_and_smaller(tmp_path):
    network, inputs = toy()
    given = images(inputs, 2)
    errors, sizes = {}, {}
    for precision in ("float32", "float16", "int8"):
        path = tmp_path / precision
        write_graph(network, inputs, path, precision)
        errors[precision] = error(run(path, inputs, given)["scores"], torch_says(network, given))
        sizes[precision] = path.stat().st_size
    assert errors["float32"] < 1e-6 < errors["float16"] < 5e-3
    assert 1e-4 < errors["int8"] < 5e-2
    assert sizes["int8"] < 0.5 * sizes["float32"]
    assert sizes["float16"] < 0.6 * sizes["float32"]


def test_spectra_stay_in_float32_when_a_graph_is_halved(tmp_path):
    network, inputs = land_cover("pad", **FOURIER)
    write_graph(network, inputs, tmp_path / "network.onnx", "float16")
    graph = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "network.onnx")).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    assert {kinds[node.output[0]] for node in graph.node if node.op_type in ("Atan", "Cos")} == {onnx.TensorProto.FLOAT}
    assert onnx.TensorProto.FLOAT16 in {kinds[node.output[0]] for node in graph.node if node.op_type == "Conv"}


def test_writing_says_nothing_leaves_one_file_and_the_network_as_it_was(tmp_path, capfd, recwarn):
    network, inputs = toy()
    network.train()
    before = copy.deepcopy(network.state_dict())
    write_graph(network, inputs, tmp_path / "network.onnx", "int8")
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert network.training
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_a_graph_tells_nothing_of_the_machine_it_was_written_on(tmp_path, repository):
    network, inputs = toy()
    write_graph(network, inputs, tmp_path / "network.onnx", "float32")
    assert str(repository).encode() not in (tmp_path / "network.onnx").read_bytes()
    assert b"perceptron" in (tmp_path / "network.onnx").read_bytes()  # names of weights, and no names of classes
    assert b"Toy" not in (tmp_path / "network.onnx").read_bytes()


def test_what_has_no_counterpart_is_told_with_the_network(tmp_path):
    network, inputs = toy()
    network.score = lambda optical, sar: torch.linalg.eigvals(optical[:, :1]).real
    with pytest.raises(BundleError, match=r"Toy cannot be written as a graph: .*eig"):
        write_graph(network, inputs, tmp_path / "network.onnx", "float32")
