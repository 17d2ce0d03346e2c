"""A graph gives the same rows in any batch, and whatever is wrong with it or with the device is one clear error."""

import logging
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from onnxruntime.capi import onnxruntime_pybind11_state as state

from rsfuse.errors import BundleError
from rsfuse.learn.runtimes import session as module
from rsfuse.learn.runtimes.session import CPU, CUDA, Session

NO_GPU = "auto, cpu"


@pytest.fixture(scope="module")
def path(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "network.onnx"
    save(made.land_cover_graph(), path)
    return path


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(module, "_gpus", lambda: 0)


def images(count=3, side=32):
    chance = np.random.default_rng(0)
    return {
        name: chance.normal(size=(count, channels, side, side)).astype(np.float32)
        for name, channels in (("optical", 3), ("sar", 1))
    }


def test_a_patch_does_not_depend_on_its_batch(path):
    session, given = Session(path, "cpu"), images()
    together = session.run("probabilities", given)
    assert (together.shape, together.dtype) == ((3, 5, 32, 32), np.float32)
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
    for at in range(3):
        alone = session.run("probabilities", {name: each[at : at + 1] for name, each in given.items()})
        np.testing.assert_array_equal(alone[0], together[at])


def test_both_outputs_can_be_asked_for(path):
    session, given = Session(path, "cpu"), images()
    scores = np.exp(session.run("scores", given).astype(np.float64))
    np.testing.assert_allclose(session.run("probabilities", given), scores / scores.sum(1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    "laid",
    [
        lambda each: np.flip(each, -1),
        lambda each: np.rot90(each, 1, (-2, -1)),
        lambda each: np.repeat(each, 2, -1)[..., ::2],
        lambda each: np.moveaxis(np.ascontiguousarray(np.moveaxis(each, 1, -1)), -1, 1),
        np.asfortranarray,
    ],
)
def test_how_inputs_lie_in_memory_does_not_matter(path, laid):
    session, given = Session(path, "cpu"), {name: laid(each) for name, each in images().items()}
    assert not given["optical"].flags.c_contiguous
    expected = session.run("probabilities", {name: each.copy("C") for name, each in given.items()})
    np.testing.assert_array_equal(session.run("probabilities", given), expected)


def test_what_it_gives_may_be_written_over(path):
    """Means over looks and bundles are."""
    session, given = Session(path, "cpu"), images()
    first = session.run("probabilities", given)
    kept = first.copy()
    first += 1
    np.testing.assert_array_equal(session.run("probabilities", given), kept)


def test_a_sensor_without_channels_is_no_input(made, tmp_path):
    save(made.land_cover_graph((("optical", 4, 32), ("sar", 0, 32))), tmp_path / "network.onnx")
    session = Session(tmp_path / "network.onnx", "cpu")
    optical = np.ones((2, 4, 32, 32), np.float32)
    found = session.run("probabilities", {"optical": optical, "sar": np.ones((2, 0, 32, 32), np.float32)})
    np.testing.assert_array_equal(found, session.run("probabilities", {"optical": optical}))


def test_shapes_are_those_of_its_patches(made, path, tmp_path):
    session = Session(path, "cpu")
    assert session.inputs == {"optical": (3, 32, 32), "sar": (1, 32, 32)}
    assert session.outputs == {"scores": (5, 32, 32), "probabilities": (5, 32, 32)}
    save(made.sharpening_graph(48), tmp_path / "sharp.onnx")
    assert Session(tmp_path / "sharp.onnx", "cpu").outputs == {"sharp": (3, 48, 48)}


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    "device", ["", "gpu", "CPU", " cpu", "cpu:", "cpu:0", "cpu:1", "cuda:", "cuda:x", "cuda:-1", "cuda:1.5", "mps"]
)
def test_a_device_that_nobody_knows_is_told_with_those_that_can_be_chosen(path, device):
    with pytest.raises(BundleError, match="knows no device") as caught:
        Session(path, device)
    assert repr(device) in str(caught.value)
    assert caught.value.hint == "choose --device auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N"


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7", "tensorrt", "tensorrt:1"])
def test_a_gpu_that_is_not_there_is_told_with_what_is(path, device):
    with pytest.raises(BundleError, match=f"device '{device}' is not there: 0 GPU") as caught:
        Session(path, device)
    assert CPU in str(caught.value)
    assert caught.value.hint.startswith("choose --device cpu")


def test_a_number_beyond_the_gpus_is_told(path, monkeypatch):
    monkeypatch.setattr(module, "_gpus", lambda: 2)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.raises(BundleError, match="device 'cuda:2' is not there: 2 GPU"):
        Session(path, "cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_auto_is_the_cpu_where_there_is_no_gpu(path, caplog):
    assert Session(path, "auto").device == Session(path).device == "cpu"
    assert caplog.text == ""


class Asked:
    """Stands for onnxruntime's session: which providers were asked for, and the CPU in the end."""

    def __init__(self, works):
        self.works, self.asked = works, []

    def __call__(self, path, options, providers, **rest):
        self.asked.append(providers)
        first = [each if isinstance(each, str) else each[0] for each in providers]
        return SimpleNamespace(get_providers=lambda: first if self.works else [CPU], get_inputs=list, get_outputs=list)


@pytest.fixture
def gpu(monkeypatch):
    """A function: onnxruntime finds a GPU, which works or does not."""

    def there(*, works):
        asked = Asked(works)
        monkeypatch.setattr(module, "_gpus", lambda: 2)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [module.TENSORRT, CUDA, CPU])
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda *_, **__: None)
        monkeypatch.setattr(onnxruntime, "InferenceSession", asked)
        return asked

    return there


@pytest.mark.parametrize(
    ("device", "chosen", "number"),
    [("auto", "cuda:0", "0"), ("cuda", "cuda:0", "0"), ("cuda:1", "cuda:1", "1"), ("tensorrt:1", "tensorrt:1", "1")],
)
def test_a_gpu_that_works_is_taken_and_the_cpu_takes_the_rest(path, gpu, device, chosen, number):
    asked = gpu(works=True)
    assert Session(path, device).device == chosen
    (providers,) = asked.asked
    assert providers[-1] == CPU
    assert {settings["device_id"] for _, settings in providers[:-1]} == {number}


def test_auto_goes_on_with_the_cpu_where_the_gpu_does_not_work_and_warns(path, gpu, caplog):
    asked = gpu(works=False)
    with caplog.at_level(logging.WARNING):
        assert Session(path, "auto").device == "cpu"
    assert asked.asked[-1] == [CPU]
    assert "going on with the CPU" in caplog.text
    assert "pip install" in caplog.text


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tensorrt"])
def test_a_gpu_that_was_asked_for_and_does_not_work_is_refused(path, gpu, device):
    gpu(works=False)
    with pytest.raises(BundleError, match=f"device '{device}' cannot be used") as caught:
        Session(path, device)
    assert "--device cpu" in caught.value.hint


BROKEN = {
    "half": lambda whole: whole[: len(whole) // 2],
    "all but a byte": lambda whole: whole[:-1],
    "nothing": lambda _: b"",
    "words": lambda _: b"version https://git-lfs.github.com/spec/v1\n",
    "zeros": lambda whole: b"\0" * len(whole),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_one_error_that_names_it_and_nothing_is_printed(path, tmp_path, capfd, kind):
    broken = tmp_path / "network.onnx"
    broken.write_bytes(BROKEN[kind](path.read_bytes()))
    with pytest.raises(BundleError, match=r"network\.onnx cannot be loaded") as caught:
        Session(broken, "cpu")
    assert "copy the bundle anew" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_told(tmp_path, capfd):
    with pytest.raises(BundleError, match=r"network\.onnx cannot be loaded"):
        Session(tmp_path / "network.onnx", "cpu")
    assert capfd.readouterr() == ("", "")


def test_a_graph_of_operators_that_onnxruntime_does_not_know_is_told(tmp_path, capfd):
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 8, 8]) for name in ("optical", "y")]
    graph = helper.make_graph([helper.make_node("Nonsense", ["optical"], ["y"])], "graph", value[:1], value[1:])
    opset = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "network.onnx")
    with pytest.raises(BundleError, match=r"network\.onnx cannot be loaded.*Nonsense"):
        Session(tmp_path / "network.onnx", "cpu")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "output"),
    [
        ({"optical": np.zeros((3, 4, 32, 32), np.float32)}, "probabilities"),
        ({"optical": np.zeros((3, 3, 16, 32), np.float32)}, "probabilities"),
        ({"optical": np.zeros((3, 3, 32, 32), np.float64)}, "probabilities"),
        ({}, "confidence"),
    ],
)
def test_what_a_graph_does_not_take_is_told_and_nothing_is_printed(path, capfd, changed, output):
    with pytest.raises(BundleError, match=r"network\.onnx cannot be run on cpu"):
        Session(path, "cpu").run(output, images() | changed)
    assert capfd.readouterr() == ("", "")


class Failing:
    def __init__(self, error):
        self.error = error

    def run(self, *_):
        raise self.error


@pytest.mark.parametrize(
    "told",
    [
        "Status Message: bfc_arena.cc:360 AllocateRawInternal Failed to allocate memory for requested buffer of size 9",
        "CUDA failure 2: out of memory ; GPU=0",
        "Available memory of 17 is smaller than requested bytes of 32",
    ],
)
@pytest.mark.parametrize("kind", [state.Fail, state.RuntimeException, state.EPFail])
def test_memory_that_does_not_suffice_is_a_memory_error(path, monkeypatch, kind, told):
    session = Session(path, "cpu")
    monkeypatch.setattr(session, "_session", Failing(kind(f"[ONNXRuntimeError] : 6 : {told}\nand more")))
    with pytest.raises(MemoryError, match="ONNXRuntimeError") as caught:
        session.run("probabilities", images())
    assert "and more" not in str(caught.value)


LITTLE_ROOM = """
import resource, sys
from pathlib import Path
import numpy as np
import psutil
from rsfuse.learn.runtimes.session import Session
session = Session(Path(sys.argv[1]), "cpu")
given = {name: np.zeros((2000, count, 32, 32), np.float32) for name, count in (("optical", 3), ("sar", 1))}
session.run("probabilities", {name: each[:1] for name, each in given.items()})
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**20, -1))
try:
    session.run("probabilities", given)
except MemoryError:
    session.run("probabilities", {name: each[:1] for name, each in given.items()})
    print("a MemoryError, and it goes on with less")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_memory_that_really_does_not_suffice_is_a_memory_error_and_less_goes_on(path):
    done = subprocess.run([sys.executable, "-c", LITTLE_ROOM, path], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("a MemoryError, and it goes on with less\n", "", 0)


@pytest.mark.parametrize("device", ["auto", "cuda", "tensorrt"])
def test_nothing_is_printed_where_there_is_a_gpu_without_cudas_libraries(path, monkeypatch, capfd, device):
    monkeypatch.setattr(module, "_gpus", lambda: 1)
    monkeypatch.setattr(module._log, "disabled", True)  # what rsfuse itself says is another test's
    for name in [each for each in sys.modules if each == "torch"]:  # whose libraries would be found
        monkeypatch.delitem(sys.modules, name)
    if device == "auto":
        assert Session(path, device).device == "cpu"
    else:
        with pytest.raises(BundleError, match="cannot be used"):
            Session(path, device)
    assert capfd.readouterr() == ("", "")


def test_more_patches_of_a_size_take_no_more_memory_than_the_first(tmp_path):
    width, layers = 8, 6
    names = ["optical", *(f"x{number}" for number in range(layers))]
    nodes = [helper.make_node("Conv", [before, "w"], [after], pads=[1] * 4) for before, after in pairwise(names)]
    nodes.append(helper.make_node("Concat", names[1:], ["all"], axis=1))  # until here all of them are kept
    nodes.append(helper.make_node("ReduceMax", ["all"], ["y"], keepdims=1))
    image = helper.make_tensor_value_info("optical", TensorProto.FLOAT, ["batch", width, 256, 256])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 1])
    weights = numpy_helper.from_array(np.zeros((width, width, 3, 3), np.float32), "w")
    graph = helper.make_graph(nodes, "graph", [image], [result], [weights])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "g.onnx")
    code = f"""
import resource
from pathlib import Path
import numpy as np
from rsfuse.learn.runtimes.session import Session
session = Session(Path({str(tmp_path / "g.onnx")!r}), "cpu")
for _ in range(3):
    session.run("y", {{"optical": np.zeros((8, {width}, 256, 256), np.float32)}})
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *others = map(int, done.stdout.split())
    assert max(others) < first + 20
