"""The simulated scene: a pure function of seed and place, and what its files claim."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from rsfuse.errors import OutputError
from rsfuse.legends import LEGENDS
from rsfuse.simulate import SimulatedScene, files, render, write_scene
from rsfuse.simulate.noise import Frame

CLOUDY = SimulatedScene(700, 1100, seed=4, cloud=0.3, shift_px=(2.25, -1.5))
LEGEND = LEGENDS["whu-opt-sar"]
ALMOST_NO_SPECKLE = 1e6


def whole(scene: SimulatedScene) -> Window:
    return Window(0, 0, scene.width, scene.height)


@pytest.fixture(scope="module")
def cloudy() -> tuple[NDArray, ...]:
    return render(CLOUDY, whole(CLOUDY))


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_window_made_alone_equals_that_part_of_the_whole(cloudy, data):
    top, left = data.draw(st.integers(0, 699)), data.draw(st.integers(0, 1099))
    height, width = data.draw(st.integers(1, 700 - top)), data.draw(st.integers(1, 1100 - left))
    for part, everything in zip(render(CLOUDY, Window(left, top, width, height)), cloudy, strict=True):
        np.testing.assert_array_equal(part, everything[..., top : top + height, left : left + width])


def test_the_land_does_not_depend_on_the_size_of_the_scene():
    small = SimulatedScene(300, 530, seed=9)
    large = replace(small, height=5000, width=20_000)
    for some, more in zip(render(small, whole(small)), render(large, whole(small)), strict=True):
        np.testing.assert_array_equal(some, more)


def test_neighbouring_blocks_meet_without_a_seam():
    optical, sar, _ = render(SimulatedScene(512, 1024, seed=3, looks=ALMOST_NO_SPECKLE), Window(0, 0, 1024, 512))
    for image in (*optical.astype(float), *np.log(sar)):
        steps = np.abs(np.diff(image, axis=1)).mean(axis=0)
        assert steps[511] < np.quantile(steps, 0.99) * 1.5


def test_noise_sampled_coarsely_is_the_fine_noise_at_those_places():
    fine = Frame(1, -40, 1000, 96, 80).noise("x", 17)
    coarse = Frame(1, -40, 1000, 12, 10, step=8).noise("x", 17)
    np.testing.assert_array_equal(coarse, fine[::8, ::8])


def test_noise_has_mean_0_and_deviation_1():
    noise = Frame(5, 0, 0, 1000, 1000).noise("x", 6)
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_another_seed_is_another_land_on_another_date():
    one, other = (render(SimulatedScene(256, 256, seed=seed), Window(0, 0, 256, 256)) for seed in (1, 2))
    for first, second in zip(one, other, strict=True):
        assert (first != second).mean() > 0.3


@pytest.mark.parametrize("seed", [0, 11])
def test_no_class_is_absent_from_a_scene_of_2048_px(seed):
    truth = render(SimulatedScene(2048, 2048, seed=seed), Window(0, 0, 2048, 2048))[2]
    LEGEND.check(truth)
    shares = dict(
        zip(LEGEND.names, np.bincount(truth.ravel(), minlength=256)[list(LEGEND.codes)] / truth.size, strict=True)
    )
    assert sum(shares.values()) == pytest.approx(1), "every pixel has a class"
    assert min(shares.values()) >= 0.005, shares
    assert shares["farmland"] < 0.85, shares


def test_optical_has_ten_bits_and_uses_them(cloudy):
    optical = cloudy[0]
    assert optical.dtype == np.uint16
    assert optical.max() <= 1023
    assert optical.max() > 800


@pytest.mark.parametrize("looks", [1.0, 4.0, 7.5])
def test_speckle_over_still_water_has_the_looks_that_were_asked_for(looks):
    scene = SimulatedScene(1024, 1024, seed=0, looks=looks)
    _, sar, truth = render(scene, whole(scene))
    waters, _ = ndimage.label(ndimage.binary_erosion(truth == 40, iterations=2))
    largest = waters == np.bincount(waters.ravel())[1:].argmax() + 1
    assert largest.sum() > 5000
    intensity = sar[0][largest].astype(np.float64) ** 2
    assert intensity.mean() ** 2 / intensity.var() == pytest.approx(looks, rel=0.06)


def test_radar_and_camera_see_the_classes_as_they_should():
    scene = SimulatedScene(1024, 1024, seed=0)
    optical, sar, truth = render(scene, whole(scene))
    seen = {each.name: truth == each.code for each in LEGEND}
    dark, bright = np.median(sar[0][seen["water"]]), np.median(sar[0][seen["city"]])
    assert 4 * dark < np.median(sar[0][seen["forest"]]) < bright
    nir, red = optical[3].astype(float), optical[2].astype(float)
    assert np.median((nir / red)[seen["forest"]]) > 2
    assert np.median((nir / red)[seen["water"]]) < 1


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_clouds_cover_the_share_that_was_asked_for_and_spare_radar_and_truth(share):
    clear = SimulatedScene(1024, 1024, seed=6)
    scene = replace(clear, cloud=share)
    (optical, sar, truth), plain = render(scene, whole(scene)), render(clear, whole(clear))
    blue, free = optical[0].astype(float), plain[0][0].astype(float)
    hidden = (blue - free) / (880 - free) > 0.5  # more than half of the way to white
    assert hidden.mean() == pytest.approx(share, abs=0.03)
    assert (blue < 0.8 * free).mean() > 0.01, "clouds cast shadows"
    np.testing.assert_array_equal(sar, plain[1])
    np.testing.assert_array_equal(truth, plain[2])


@pytest.mark.parametrize("shift", [(7, -3), (-5, 40), (0, 0)])
def test_a_shift_moves_the_radar_right_and_down_and_nothing_else(shift):
    still = SimulatedScene(600, 600, seed=2, looks=ALMOST_NO_SPECKLE)
    moved = replace(still, shift_px=shift)
    (optical, sar, truth), plain = render(moved, whole(still)), render(still, whole(still))
    dx, dy = shift
    inside = np.s_[64:-64, 64:-64]
    expected = np.roll(plain[1][0], (dy, dx), axis=(0, 1))
    np.testing.assert_allclose(sar[0][inside], expected[inside], rtol=0.02)
    np.testing.assert_array_equal(optical, plain[0])
    np.testing.assert_array_equal(truth, plain[2])


def test_half_a_pixel_of_shift_is_the_mean_of_two_neighbours():
    still = SimulatedScene(200, 200, seed=2, looks=ALMOST_NO_SPECKLE)
    power = render(still, whole(still))[1][0].astype(float) ** 2
    moved = render(replace(still, shift_px=(0.5, 0)), whole(still))[1][0].astype(float) ** 2
    np.testing.assert_allclose(moved[:, 1:], (power[:, 1:] + power[:, :-1]) / 2, rtol=0.05)


@pytest.mark.parametrize(
    "wrong",
    [{"height": 0}, {"seed": -1}, {"cloud": 1.0}, {"looks": 0.0}, {"gsd_m": -5.0}, {"shift_px": (0.0, 300.0)}],
)
def test_a_scene_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"cannot simulate|out of range|more than"):
        SimulatedScene(**({"height": 10, "width": 10} | wrong))


def test_a_window_outside_the_scene_is_refused():
    with pytest.raises(ValueError, match="outside"):
        render(SimulatedScene(100, 100), Window(50, 0, 51, 10))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> files.ScenePaths:
    return write_scene(CLOUDY, tmp_path_factory.mktemp("simulated") / "scene")


def test_the_files_hold_what_render_gives(written, cloudy):
    expected = cloudy[0], np.rint(cloudy[1]), cloudy[2][None]
    for path, layer in zip((written.optical, written.sar, written.truth), expected, strict=True):
        with rasterio.open(path) as file:
            np.testing.assert_array_equal(file.read(), layer)


def test_the_files_lie_on_one_grid_and_are_tiled(written):
    grids = set()
    for path in (written.optical, written.sar, written.truth):
        with rasterio.open(path) as file:
            grids.add((file.crs.to_string(), file.transform, file.shape))
            assert file.block_shapes[0] == (512, 512)
            assert file.res == (5, 5)
    assert len(grids) == 1


def test_every_file_says_that_it_is_simulated_and_of_what(written):
    for path in (written.optical, written.sar, written.truth):
        with rasterio.open(path) as file:
            tags = file.tags()
        assert tags["SIMULATED"] == "YES"
        assert "SIMULATED" in tags["TIFFTAG_IMAGEDESCRIPTION"]
        told = json.loads(tags["SIMULATED_SCENE"])
        assert SimulatedScene(**(told | {"shift_px": tuple(told["shift_px"])})) == CLOUDY


def test_bands_are_named_and_the_truth_carries_its_legend(written):
    with rasterio.open(written.optical) as optical, rasterio.open(written.sar) as sar:
        assert optical.descriptions == ("blue", "green", "red", "nir")
        assert optical.nodata is None
        assert sar.descriptions == ("HH",)
    with rasterio.open(written.truth) as truth:
        assert truth.nodata == 255
        assert {code: truth.colormap(1)[code][:3] for code in LEGEND.codes} == {c.code: c.color for c in LEGEND}
    names = written.truth.with_name("truth.tif.aux.xml").read_text(encoding="utf-8")
    assert all(name in names for name in LEGEND.names)


def test_the_same_scene_is_written_with_the_same_bytes(written, tmp_path):
    again = write_scene(CLOUDY, tmp_path)
    for path in ("optical", "sar", "truth"):
        assert getattr(again, path).read_bytes() == getattr(written, path).read_bytes()


def test_files_that_exist_are_replaced_only_when_asked(tmp_path):
    scene = SimulatedScene(64, 64)
    paths = write_scene(scene, tmp_path)
    before = paths.truth.read_bytes()
    with pytest.raises(OutputError, match="exist"):
        write_scene(replace(scene, seed=1), tmp_path)
    assert paths.truth.read_bytes() == before
    write_scene(replace(scene, seed=1), tmp_path, overwrite=True)
    assert paths.truth.read_bytes() != before


def test_an_interrupted_scene_leaves_nothing_behind(tmp_path):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scene(SimulatedScene(64, 64), tmp_path, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_is_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BYTES_PER_PIXEL", 1e18)
    with pytest.raises(OutputError, match="full"):
        write_scene(SimulatedScene(64, 64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_more_than_a_few_blocks_are_ever_in_memory(tmp_path, monkeypatch):
    started: list[Window] = []
    ahead: list[int] = []

    def blank(scene: SimulatedScene, window: Window) -> tuple[NDArray, ...]:
        started.append(window)
        shape = int(window.height), int(window.width)
        return np.zeros((4, *shape), np.uint16), np.zeros((1, *shape), np.float32), np.zeros(shape, np.uint8)

    def count() -> Callable[[int, int], None]:
        return lambda done, total: ahead.append(len(started) - done)

    monkeypatch.setattr(files, "render", blank)
    write_scene(SimulatedScene(512 * 10, 512 * 8), Path(tmp_path), progress=count())
    assert len(ahead) == 80
    assert max(ahead) <= 2 * min(os.cpu_count() or 1, 8) + 1


def test_progress_counts_every_block_to_the_end(tmp_path):
    told: list[tuple[int, int]] = []
    write_scene(SimulatedScene(600, 520), tmp_path, progress=lambda done, total: told.append((done, total)))
    blocks = math.ceil(600 / 512) * math.ceil(520 / 512)
    assert told == [(done, blocks) for done in range(1, blocks + 1)]
