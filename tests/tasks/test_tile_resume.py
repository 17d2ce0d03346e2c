"""Whoever stops tiling at any moment and asks again gets the bytes of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.geometry.split import Shares
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.tiling import cutting
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

LEGEND = LEGENDS["sentinel-5"]
BLOCKS = SplitRule("blocks", Shares(0.2), block=32)
UNIT = 16 * 16 * 4 * 3  # bytes: a tile or a few at once
SIDE = 160


@pytest.fixture
def paths(tmp_path):
    chance = np.random.default_rng(0)
    layers = {
        "optical": chance.integers(1, 255, (3, SIDE, SIDE)).astype(np.uint8),
        "sar": chance.integers(1, 255, (1, SIDE, SIDE)).astype(np.uint8),
        "labels": chance.choice([*LEGEND.codes, 255], (1, SIDE, SIDE)).astype(np.uint8),
    }
    for name, pixels in layers.items():
        profile = {"driver": "GTiff", "count": len(pixels), "height": SIDE, "width": SIDE, "dtype": "uint8"}
        profile |= {"tiled": True, "blockxsize": 16, "blockysize": 16}
        place = Affine(10, 0, 500_000, 0, -10, 4_000_000)
        with rasterio.open(tmp_path / f"{name}.tif", "w", crs="EPSG:32650", transform=place, **profile) as file:
            file.write(pixels)
    return {name: tmp_path / f"{name}.tif" for name in layers}


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(cutting, "_UNIT_BYTES", UNIT)


def as_dataset(paths, **coding):
    return own_dataset(*([paths[key]] for key in ("optical", "sar", "labels")), LEGEND, **coding)


def cut(paths, folder, dataset=None, **settings):
    dataset = dataset or as_dataset(paths)
    return tile(dataset, folder, TileSettings(**{"size": 16, "rule": BLOCKS, "workers": 1, **settings}))


def everything(folder):
    """Every file and folder of a folder, and the bytes of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_the_same_is_made_by_one_process_and_by_two_and_by_another_run(paths, tmp_path):
    for name, workers in (("one", 1), ("again", 1), ("two", 2)):
        cut(paths, tmp_path / name, workers=workers)
    undisturbed = everything(tmp_path / "one")
    assert len(undisturbed) > 3 * 50
    assert everything(tmp_path / "again") == undisturbed
    assert everything(tmp_path / "two") == undisturbed
    cut(paths, tmp_path / "other", rule=replace(BLOCKS, seed=1))
    assert everything(tmp_path / "other").keys() != undisturbed.keys()


class Killed(BaseException):
    """What nobody catches, and after which nothing more reaches the disk."""


@pytest.fixture
def dies(monkeypatch):
    """A function from n to nothing: the n-th time that anything is changed on the disk, the process is no more.

    Of what is then being written, half is. Given None everything works. It returns the list of changes, which grows.
    """
    state = {"log": [], "at": None}

    def deadly(change, half=None):
        def changing(*given, **named):
            state["log"].append(f"{change.__name__} {given[0]}")
            if state["at"] is None or len(state["log"]) < state["at"]:
                return change(*given, **named)
            if half and len(state["log"]) == state["at"]:
                half(*given)
            raise Killed

        return changing

    for name in ("mkdir", "replace", "unlink", "write_text"):
        monkeypatch.setattr(Path, name, deadly(getattr(Path, name)))
    whole = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", deadly(whole, lambda path, data: whole(path, data[: len(data) // 2])))
    monkeypatch.setattr(np, "savez", deadly(np.savez, lambda file, **_: file.write(b"PK half")))
    monkeypatch.setattr(shutil, "rmtree", deadly(shutil.rmtree))

    def set_to(at):
        state.update(log=[], at=at)
        return state["log"]

    return set_to


def undisturbed_run(paths, tmp_path, dies, **settings):
    """What a run leaves, and how many changes on the disk it makes: until it is written down what was asked for, until
    there is a manifest, and in all."""
    changes = dies(None)
    cut(paths, tmp_path / "whole", **settings)
    asked, manifest = (
        1 + next(number for number, change in enumerate(changes) if "replace" in change and name in change)
        for name in ("asked", "tiles.json")
    )
    return everything(tmp_path / "whole"), asked, manifest, len(changes)


def disturbed(paths, folder, dies, at, **settings):
    """What is left after a run that was killed, and another that was not."""
    shutil.rmtree(folder, ignore_errors=True)
    dies(at)
    with pytest.raises(Killed):
        cut(paths, folder, **settings)
    dies(None)
    cut(paths, folder, **settings)
    return everything(folder)


SMALL = {"crop": Crop(pixels=(0, 0, 32, 32)), "rule": SplitRule("random", Shares(0.25))}


def test_killed_at_any_change_on_the_disk_and_started_again_it_ends_with_the_same_bytes(paths, tmp_path, dies):
    undisturbed, asked, manifest, _ = undisturbed_run(paths, tmp_path, dies, **SMALL)
    assert manifest > asked + 3 * 4 + 2 * 2  # files, and two for each unit
    assert not any(".journal" in name or "part" in name for name in undisturbed)
    for at in range(asked + 1, manifest + 1):
        assert disturbed(paths, tmp_path / "tiles", dies, at, **SMALL) == undisturbed, f"at change {at}"


def test_killed_before_it_was_written_down_what_was_asked_for_it_begins_anew(paths, tmp_path, dies):
    undisturbed, asked, _, _ = undisturbed_run(paths, tmp_path, dies, **SMALL)
    for at in range(1, asked + 1):
        assert disturbed(paths, tmp_path / "tiles", dies, at, **SMALL) == undisturbed, f"at change {at}"


def test_killed_between_the_manifest_and_the_end_it_clears_up(paths, tmp_path, dies):
    undisturbed, _, manifest, count = undisturbed_run(paths, tmp_path, dies, **SMALL)
    for at in range(manifest + 1, count + 1):
        assert disturbed(paths, tmp_path / "tiles", dies, at, **SMALL) == undisturbed, f"at change {at}"


COMMAND = f"""
import time
import rsfuse.raster.tiling.cutting as cutting
cutting._UNIT_BYTES = {UNIT}
run = cutting.Cutting.run
def slow_run(self, unit):  # so that it can be stopped in time
    run(self, unit)
    time.sleep(0.02)
cutting.Cutting.run = slow_run
cutting.Cutting.slow_run = slow_run  # by this name it is sent to other processes
if __name__ == "__main__":
    from rsfuse.cli import main
    main()
"""


def begin(paths, folder, *options):
    """The command line in a process group of its own."""
    arguments = [paths["optical"], "--sar", paths["sar"], "--labels", paths["labels"], "--legend", "sentinel-5"]
    arguments += ["--size", "16", "--split-by", "blocks", "--val", "0.2", "--test", "0", "--block", "32", "-o", folder]
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    script = paths["optical"].with_name("slow.py")  # a file, which other processes read, too
    script.write_text(COMMAND)
    command = [sys.executable, script, "tile", *map(str, arguments), *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, start_new_session=True, env=environment, **nowhere)


def stop(process, folder, number, records):
    """Send a signal to all processes of a group when so many units have been recorded."""
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if len(list((folder / ".journal").glob("*.npz"))) >= records:
            os.killpg(process.pid, number)
            break
        time.sleep(0.001)
    return process.wait(60)


def test_killed_at_random_moments_and_started_again_it_ends_with_the_same_bytes(paths, tmp_path):
    cut(paths, tmp_path / "whole")
    undisturbed = everything(tmp_path / "whole")
    for workers, records in (("1", random.Random().randint(1, 15)), ("2", random.Random().randint(1, 15))):
        folder = tmp_path / f"tiles{workers}"
        assert stop(begin(paths, folder, "--workers", workers), folder, signal.SIGKILL, records) == -signal.SIGKILL
        assert not (folder / "tiles.json").exists()
        kept = {path: path.stat().st_mtime_ns for path in (folder / ".journal").glob("*.npz")}
        assert len(kept) >= records
        cut(paths, folder)
        assert everything(folder) == undisturbed, f"{workers} workers, {records} records"


def test_control_c_ends_with_130_and_the_next_run_goes_on(paths, tmp_path):
    folder = tmp_path / "tiles"
    assert stop(begin(paths, folder, "--workers", "2"), folder, signal.SIGINT, 3) == 130
    assert not (folder / "tiles.json").exists()
    done = len(list((folder / ".journal").glob("*.npz")))
    assert done >= 3
    told = {}
    for name in ("tiles", "whole"):
        settings = TileSettings(size=16, rule=BLOCKS, workers=1)
        tile(as_dataset(paths), tmp_path / name, settings, progress=lambda *at, name=name: told.update({name: at}))
    assert told["tiles"][1] + done == told["whole"][1]  # nothing is done twice
    assert everything(folder) == everything(tmp_path / "whole")
