"""An exported bundle says what torch says of the same patches, and one that is damaged is refused when it wakes."""

import numpy as np
import pytest
import yaml
from onnx import save

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.predictor import default_batch, seconds
from rsfuse.learn.inference.room import with_overhead
from rsfuse.learn.runtimes.eager import EagerPredictor, EagerSharpeningPredictor
from rsfuse.learn.runtimes.exported import ExportedPredictor, ExportedSharpeningPredictor


def land_cover(count=3, side=32, seed=0):
    chance = np.random.default_rng(seed)
    return [chance.normal(size=(count, channels, side, side)).astype(np.float32) for channels in (3, 1)]


def pair(count=3, side=32):
    chance = np.random.default_rng(0)
    return [chance.random((count, *shape), np.float32) for shape in ((1, side, side), (3, side // 4, side // 4))]


def scored(predictor, images):
    arrays = predictor.arrays
    return arrays.to_numpy(predictor.score(*(arrays.taken(each.copy()) for each in images)))


@pytest.mark.parametrize("looks", [(), ("flips",), ("turns",), ("flips", "turns")])
def test_probabilities_are_those_of_torch_whichever_way_it_looks(both, looks):
    eager = EagerPredictor(Bundle.open(both[0]), device="cpu", looks=looks)
    exported = ExportedPredictor(Bundle.open(both[1]), device="cpu", looks=looks)
    found, expected = scored(exported, land_cover()), scored(eager, land_cover())
    assert (found.shape, found.dtype) == ((3, 5, 32, 32), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if looks:
        alone = scored(EagerPredictor(Bundle.open(both[0]), device="cpu"), land_cover())
        assert np.abs(alone - expected).max() > 0.01  # else nothing was looked at


def test_what_it_was_given_is_left_as_it_is(both):
    exported, images = ExportedPredictor(Bundle.open(both[1]), device="cpu", looks=("flips", "turns")), land_cover()
    before = [each.copy() for each in images]
    exported.score(*images)
    for now, then in zip(images, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_sharpened_values_are_those_of_torch(sharpeners):
    eager = EagerSharpeningPredictor(SharpeningBundle.open(sharpeners[0]), device="cpu")
    exported = ExportedSharpeningPredictor(SharpeningBundle.open(sharpeners[1]), device="cpu")
    found = scored(exported, pair())
    assert (found.shape, found.dtype, exported.outputs, exported.patch) == ((3, 3, 32, 32), np.float32, 3, 32)
    np.testing.assert_allclose(found, scored(eager, pair()), atol=1e-5)


def test_it_tells_what_the_conveyor_wants_to_know(both):
    exported = ExportedPredictor(Bundle.open(both[1]))
    assert (exported.device, exported.patch, exported.outputs, exported.whole) == ("cpu", 32, 5, False)
    assert exported.precision == "float32 (onnx)"
    assert exported.looks == ()
    assert default_batch(exported) == 4
    assert 0 < seconds(exported, (32, 32), 2) < 5


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_the_precision_is_that_of_the_graph(made, both, precision):
    made.edit(both[1], precision=precision)
    assert ExportedPredictor(Bundle.open(both[1]), device="cpu").precision.startswith(precision)


def test_memory_of_a_batch_is_that_of_so_many_patches(both):
    exported = ExportedPredictor(Bundle.open(both[1]), device="cpu")
    assert exported.pass_bytes((32, 32), 3) == with_overhead(3_000_000)
    assert exported.free_bytes() > 10**6
    assert exported.largest_side(10**12) == 32


def test_where_it_was_not_counted_nobody_knows(made, tmp_path):
    folder = made.save_exported(tmp_path / "onnx", told=made.manifest(onnx=made.exported(patch_bytes=None)))
    assert ExportedPredictor(Bundle.open(folder), device="cpu").pass_bytes((32, 32), 3) is None


def test_several_scales_are_refused_before_the_graph_is_read(both):
    (both[1] / "network.onnx").unlink()
    with pytest.raises(BundleError, match="patches of one size") as caught:
        ExportedPredictor(Bundle.open(both[1]), looks=("flips", "scales"))
    assert "leave out --tta scales" in caught.value.hint


def test_anchors_are_the_same_as_of_torch(made, tmp_path):
    scaling = {"kind": "scene-percentiles", "toward_median": 0.25, "limit": 4.0}
    inputs = {"optical": made.OPTICAL, "sar": made.SAR, "scaling": scaling}
    told = made.manifest(onnx=made.exported(), inputs=inputs, anchor=0.25)
    exported = ExportedPredictor(Bundle.open(made.save_exported(tmp_path / "onnx", told=told)), looks=("anchors",))
    assert [each.scaling.toward_median for each in exported.inputs] == [0.0, 0.125, 0.25, 0.375, 0.5]


def test_a_graph_of_other_patches_than_the_manifest_says_is_refused_with_both_sizes(made, tmp_path):
    told = made.manifest(size=48, onnx=made.exported())
    with pytest.raises(BundleError, match=r"optical 3 x 32 x 32.*optical 3 x 48 x 48") as caught:
        ExportedPredictor(Bundle.open(made.save_exported(tmp_path / "onnx", told=told)), device="cpu")
    assert caught.value.hint == "copy the bundle anew, or export it anew"


def test_so_is_one_that_sharpens(made, tmp_path):
    told = made.sharpening_manifest(size=64, onnx=made.exported())
    folder = made.save_exported(tmp_path / "onnx", made.sharpening_graph(), told)
    with pytest.raises(BundleError, match=r"pan 1 x 32 x 32.*pan 1 x 64 x 64"):
        ExportedSharpeningPredictor(SharpeningBundle.open(folder), device="cpu")


@pytest.mark.parametrize("kind", ["missing", "truncated"])
def test_a_graph_that_cannot_be_read_is_refused(both, kind):
    graph = both[1] / "network.onnx"
    whole = graph.read_bytes()
    graph.unlink() if kind == "missing" else graph.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match=r"network\.onnx cannot be loaded"):
        ExportedPredictor(Bundle.open(both[1]), device="cpu")


def test_a_graph_with_other_outputs_is_refused_at_last_when_it_is_run(made, tmp_path):
    folder = made.save_exported(tmp_path / "onnx", made.land_cover_graph(outputs=("logits", "softmax")))
    with pytest.raises(BundleError, match="probabilities"):
        ExportedPredictor(Bundle.open(folder), device="cpu").score(*land_cover())


def test_a_graph_of_other_bands_is_refused_at_last_when_it_is_run(made, tmp_path):
    folder = made.save_exported(tmp_path / "onnx", made.land_cover_graph((("optical", 4, 32), ("sar", 1, 32))))
    with pytest.raises(BundleError, match="optical"):
        ExportedPredictor(Bundle.open(folder), device="cpu").score(*land_cover())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "float8"}, ["onnx.precision"]),
        ({"precision": None}, ["onnx.precision"]),
        ({"opset": "new"}, ["onnx.opset"]),
        ({"agreement": None}, ["onnx.agreement"]),
        ({"agreement": {"samples": "noise"}}, ["onnx.agreement.patches", "onnx.agreement.differing"]),
        ({"speed": 3}, ["onnx.speed"]),
    ],
)
def test_a_damaged_section_of_the_manifest_is_told_by_its_keys(made, both, changes, words):
    made.edit(both[1], **changes)
    with pytest.raises(BundleError) as caught:
        Bundle.open(both[1])
    assert all(word in str(caught.value) for word in ["bundle.yaml", *words]), caught.value
    assert caught.value.hint


@pytest.mark.parametrize("section", [3, "yes", [], {}])
def test_a_section_that_is_none_is_told(both, section):
    manifest = both[1] / "bundle.yaml"
    manifest.write_text(yaml.safe_dump(yaml.safe_load(manifest.read_text()) | {"onnx": section}))
    with pytest.raises(BundleError, match="onnx"):
        Bundle.open(both[1])


def test_weights_beside_a_graph_are_not_looked_at(both):
    (both[1] / "weights.safetensors").write_bytes((both[0] / "weights.safetensors").read_bytes())
    bundle = Bundle.open(both[1])
    assert bundle.weights.name == "network.onnx"
    assert scored(ExportedPredictor(bundle), land_cover()).shape == (3, 5, 32, 32)


def test_a_network_of_optical_alone_is_run(made, tmp_path):
    inputs = {"optical": ("red", "green", "blue", "nir"), "sar": ()}
    told = made.manifest(onnx=made.exported(), inputs=inputs, without=())
    folder = made.save_exported(tmp_path / "onnx", made.land_cover_graph((("optical", 4, 32), ("sar", 0, 32))), told)
    exported = ExportedPredictor(Bundle.open(folder), device="cpu", looks=("flips",))
    optical = np.random.default_rng(0).normal(size=(2, 4, 32, 32)).astype(np.float32)
    assert exported.score(optical, np.zeros((2, 0, 32, 32), np.float32)).shape == (2, 5, 32, 32)
    assert seconds(exported, (32, 32), 2) > 0


def test_a_graph_that_takes_only_one_batch_is_refused(made, tmp_path):
    graph = made.land_cover_graph()
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    folder = made.save_exported(tmp_path / "onnx", graph)
    save(graph, folder / "network.onnx")
    with pytest.raises(BundleError, match="is not the graph of bundle"):
        ExportedPredictor(Bundle.open(folder), device="cpu")


def test_a_graph_that_gives_no_numbers_is_refused_when_it_is_run(both, monkeypatch):
    predictor = ExportedPredictor(Bundle.open(both[1]), device="cpu")
    monkeypatch.setattr(predictor._session, "run", lambda *_: np.full((1, 5, 32, 32), np.nan, np.float32))
    with pytest.raises(BundleError, match="NaN") as caught:
        predictor.score(*land_cover())
    assert "float32" in caught.value.hint
