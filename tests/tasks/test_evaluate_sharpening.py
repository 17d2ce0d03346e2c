"""Scores of sharpened rasters, from files, are those of whole arrays by the definitions of the field."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage
from scipy.io import loadmat

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.sharpening.placement import Placement
from rsfuse.geometry.sharpening.sensors import find_sensor
from rsfuse.metrics.sharpening import Q2n
from rsfuse.tasks import evaluate_sharpening as task
from rsfuse.tasks.evaluate_sharpening import Judges, SharpeningRules, evaluate_sharpening, inside

SHAPE = 140, 172


def images(bands, shape=SHAPE, seed=0, noise=40):
    """A reference of 11 bits and something near it."""
    random = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(random.standard_normal((bands + 1, *shape)), (0, 3, 3)) * 2000
    reference = 900 + ground[:1] + 0.5 * ground[1:] + 40 * np.arange(bands)[:, None, None]
    sharp = reference + random.normal(0, noise, reference.shape)
    return tuple(np.clip(each, 1, 2047).round().astype(np.uint16) for each in (reference, sharp))


def blocks(band):
    """Of 32 x 32 px; the image goes on mirrored."""
    padded = np.pad(band.astype(float), [(0, -length % 32) for length in band.shape], mode="symmetric")
    height, width = padded.shape
    return padded.reshape(height // 32, 32, width // 32, 32).transpose(0, 2, 1, 3).reshape(-1, 1024)


def uiqi(one, other):
    x, y = blocks(one), blocks(other)
    mx, my = x.mean(1), y.mean(1)
    covariance = ((x - mx[:, None]) * (y - my[:, None])).mean(1)
    return np.mean(4 * covariance * mx * my / (x.var(1) + y.var(1)) / (mx**2 + my**2))


def edges(band):
    """Lengths of gradients, without those of the outermost pixels."""
    return np.hypot(*(ndimage.sobel(band.astype(float), axis)[1:-1, 1:-1] for axis in (0, 1)))


def wholly(reference, sharp, ratio, maximum):
    """Scores of whole arrays against each other."""
    x, y = (each.reshape(len(each), -1).astype(float) for each in (reference, sharp))
    errors = ((x - y) ** 2).mean(1)
    cosines = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
    g, h = (np.concatenate([edges(band) for band in each]) for each in (reference, sharp))
    return {
        "sam": np.degrees(np.arccos(np.minimum(cosines, 1))).mean(),
        "ergas": 100 / ratio * np.sqrt((errors / x.mean(1) ** 2).mean()),
        "scc": (g * h).sum() / np.sqrt((g**2).sum() * (h**2).sum()),
        "psnr": (10 * np.log10(maximum**2 / errors)).mean(),
        "q2n": Q2n.of(reference, sharp).score,
    }


def without_reference(sharp, pan, ms, ratio, gains):
    """Scores of whole arrays without a reference."""
    placed = Placement.by_area(ratio, ms.shape[1:])
    sharp, pan, ms = (each.astype(np.float32) for each in (sharp, pan, ms))
    enlarging, fine = placed.enlarging(), pan.shape[1:]
    exp = enlarging.whole(ms, fine)
    low = enlarging.whole(placed.resizing().whole(pan, ms.shape[1:]), fine)
    smooth = [placed.smoothing(gain).whole(band[None], fine)[0] for band, gain in zip(sharp, gains, strict=True)]
    pairs = list(combinations(range(len(ms)), 2))
    d_lambda = np.mean([abs(uiqi(sharp[i], sharp[j]) - uiqi(exp[i], exp[j])) for i, j in pairs]) if pairs else None
    d_s = np.mean([abs(uiqi(a, pan[0]) - uiqi(b, low[0])) for a, b in zip(sharp, exp, strict=True)])
    khan = 1 - Q2n.of(exp, np.stack(smooth)).score
    return {
        "d_lambda": d_lambda,
        "d_s": d_s,
        "qnr": None if d_lambda is None else (1 - d_lambda) * (1 - d_s),
        "d_lambda_k": khan,
        "hqnr": (1 - khan) * (1 - d_s),
    }


@pytest.fixture
def full(write_raster):
    """Write a sharpened image and its pair; the arrays and the paths."""

    def write(bands, ratio, shape=(128, 160)):
        _, sharp = images(bands, shape)
        pan = images(1, shape, 1)[0]
        ms = images(bands, tuple(each // ratio for each in shape), 2)[0]
        arrays = {"sharp": (sharp, 2.0), "pan": (pan, 2.0), "ms": (ms, 2.0 * ratio)}
        paths = {name: write_raster(f"{name}.tif", each, gsd_m=gsd) for name, (each, gsd) in arrays.items()}
        return (sharp, pan, ms), paths

    return write


@pytest.mark.parametrize("bands", [1, 3, 4, 8])
@pytest.mark.parametrize(("ratio", "cut"), [(4, 21), (2, 0), (3, 1)])
def test_scores_against_a_reference_are_those_of_whole_arrays(write_raster, monkeypatch, bands, ratio, cut):
    monkeypatch.setattr(task, "_WINDOW", (32, 64))
    reference, sharp = images(bands)
    paths = write_raster("sharp.tif", sharp), write_raster("reference.tif", reference)
    found = evaluate_sharpening(paths[0], Judges(paths[1]), SharpeningRules(ratio=ratio, cut=cut)).to_dict()
    kept = np.s_[:, max(cut - 1, 0) : SHAPE[0] - cut, max(cut - 1, 0) : SHAPE[1] - cut]
    reference, sharp = reference[kept], sharp[kept]
    wanted = wholly(reference, sharp, ratio, 2047)
    assert {name: found["reduced"][name] for name in wanted} == pytest.approx(wanted, rel=1e-6, abs=2e-6)
    assert found["reduced"]["index"] == {1: "Q1", 3: "Q4", 4: "Q4", 8: "Q8"}[bands]
    for band, told in enumerate(found["reduced"]["bands"]):
        assert told["uiqi"] == pytest.approx(uiqi(reference[band], sharp[band]))
        assert told["rmse"] == pytest.approx(np.sqrt(((reference[band] - sharp[band].astype(float)) ** 2).mean()))
    assert found["pixels"] == reference[0].size
    assert (found["conventions"]["ratio"], found["conventions"]["cut"]) == (ratio, cut)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_images_that_are_the_same_have_ideal_scores_exactly(write_raster, dtype):
    reference = (images(3)[0] / 8).astype(dtype)
    paths = write_raster("sharp.tif", reference), write_raster("reference.tif", reference)
    scored = evaluate_sharpening(paths[0], Judges(paths[1]))
    assert [each.value for each in scored.parts["reduced"]] == [each.ideal for each in scored.parts["reduced"]]
    assert [each["uiqi"] for each in scored.to_dict()["reduced"]["bands"]] == [1] * 3
    assert scored.to_dict()["reduced"]["psnr"] is None  # JSON knows no infinity


@pytest.mark.parametrize(("bands", "ratio", "sensor"), [(1, 4, "other"), (3, 4, "gf2"), (4, 2, "qb"), (8, 4, "wv2")])
def test_scores_without_a_reference_are_those_of_whole_arrays(full, monkeypatch, bands, ratio, sensor):
    monkeypatch.setattr(task, "_WINDOW", (32, 64))
    arrays, paths = full(bands, ratio)
    pair = paths["pan"], paths["ms"]
    found = evaluate_sharpening(paths["sharp"], Judges(pair=pair), SharpeningRules(sensor=sensor)).to_dict()
    wanted = without_reference(*arrays, ratio, find_sensor(sensor).of(bands))
    for name, value in wanted.items():
        assert found["full"][name] == (None if value is None else pytest.approx(value, rel=1e-4, abs=1e-6)), name
    assert (found["pixels"], found["reduced"]) == (128 * 160, None)
    assert found["conventions"]["sensor"] == sensor


def test_both_are_told_where_both_are_given(full):
    (sharp, _, _), paths = full(4, 2)
    judges = Judges(paths["sharp"], (paths["pan"], paths["ms"]))
    found = evaluate_sharpening(paths["sharp"], judges)
    alone = evaluate_sharpening(paths["sharp"], Judges(pair=(paths["pan"], paths["ms"])))
    assert (found.parts["reduced"][4].value, found.conventions["ratio"]) == (1, 2)
    assert found.parts["full"] == alone.parts["full"]
    assert found.pixels == (sharp.shape[1] - 41) * (sharp.shape[2] - 41)


def test_pixels_without_data_are_left_out(write_raster):
    reference, sharp = images(3)
    spoiled = sharp.copy()
    spoiled[:, 40:60, 50:90] = 0
    paths = [write_raster(f"{name}.tif", each, nodata=0) for name, each in (("s", spoiled), ("r", reference))]
    found = evaluate_sharpening(paths[0], Judges(paths[1]), SharpeningRules(cut=0)).to_dict()
    keep = spoiled[0] > 0
    x, y = (each[:, keep].astype(float) for each in (reference, sharp))
    assert found["pixels"] == np.count_nonzero(keep)
    assert found["reduced"]["blocks"] == 5 * 6 - 1 * 2  # of rows 32 to 63, columns 32 to 95
    relative = ((x - y) ** 2).mean(1) / x.mean(1) ** 2
    assert found["reduced"]["ergas"] == pytest.approx(25 * np.sqrt(relative.mean()))


def test_without_data_there_is_nothing_to_tell(write_raster, full):
    reference, _ = images(2)
    paths = [write_raster(f"{name}.tif", each, nodata=0) for name, each in (("s", reference * 0), ("r", reference))]
    with pytest.raises(SceneError, match=r"no pixel of .*s.tif has data"):
        evaluate_sharpening(paths[0], Judges(paths[1]))


@pytest.mark.parametrize(
    ("highest", "asked", "maximum"), [(700, None, 1023), (200, None, 255), (0.9, None, 1), (700, 2047, 2047)]
)
def test_the_maximum_is_that_of_the_reference_with_all_bits_set_or_the_users(write_raster, highest, asked, maximum):
    reference = np.full((1, 64, 64), highest, np.float32)
    paths = [write_raster(f"{name}.tif", each) for name, each in (("s", reference * 0.9), ("r", reference))]
    found = evaluate_sharpening(paths[0], Judges(paths[1]), SharpeningRules(maximum=asked))
    assert found.conventions["maximum"] == maximum
    assert found.to_dict()["reduced"]["psnr"] == pytest.approx(20 * math.log10(maximum / (0.1 * highest)), rel=1e-5)


def test_the_cut_is_that_of_the_toolbox():
    assert inside(256, 21) == (20, 235)  # 215 px: from the 21st to the 21st before the last
    assert inside(256, 0) == (0, 256)


def test_what_is_too_small_is_refused(write_raster, full):
    reference, sharp = images(2, (50, 100))
    paths = write_raster("s.tif", sharp), write_raster("r.tif", reference)
    with pytest.raises(SceneError, match=r"of 100 x 50 px, 59 x 9 are left without 21 px") as mistake:
        evaluate_sharpening(paths[0], Judges(paths[1]))
    assert mistake.value.hint == "keep the border: --cut 0"
    evaluate_sharpening(paths[0], Judges(paths[1]), SharpeningRules(cut=0))


def test_only_bands_that_were_sharpened_are_compared(write_raster):
    reference, sharp = images(4)
    paths = write_raster("s.tif", sharp[[2, 0]]), write_raster("r.tif", reference)
    found = evaluate_sharpening(paths[0], Judges(paths[1]), SharpeningRules(bands=(3, 1), cut=0)).to_dict()
    assert [each["name"] for each in found["reduced"]["bands"]] == ["band 3", "band 1"]
    assert found["reduced"]["q2n"] == pytest.approx(Q2n.of(reference[[2, 0]], sharp[[2, 0]]).score)


def test_other_pixels_are_refused_before_the_work(write_raster, full):
    _, paths = full(3, 4)
    with pytest.raises(GridMismatchError, match=r"160 x 128 px, .*ms.tif has 40 x 32 px"):
        evaluate_sharpening(paths["sharp"], Judges(paths["ms"], (paths["pan"], paths["ms"])))


@pytest.mark.parametrize("name", ["WV2", "GE1"])
def test_a_real_image_is_like_itself_and_less_like_a_blurred_one(shared_data, write_raster, name):
    found = loadmat(shared_data("pansharpening") / f"img{name}.mat")["I_MS"].transpose(2, 0, 1)
    image = np.ascontiguousarray(found).astype(np.float32)
    blurred = ndimage.gaussian_filter(image, (0, 1.5, 1.5))
    paths = [write_raster(f"{at}.tif", each) for at, each in enumerate((image, image, blurred))]
    same, other = (evaluate_sharpening(path, Judges(paths[0])).parts["reduced"] for path in paths[1:])
    assert [each.value for each in same] == [each.ideal for each in same]
    assert all(abs(each.value - each.ideal) > 0.01 for each in other)
    assert other[4].value > 0.3
