"""Of a bundle's network on the disk: how large it is and in which numbers, without loading it."""

import pytest

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.stored import stored_bytes, stored_precision


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_the_precision_is_that_of_the_weights(save_untrained, tmp_path, storage):
    bundle, _ = save_untrained(tmp_path / storage, storage)
    assert stored_precision(bundle.weights) == storage
    assert stored_bytes(bundle.weights) == bundle.weights.stat().st_size


def test_what_lies_beside_a_graph_counts(tmp_path):
    for name, size in (("network.onnx", 10), ("network.onnx.data", 500), ("card.md", 7)):
        (tmp_path / name).write_bytes(bytes(size))
    assert stored_bytes(tmp_path / "network.onnx") == 510


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b'\x0c\0\0\0\0\0\0\0{"a": {"b":1'])
def test_a_damaged_file_is_told(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"weights\.safetensors cannot be read"):
        stored_precision(path)


def test_a_missing_file_is_told(tmp_path):
    for ask in (stored_bytes, stored_precision):
        with pytest.raises(BundleError, match="cannot be read"):
            ask(tmp_path / "weights.safetensors")
