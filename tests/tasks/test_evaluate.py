"""Scores of maps agree with scikit-learn's, on whatever grids maps and labels lie."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, jaccard_score

from rsfuse.errors import LegendMismatchError, SceneError
from rsfuse.legends import LEGENDS
from rsfuse.metrics import BoundaryCounts
from rsfuse.raster.painted import LEGEND_TAG
from rsfuse.tasks.evaluate import EvalSettings, evaluate_maps

LEGEND = LEGENDS["whu-opt-sar"]
WHU = EvalSettings(LEGEND)
TRANSFORM = Affine(5, 0, 300_000, 0, -5, 3_400_000)


def write(path, codes, transform=TRANSFORM, nodata=255):
    height, width = codes.shape
    profile = {"driver": "GTiff", "count": 1, "height": height, "width": width, "dtype": "uint8", "nodata": nodata}
    with rasterio.open(path, "w", crs="EPSG:32650", transform=transform, **profile) as target:
        target.write(codes, 1)
    return path


@pytest.fixture
def codes():
    """A map and labels of 700 x 1100 px that agree on most pixels; some labels are missing, some map pixels too."""
    chance = np.random.default_rng(0)
    labels = chance.choice(LEGEND.codes, (700, 1100)).astype(np.uint8)
    mapped = np.where(chance.random(labels.shape) < 0.7, labels, chance.choice(LEGEND.codes, labels.shape)).astype(
        np.uint8
    )
    labels[chance.random(labels.shape) < 0.1] = 0  # WHU-OPT-SAR's "nobody said"
    return mapped, labels


def test_scores_are_those_of_scikit_learn(tmp_path, codes):
    mapped, labels = codes
    report = evaluate_maps(
        [(write(tmp_path / "map.tif", mapped), write(tmp_path / "labels.tif", labels))], WHU
    ).to_dict()
    known = labels != 0
    truth, found, names = labels[known], mapped[known], list(LEGEND.codes)
    assert report["pixels"] == known.sum()
    assert report["oa"] == pytest.approx(accuracy_score(truth, found), abs=1e-12)
    assert report["kappa"] == pytest.approx(cohen_kappa_score(truth, found), abs=1e-12)
    assert report["miou"] == pytest.approx(jaccard_score(truth, found, labels=names, average="macro"), abs=1e-12)
    assert report["mf1"] == pytest.approx(f1_score(truth, found, labels=names, average="macro"), abs=1e-12)


def test_mkappa_is_the_mean_over_samples_of_512_px_that_do_not_overlap(tmp_path, codes):
    mapped, labels = codes
    report = evaluate_maps([(write(tmp_path / "map.tif", mapped), write(tmp_path / "labels.tif", labels))], WHU)
    kappas = []
    for top in range(0, 700, 512):
        for left in range(0, 1100, 512):
            here = np.s_[top : top + 512, left : left + 512]
            known = labels[here] != 0
            kappas.append(cohen_kappa_score(labels[here][known], mapped[here][known]))
    assert len(report.samples) == 6
    assert report.mkappa == pytest.approx(np.mean(kappas), abs=1e-12)


def test_a_labelled_pixel_that_the_map_leaves_empty_counts_as_wrong(tmp_path):
    mapped = np.full((64, 64), 10, np.uint8)
    mapped[:16] = 255
    labels = np.full((64, 64), 10, np.uint8)
    report = evaluate_maps([(write(tmp_path / "map.tif", mapped), write(tmp_path / "labels.tif", labels))], WHU)
    assert report.confusion.oa == pytest.approx(0.75)


def test_labels_on_another_grid_are_brought_to_the_maps(tmp_path):
    mapped = np.repeat(np.repeat(np.array([[10, 20], [30, 40]], np.uint8), 32, 0), 32, 1)
    labels = np.kron(mapped, np.ones((2, 2), np.uint8))  # twice as fine
    finer = TRANSFORM * Affine.scale(0.5)
    report = evaluate_maps([(write(tmp_path / "map.tif", mapped), write(tmp_path / "labels.tif", labels, finer))], WHU)
    assert report.confusion.oa == 1
    assert report.confusion.pixels == 64 * 64


def test_labels_somewhere_else_are_refused(tmp_path, codes):
    far = TRANSFORM * Affine.translation(10_000, 0)
    with pytest.raises(SceneError, match="elsewhere"):
        evaluate_maps([(write(tmp_path / "map.tif", codes[0]), write(tmp_path / "labels.tif", codes[1], far))], WHU)


def test_a_map_that_does_not_name_its_classes_needs_a_legend(tmp_path, codes):
    with pytest.raises(LegendMismatchError) as caught:
        evaluate_maps([(write(tmp_path / "map.tif", codes[0]), write(tmp_path / "labels.tif", codes[1]))])
    assert "--legend" in (caught.value.hint or "")


def test_a_code_that_the_legend_does_not_know_is_named_with_its_file(tmp_path, codes):
    codes[1][5, 5] = 99
    with pytest.raises(LegendMismatchError, match=r"labels\.tif.* 99 \(1 px\)"):
        evaluate_maps([(write(tmp_path / "map.tif", codes[0]), write(tmp_path / "labels.tif", codes[1]))], WHU)


def test_classes_that_occur_nowhere_have_no_scores(tmp_path):
    ten = np.full((64, 64), 10, np.uint8)
    report = evaluate_maps([(write(tmp_path / "map.tif", ten), write(tmp_path / "labels.tif", ten))], WHU).to_dict()
    assert report["oa"] == 1
    assert report["miou"] == 1
    assert report["kappa"] is None  # chance alone would be right
    assert [each["iou"] for each in report["classes"]] == [1, None, None, None, None, None, None]


def test_boundaries_of_a_map_in_strips_are_those_of_the_whole(tmp_path):
    chance = np.random.default_rng(0)
    labels = np.repeat(np.repeat(chance.choice(LEGEND.codes, (45, 24)).astype(np.uint8), 27, 0), 27, 1)
    mapped = np.roll(labels, (2, 3), (0, 1))
    pair = write(tmp_path / "map.tif", mapped), write(tmp_path / "labels.tif", labels)
    report = evaluate_maps([pair], EvalSettings(LEGEND, boundary=(1, 4)))
    for found in report.extras.boundary:
        indices = LEGEND.to_index(labels), LEGEND.to_index(mapped)
        everywhere = np.s_[0 : labels.shape[0], 0 : labels.shape[1]]
        whole = BoundaryCounts.of(*indices, classes=len(LEGEND), tolerance=found.tolerance, inner=everywhere)
        np.testing.assert_array_equal(found.strips, whole.strips)
        np.testing.assert_array_equal(found.edges, whole.edges)


def test_maps_of_different_legends_are_not_judged_together(tmp_path, codes):
    pairs = []
    for name, legend in (("a", LEGEND), ("b", LEGENDS["dubai"])):
        mapped = write(tmp_path / f"{name}.tif", np.full((8, 8), legend.codes[0], np.uint8))
        with rasterio.open(mapped, "r+") as file:
            file.update_tags(1, **{LEGEND_TAG: json.dumps(legend.to_dict())})
        pairs.append((mapped, mapped))
    with pytest.raises(LegendMismatchError, match=r"b\.tif has the classes"):
        evaluate_maps(pairs)
