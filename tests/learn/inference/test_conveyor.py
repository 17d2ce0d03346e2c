"""The conveyor gives what the network gives, wherever patches begin and however they travel."""

import numpy as np
import pytest
import torch
from rasterio.windows import Window

from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.conveyor import Conveyor, Strip, Tally
from rsfuse.learn.inference.products import Products
from rsfuse.learn.inference.rows import ScaledRows
from rsfuse.learn.runtimes.ndarrays import NdArrays
from rsfuse.learn.runtimes.tensors import TensorArrays
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Sample

LEGEND = LEGENDS["sentinel-5"]


TENSORS = TensorArrays(torch.device("cpu"))
both = pytest.mark.parametrize("arrays", [TENSORS, NdArrays()], ids=["torch", "NumPy"])


class Brightness:
    """Stands in for a predictor: five scores that depend on each pixel alone."""

    device, patch, outputs = "cpu", None, len(LEGEND)

    def __init__(self, factor=1.0, room=1000, arrays=None):
        self.sizes, self._factor, self._room, self.arrays = [], factor, room, arrays or NdArrays()

    def score(self, optical, sar):
        if len(optical) > self._room:
            raise MemoryError(f"{len(optical)} patches")
        self.sizes.append(len(optical))
        pixels = self.arrays.to_numpy(optical)
        return self.arrays.taken(
            np.concatenate([pixels * (number * np.float32(self._factor)) for number in range(5)], 1)
        )


class Plain:
    """Stands in for a scaler: pixels as they are, times a number."""

    channels, ratio = (1, 0), 1

    def __init__(self, factor=1.0):
        self._factor = np.float32(factor)

    def __call__(self, sample):
        return sample.optical * self._factor, sample.sar


class Picture:
    """A scene in memory with a hole in it."""

    def __init__(self, height, width):
        self.optical = np.random.default_rng(0).random((1, height, width), np.float32)
        self.valid = np.ones((height, width), bool)
        self.valid[10:50, 20:60] = False
        self.windows = []

    def read(self, window):
        self.windows.append(window)
        here = np.s_[..., *window.toslices()]
        return Sample(self.optical[here], np.zeros((0, *self.valid[here].shape), np.float32), self.valid[here])


def run(picture, plan, *, predictors=None, scalers=None, readers=1, block=(1, 1), **options):
    """Scores and validity of what is wanted, the tally, and the first predictor."""
    predictors, tally = predictors or [Brightness()], Tally()
    with ScaledRows([picture.read] * readers, scalers or [Plain()] * len(predictors), plan, block=block) as rows:
        strips = [
            (strip.top, strip.arrays.to_numpy(strip.scores).copy(), strip.valid)
            for strip in Conveyor(predictors, plan, **options).strips(rows, tally)
        ]
    assert [top for top, _, _ in strips] == list(np.cumsum([plan.rows[0], *(len(valid) for *_, valid in strips)])[:-1])
    scores = np.concatenate([scores for _, scores, _ in strips], axis=1)
    return scores, np.concatenate([valid for *_, valid in strips]), tally, predictors[0]


@pytest.mark.parametrize("blend", ["hann", "gaussian", "crop"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("block", [(1, 110), (16, 16), (64, 64), (2000, 2000)])
def test_scores_and_holes_arrive_where_they_belong(blend, batch_size, block):
    picture = Picture(90, 110)
    plan = Plan.sliding(90, 110, size=32, halo=4)
    scores, valid, tally, _ = run(picture, plan, batch_size=batch_size, blend=blend, block=block)
    assert (valid == picture.valid).all()
    np.testing.assert_allclose(scores[2][valid], 2 * picture.optical[0][valid], rtol=1e-6)
    assert tally.passed == len(plan)


@pytest.mark.parametrize("blend", ["hann", "gaussian", "crop"])
def test_a_part_comes_out_as_it_does_of_the_whole_bit_for_bit(blend):
    picture, plan = Picture(300, 280), Plan.sliding(300, 280, size=64, halo=8)
    whole, *_ = run(picture, plan, blend=blend, batch_size=1)
    part, valid, *_ = run(picture, plan.within(Window(77, 101, 130, 90)), blend=blend, batch_size=1)
    np.testing.assert_array_equal(part[:, valid], whole[:, 101:191, 77:207][:, valid])


@pytest.mark.parametrize("readers", [1, 2, 5])
def test_the_number_of_readers_changes_nothing(readers):
    picture, plan = Picture(700, 300), Plan.sliding(700, 300, size=64, halo=8)
    alone, *_ = run(picture, plan)
    together, *_ = run(picture, plan, readers=readers, block=(64, 64))
    np.testing.assert_array_equal(together, alone)


def test_every_block_is_read_once_and_whole():
    picture, plan = Picture(1500, 3000), Plan.sliding(1500, 3000, size=200, halo=30)
    run(picture, plan, readers=3, block=(512, 512))
    times = np.zeros((1500, 3000), int)
    for window in picture.windows:
        times[window.toslices()] += 1
        assert window.row_off % 512 == window.col_off % 512 == 0
    assert (times == 1).all()


def test_a_scene_smaller_than_a_patch_is_read_whole_with_what_it_mirrors():
    seen = []

    def read(window):
        seen.append(window)
        return Sample(np.ones((1, 64, 64), np.float32), np.zeros((0, 64, 64), np.float32), np.ones((64, 64), bool))

    plan = Plan.sliding(20, 30, size=64)
    with ScaledRows([read], [Plain()], plan, block=(8, 8)) as rows:
        (strip,) = Conveyor([Brightness()], plan).strips(rows, Tally())
    assert seen == [Window(0, 0, 64, 64)]
    assert strip.scores.shape == (5, 20, 30)


def test_patches_without_data_are_not_scored():
    picture = Picture(96, 96)
    picture.valid[:64, :64] = False
    *_, tally, predictor = run(picture, Plan.sliding(96, 96, size=32), batch_size=2)
    assert tally.skipped == 4
    assert sum(predictor.sizes) == 5


def test_a_picture_without_any_data_passes_without_a_forward_pass():
    picture = Picture(64, 64)
    picture.valid[:] = False
    _, valid, tally, predictor = run(picture, Plan.sliding(64, 64, size=32))
    assert tally.skipped == 4
    assert predictor.sizes == []
    assert not valid.any()


def test_batches_of_a_row_are_as_few_and_as_alike_as_can_be():
    picture = Picture(32, 9 * 32)
    picture.valid[:] = True
    *_, predictor = run(picture, Plan.sliding(32, 9 * 32, size=32), batch_size=4)
    assert predictor.sizes == [3, 3, 3]


def test_a_batch_too_large_for_the_memory_is_halved_and_said_so(caplog):
    picture, plan = Picture(64, 512), Plan.sliding(64, 512, size=32)
    whole, *_ = run(picture, plan)
    scores, _, tally, predictor = run(picture, plan, predictors=[Brightness(room=3)], batch_size=16)
    np.testing.assert_array_equal(scores, whole)
    assert max(predictor.sizes) <= 3
    assert tally.passed == len(plan)
    assert [record.message for record in caplog.records] == [
        "not enough memory for a batch of 16: going on with 8",
        "not enough memory for a batch of 8: going on with 4",
        "not enough memory for a batch of 4: going on with 2",
    ]


def test_a_memory_too_small_for_one_patch_is_an_error():
    with pytest.raises(MemoryError):
        run(Picture(64, 64), Plan.sliding(64, 64, size=32), predictors=[Brightness(room=0)])


def test_other_errors_of_the_network_come_out():
    class Broken(Brightness):
        def score(self, optical, sar):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(Picture(64, 64), Plan.sliding(64, 64, size=32), predictors=[Broken()])


def test_several_networks_are_averaged_each_with_its_own_scaling():
    picture, plan = Picture(90, 110), Plan.sliding(90, 110, size=32, halo=4)
    scores, valid, *_ = run(picture, plan, predictors=[Brightness(1), Brightness(5)], scalers=[Plain(2), Plain(0.5)])
    np.testing.assert_allclose(scores[1][valid], (2 + 2.5) / 2 * picture.optical[0][valid], rtol=1e-6)


def test_an_error_in_a_reader_comes_out():
    def read(window):
        raise OSError("torn cable")

    with pytest.raises(OSError, match="torn cable"), ScaledRows([read], [Plain()], Plan.sliding(64, 64, size=32)):
        pass


def test_progress_is_told_after_every_batch():
    told, plan = [], Plan.sliding(64, 64, size=32)
    picture = Picture(64, 64)
    with ScaledRows([picture.read], [Plain()], plan) as rows:
        list(Conveyor([Brightness()], plan, batch_size=1).strips(rows, Tally(), lambda *at: told.append(at)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@both
def test_the_best_score_decides_the_first_of_equals_and_nodata_where_nothing_is_known(arrays):
    scores = np.random.default_rng(1).random((5, 40, 50), np.float32)
    scores[:, 0, 0] = 0.2
    sensors = (np.random.default_rng(2).random((40, 50)) > 0.3).view(np.uint8)
    (codes,) = Products(LEGEND).of(Strip(0, arrays.taken(scores), sensors, arrays))
    assert (codes[sensors > 0] == scores.argmax(0)[sensors > 0]).all()
    assert (codes[sensors == 0] == NODATA).all()


@both
def test_shares_become_bytes_and_half_precision_by_rounding(arrays):
    scores = np.random.default_rng(1).random((5, 40, 50), np.float32)
    strip = Strip(0, arrays.taken(scores.copy()), np.ones((40, 50), np.uint8), arrays)
    _, confidence, layers = Products(LEGEND, confidence=True, probabilities="uint8").of(strip)
    np.testing.assert_array_equal(layers, np.rint(scores * np.float32(254)).astype(np.uint8))
    np.testing.assert_array_equal(confidence, layers.max(0))
    _, halves = Products(LEGEND, probabilities="float16").of(strip)
    np.testing.assert_array_equal(halves, scores.astype(np.float16))


@both
def test_codes_are_the_legends(arrays):
    legend = LEGENDS["whu-opt-sar"]
    scores = arrays.taken(np.eye(7, dtype=np.float32).reshape(7, 7, 1))
    (codes,) = Products(legend).of(Strip(0, scores, np.ones((7, 1), np.uint8), arrays))
    assert codes.ravel().tolist() == list(legend.codes)


@pytest.mark.parametrize("first", [TENSORS, NdArrays()], ids=["torch first", "NumPy first"])
def test_networks_of_two_runtimes_are_averaged(first):
    picture, plan = Picture(90, 110), Plan.sliding(90, 110, size=32, halo=4)
    second = NdArrays() if first is TENSORS else TENSORS
    scores, valid, *_ = run(picture, plan, predictors=[Brightness(1, arrays=first), Brightness(4, arrays=second)])
    np.testing.assert_allclose(scores[1][valid], 2.5 * picture.optical[0][valid], rtol=1e-6)


def test_arrays_of_both_kinds_make_the_same_map():
    picture, plan = Picture(90, 110), Plan.sliding(90, 110, size=32, halo=4)
    one, other = (run(picture, plan, predictors=[Brightness(arrays=each)])[0] for each in (TENSORS, NdArrays()))
    np.testing.assert_allclose(one, other, atol=1e-6)
