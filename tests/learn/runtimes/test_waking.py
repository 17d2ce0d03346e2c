"""A bundle is woken on what it was made for, and what the graph cannot do is refused before it is read."""

import re
import subprocess
import sys

import pytest

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.runtimes.eager import EagerPredictor, EagerSharpeningPredictor
from rsfuse.learn.runtimes.exported import ExportedPredictor, ExportedSharpeningPredictor
from rsfuse.learn.runtimes.waking import wake, wake_sharpening


def test_weights_wake_on_torch_and_graphs_on_onnxruntime(both):
    eager, exported = (wake(Bundle.open(each), device="cpu", looks=("flips",)) for each in both)
    assert (type(eager), type(exported)) == (EagerPredictor, ExportedPredictor)
    assert eager.looks == exported.looks == ("flips",)
    assert (eager.patch, exported.patch) == (None, 32)


def test_so_do_those_that_sharpen(sharpeners):
    eager, exported = (wake_sharpening(SharpeningBundle.open(each), device="cpu") for each in sharpeners)
    assert (type(eager), type(exported)) == (EagerSharpeningPredictor, ExportedSharpeningPredictor)
    assert (eager.patch, exported.patch) == (None, 32)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"whole": True}, "--whole"),
        ({"compiled": True}, "--compile"),
        ({"precision": "float16"}, "--precision float16"),
        ({"precision": "bfloat16"}, "--precision bfloat16"),
        ({"looks": ("scales",)}, "--tta scales"),
        ({"whole": True, "compiled": True}, "--whole"),
    ],
)
def test_what_a_graph_cannot_do_is_refused_with_the_option(both, asked, told):
    (both[1] / "network.onnx").unlink()  # nobody looks at it first
    with pytest.raises(BundleError) as caught:
        wake(Bundle.open(both[1]), device="cpu", **asked)
    assert "onnx" in str(caught.value)  # the name of the bundle
    assert f"leave out {told}" in caught.value.hint
    assert "the bundle that it was exported from" in caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("written", "asked", "fits"),
    [
        ("float32", "auto", True),
        ("float32", "float32", True),
        ("float16", "float16", True),
        ("float16", "float32", False),
        ("int8", "auto", True),
        ("int8", "float32", False),
    ],
)
def test_the_precision_may_be_said_if_it_is_that_of_the_graph(made, both, written, asked, fits):
    made.edit(both[1], precision=written)
    if fits:
        assert wake(Bundle.open(both[1]), device="cpu", precision=asked).precision.startswith(written)
        return
    with pytest.raises(BundleError, match=re.escape(f"exported in {written}")):
        wake(Bundle.open(both[1]), device="cpu", precision=asked)


def test_a_bundle_of_torch_takes_them_all(both):
    awake = wake(Bundle.open(both[0]), device="cpu", precision="bfloat16", looks=("scales",), whole=True)
    assert (awake.precision, awake.looks, awake.whole) == ("bfloat16", ("scales",), True)


def test_a_graph_is_no_weights_for_torch(both):
    """Its manifest has lost what it says of the graph."""
    manifest = both[1] / "bundle.yaml"
    manifest.write_text(manifest.read_text().split("onnx:")[0])
    with pytest.raises(BundleError, match="is an exported bundle") as caught:
        wake(Bundle.open(both[1]), device="cpu")
    assert "exported from" in caught.value.hint


def test_a_graph_that_sharpens_is_none_for_land_cover(both, sharpeners_beside):
    with pytest.raises(BundleError, match="is a bundle for sharpening"):
        Bundle.open(sharpeners_beside)
    with pytest.raises(BundleError, match="is a bundle for land cover"):
        SharpeningBundle.open(both[1])


@pytest.fixture
def sharpeners_beside(made, tmp_path):
    return made.save_sharpener(tmp_path / "sharpener")


WAKES = """
import sys
from rsfuse.learn.runtimes.waking import wake, wake_sharpening
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
wake(Bundle.open(sys.argv[1]), looks=("flips",))
wake_sharpening(SharpeningBundle.open(sys.argv[2]))
print(sorted({"torch", "timm", "lightning", "safetensors", "onnx"} & set(sys.modules)))
"""


def test_waking_graphs_loads_no_torch(both, sharpeners_beside):
    arguments = [sys.executable, "-c", WAKES, both[1], sharpeners_beside]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
