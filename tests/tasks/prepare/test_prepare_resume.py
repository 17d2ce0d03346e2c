"""Whoever stops `prepare` at any moment and asks again gets the bytes of an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import rsfuse.raster.growing as growing
import rsfuse.raster.map_parts as map_parts
from rsfuse.errors import OutputError
from rsfuse.raster import in_order
from rsfuse.tasks.prepare import prepare

BLOCK = 64
WISHES = {
    "optical": ("pms", {"gsd": 1.5, "image": "pan"}),
    "SAR": ("gf3", {"speckle": ("lee", 5), "gsd": 3.0}),
    "sharpened": ("pms", {"sharpen": "gsa"}),
    "joined": ("gf6_wfv", {"quantity": "dn"}),
}


class StoppedError(Exception):
    """By the user."""


class Watched:
    """Stages of the work: which there were, and at which step of which one it is stopped."""

    def __init__(self, stop_in="", after=0):
        self.seen = []
        self._stop_in, self._after = stop_in, after

    @contextmanager
    def __call__(self, what, unit):
        what = what.split()[0]
        self.seen.append(what)
        if what == self._stop_in and self._after < 0:
            raise StoppedError

        def progress(done, total):
            if what == self._stop_in and done > self._after:
                raise StoppedError

        yield progress
        if what == self._stop_in:
            raise StoppedError


@pytest.fixture
def scene(gaofen, tmp_path):
    """Path of the product for a wish, which is then written in small blocks by one thread."""

    def write(name):
        return getattr(gaofen, f"write_{WISHES[name][0]}")(tmp_path / "delivered").path

    return write


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several rows of blocks even of a small scene."""
    monkeypatch.setattr(growing, "BLOCK", BLOCK)
    monkeypatch.setattr(map_parts, "BLOCK", BLOCK)
    monkeypatch.setattr(in_order, "usable_cores", lambda: 1)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


STOPS = [  # which wish, in which stage, after how many steps of it; before the first one where that is -1
    *((name, "reading", 0) for name in ("SAR", "sharpened")),
    *((name, "orthorectifying", 9) for name in WISHES),
    *((name, "packing", -1) for name in ("optical", "sharpened")),
    ("sharpened", "matching", 0),
    ("sharpened", "sharpening", 9),
]


@pytest.mark.parametrize(("name", "stage", "after"), STOPS)
def test_stopped_and_asked_again_it_ends_with_the_same_bytes(scene, settings_of, tmp_path, out, name, stage, after):
    path, settings = scene(name), settings_of(**WISHES[name][1])
    prepare(path, out / "scene.tif", settings)
    undisturbed = everything(out)
    assert list(undisturbed) == ["scene.tif"]
    (out / "scene.tif").unlink()
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings, Watched(stage, after))
    assert not (out / "scene.tif").exists()
    again = Watched()
    report = prepare(path, out / "scene.tif", settings, again)
    assert everything(out) == undisturbed, "the bytes differ, or something was left behind"
    last = "sharpening" if name == "sharpened" else "orthorectifying"
    assert (report.resumed > 0) == (stage == "packing" or (stage == last and after > 0))
    if stage == "orthorectifying" and name != "sharpened":
        assert "reading" not in again.seen  # images that were laid out are not read again


def test_stopped_after_the_file_has_its_name_nothing_else_is_left(scene, settings_of, out):
    with pytest.raises(StoppedError):
        prepare(scene("optical"), out / "scene.tif", settings_of(**WISHES["optical"][1]), Watched("packing", 0))
    assert list(everything(out)) == ["scene.tif"]


def test_rows_that_are_there_are_not_made_again(scene, settings_of, out):
    path, settings = scene("optical"), settings_of(**WISHES["optical"][1])
    whole = Watched()
    height = prepare(path, out / "whole.tif", settings, whole).place.grid.height
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings, Watched("orthorectifying", 15))
    report = prepare(path, out / "scene.tif", settings)
    assert 2 * BLOCK <= report.resumed < height
    assert report.resumed % BLOCK == 0
    assert report.to_dict()["resumed_rows"] == report.resumed


OTHERS = {
    "another GSD": {"gsd": 1.6},
    "another quantity": {"quantity": "dn"},
    "another image": {"image": "ms"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_who_goes_on_with_something_else_is_told_what_differs(scene, settings_of, read, out, name):
    path, wish = scene("optical"), {"gsd": 1.5, "image": "pan"}
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings_of(**wish), Watched("orthorectifying", 9))
    before = everything(out)
    with pytest.raises(OutputError, match="was begun with other options") as told:
        prepare(path, out / "scene.tif", settings_of(**wish | OTHERS[name]))
    assert "--overwrite" in str(told.value.hint)
    assert everything(out) == before
    other = prepare(path, out / "scene.tif", settings_of(**wish | OTHERS[name], overwrite=True))
    assert other.resumed == 0
    assert list(everything(out)) == ["scene.tif"]
    prepare(path, out / "fresh.tif", settings_of(**wish | OTHERS[name]))
    np.testing.assert_array_equal(read(out / "scene.tif").pixels, read(out / "fresh.tif").pixels)


@pytest.mark.parametrize("stage", ["orthorectifying", "sharpening"])
def test_overwrite_begins_anew_wherever_a_sharpening_was_stopped(scene, settings_of, out, stage):
    path = scene("sharpened")
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings_of(sharpen="gsa"), Watched(stage, 0))
    report = prepare(path, out / "scene.tif", settings_of(sharpen="brovey", overwrite=True))
    assert report.resumed == 0
    assert list(everything(out)) == ["scene.tif"]


def test_a_product_that_was_delivered_again_is_begun_anew(scene, settings_of, out):
    path, settings = scene("optical"), settings_of(**WISHES["optical"][1])
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings, Watched("orthorectifying", 9))
    (image,) = path.glob("*PAN1.tiff")
    os.utime(image, (1, 1))
    with pytest.raises(OutputError, match="files"):
        prepare(path, out / "scene.tif", settings)


def test_a_dem_that_was_changed_is_noticed(gaofen, scene, settings_of, tmp_path, out):
    path, dem = scene("optical"), gaofen.write_dem(tmp_path / "dem.tif", 50.0)
    settings = settings_of(**WISHES["optical"][1], dem=dem)
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings, Watched("orthorectifying", 9))
    gaofen.write_dem(dem, 51.0)
    with pytest.raises(OutputError, match="begun with other options"):
        prepare(path, out / "scene.tif", settings)


def test_an_output_that_is_replaced_stays_until_the_new_one_is_whole(scene, settings_of, out):
    path = scene("optical")
    prepare(path, out / "scene.tif", settings_of(gsd=4.0))
    before = (out / "scene.tif").read_bytes()
    with pytest.raises(StoppedError):
        prepare(path, out / "scene.tif", settings_of(gsd=3.0, overwrite=True), Watched("orthorectifying", 0))
    assert (out / "scene.tif").read_bytes() == before


def test_two_runs_do_not_write_one_file(scene, settings_of, out):
    path, settings = scene("optical"), settings_of(gsd=4.0)
    watched = Watched()

    @contextmanager
    def meanwhile(what, unit):
        with watched(what, unit) as progress:
            if what == "orthorectifying":
                with pytest.raises(OutputError, match="another run is writing"):
                    prepare(path, out / "scene.tif", settings)
            yield progress

    prepare(path, out / "scene.tif", settings, meanwhile)
    assert list(everything(out)) == ["scene.tif"]


SLOW = f"""
import sys, time
import rsfuse.raster.growing as growing
import rsfuse.raster.map_parts as map_parts
from rsfuse.cli import main
growing.BLOCK = map_parts.BLOCK = {BLOCK}
add = map_parts.MapParts.add
def slow_add(self, rows):
    add(self, rows)
    time.sleep(0.1)
map_parts.MapParts.add = slow_add
main()
"""


@pytest.mark.parametrize(("number", "rows"), [(signal.SIGKILL, 3), (signal.SIGINT, 1)])
def test_killed_in_the_middle_it_goes_on_from_there(scene, settings_of, tmp_path, out, number, rows):
    path, settings = scene("SAR"), settings_of(speckle=("lee", 5), gsd=2.0)
    prepare(path, tmp_path / "whole.tif", settings)
    command = [sys.executable, "-c", SLOW, "prepare", path, "-o", out / "scene.tif", "--gsd", "2"]
    command += ["--speckle", "lee", "--window", "5", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True)
    journal, until = out / ".scene.tif.parts" / "done.jsonl", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if journal.exists() and journal.read_text().count("\n") >= rows:
            process.send_signal(number)
            break
        time.sleep(0.005)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number), said
    assert "Traceback" not in said
    assert not (out / "scene.tif").exists()
    report = prepare(path, out / "scene.tif", settings)
    assert report.resumed >= rows * BLOCK
    assert everything(out) == {"scene.tif": (tmp_path / "whole.tif").read_bytes()}
