"""The conveyor gives what the network gives, wherever patches begin and however they travel."""

from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.windows import Window

from rsfuse.geometry.plan import Plan
from rsfuse.geometry.stitch import Strip
from rsfuse.learn.conveyor import Conveyor, Tally, decide
from rsfuse.legend import NODATA
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Sample

LEGEND = LEGENDS["sentinel-5"]


class Brightness:
    """Stands in for a predictor: five scores that depend on each pixel alone."""

    def __init__(self):
        self.bundle = SimpleNamespace(legend=LEGEND)
        self.sizes = []

    def probabilities(self, samples, scaler):
        self.sizes.append(len(samples))
        values = np.stack([sample.optical[0] for sample in samples])
        return np.stack([values * number for number in range(5)], axis=1).astype(np.float32)


class Picture:
    """A scene in memory with a hole in it."""

    def __init__(self, height, width):
        self.optical = np.random.default_rng(0).random((1, height, width), np.float32)
        self.valid = np.ones((height, width), bool)
        self.valid[10:50, 20:60] = False

    def read(self, window):
        here = np.s_[..., *window.toslices()]
        return Sample(self.optical[here], np.zeros((0, *self.valid[here].shape), np.float32), self.valid[here])


def run(picture, plan, **options):
    tally, predictor = Tally(), Brightness()
    strips = list(Conveyor(predictor, None, plan, **options).strips(picture.read, tally))
    return strips, tally, predictor


@pytest.mark.parametrize("blend", ["hann", "crop"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_scores_and_holes_arrive_where_they_belong(blend, batch_size):
    picture = Picture(90, 110)
    plan = Plan.sliding(90, 110, size=32, halo=4)
    strips, tally, _ = run(picture, plan, batch_size=batch_size, blend=blend)
    assert [strip.top for strip in strips] == [0, *np.cumsum([len(strip.valid) for strip in strips])[:-1]]
    valid = np.concatenate([strip.valid for strip in strips])
    scores = np.concatenate([strip.scores for strip in strips], axis=1)
    assert (valid == picture.valid).all()
    np.testing.assert_allclose(scores[2][valid], 2 * picture.optical[0][valid], rtol=1e-6)
    assert tally.passed == len(plan)


def test_patches_without_data_are_not_scored():
    picture = Picture(96, 96)
    picture.valid[:64, :64] = False
    _, tally, predictor = run(picture, Plan.sliding(96, 96, size=32), batch_size=2)
    assert tally.skipped == 4
    assert sum(predictor.sizes) == 5


def test_a_picture_without_any_data_passes_without_a_forward_pass():
    picture = Picture(64, 64)
    picture.valid[:] = False
    strips, tally, predictor = run(picture, Plan.sliding(64, 64, size=32))
    assert tally.skipped == 4
    assert predictor.sizes == []
    assert not np.concatenate([strip.valid for strip in strips]).any()


def test_an_error_in_the_reader_comes_out():
    def read(window):
        raise OSError("torn cable")

    with pytest.raises(OSError, match="torn cable"):
        list(Conveyor(Brightness(), None, Plan.sliding(64, 64, size=32)).strips(read, Tally()))


def test_progress_is_told_after_every_patch():
    told = []
    plan = Plan.sliding(64, 64, size=32)
    list(Conveyor(Brightness(), None, plan).strips(Picture(64, 64).read, Tally(), lambda *at: told.append(at)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_best_score_decides_the_first_of_equals_and_nodata_where_nothing_is_known():
    scores = np.random.default_rng(1).random((5, 40, 50), np.float32)
    scores[:, 0, 0] = 0.2
    valid = np.random.default_rng(2).random((40, 50)) > 0.3
    codes = decide(Strip(0, scores, valid), LEGEND)
    assert (codes[valid] == scores.argmax(0)[valid]).all()
    assert (codes[~valid] == NODATA).all()


def test_codes_are_the_legends():
    legend = LEGENDS["whu-opt-sar"]
    scores = np.eye(7, dtype=np.float32).reshape(7, 7, 1)
    assert decide(Strip(0, scores, np.ones((7, 1), bool)), legend).ravel().tolist() == list(legend.codes)


def test_windows_are_whole_pixels_of_the_plan():
    seen = []
    picture = Picture(70, 70)

    def read(window):
        seen.append(window)
        return picture.read(window)

    list(Conveyor(Brightness(), None, Plan.sliding(70, 70, size=32)).strips(read, Tally()))
    assert seen[0] == Window(0, 0, 32, 32)
    assert all(window.width == window.height == 32 for window in seen)
