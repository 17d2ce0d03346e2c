"""Workers: results in order, the first error wins, and whoever is killed is missed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rsfuse.errors import RsfuseError, SceneError
from rsfuse.raster.tiling.workers import Workers, workers_for

ITEMS = [3, 1, 2, 0]


def slow_square(number):
    time.sleep(number / 50)
    return number * number, os.getpid()


def refuse_two(number):
    if number == 2:
        raise SceneError(f"item {number}", hint="take another")
    return number


def end_at_zero(number):
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def cache_mb(_):
    return os.environ.get("GDAL_CACHEMAX")


def test_results_have_the_order_of_the_items_and_progress_counts_them():
    for count, processes in ((1, {os.getpid()}), (2, None)):
        told = []
        with Workers(count) as workers:
            found = workers.map(slow_square, ITEMS, lambda done, total, told=told: told.append((done, total)))
        assert [square for square, _ in found] == [9, 1, 4, 0]
        assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
        assert processes is None or {process for _, process in found} == processes
        assert count == 1 or os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_comes_out_as_it_was_raised_and_the_workers_work_on(count):
    with Workers(count) as workers:
        with pytest.raises(SceneError, match="item 2") as caught:
            workers.map(refuse_two, ITEMS)
        assert caught.value.hint == "take another"
        assert workers.map(refuse_two, [5, 6, 7]) == [5, 6, 7]


def test_one_item_or_none_is_done_in_this_process():
    with Workers(2) as workers:
        assert workers.map(slow_square, [0]) == [(0, os.getpid())]
        assert workers.map(slow_square, []) == []


def test_a_process_that_is_killed_is_told_with_what_to_do():
    with Workers(2) as workers:
        with pytest.raises(RsfuseError, match="one of 2 processes was killed") as caught:
            workers.map(end_at_zero, ITEMS)
        assert "fewer --workers" in caught.value.hint


def test_a_process_that_is_killed_between_two_jobs_is_told_as_well():
    with Workers(2) as workers:
        workers.map(slow_square, ITEMS)
        with pytest.raises(RsfuseError):
            workers.map(end_at_zero, ITEMS)
        with pytest.raises(RsfuseError, match="was killed"):
            workers.map(slow_square, ITEMS)


def test_processes_keep_a_small_cache_each(monkeypatch):
    from rsfuse.raster.opening import bound_cache

    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    bound_cache()
    with Workers(2) as workers:
        assert set(workers.map(cache_mb, ITEMS)) == {"64"}


ORPHANS = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import test_workers
if __name__ == "__main__":
    workers = test_workers.Workers(2)
    found = workers.map(test_workers.slow_square, [3, 1, 2, 0])
    print(*{{process for _, process in found}}, flush=True, file=open({told!r}, "w"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def lives(process):
    """Whether a process is there, and not just waiting for somebody to take note of its end."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_processes_end_when_the_one_that_began_them_is_killed(tmp_path):
    script, told = tmp_path / "begin.py", tmp_path / "told.txt"
    script.write_text(ORPHANS.format(folder=str(Path(__file__).parent), told=str(told)))
    # no pipe to wait for: who stays behind would hold its other end
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    done = subprocess.run([sys.executable, script], check=False, timeout=60, **nowhere)
    processes = [int(each) for each in told.read_text().split()]
    assert done.returncode == -signal.SIGKILL
    assert processes
    try:
        until = time.monotonic() + 3
        while any(map(lives, processes)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(lives, processes))
    finally:
        for process in processes:
            if lives(process):
                os.kill(process, signal.SIGKILL)


def test_as_many_processes_as_are_asked_for_or_as_the_pixels_are_worth():
    assert workers_for(10**12, 3) == 3
    assert workers_for(10**6) == 1
    assert 1 <= workers_for(10**12) <= 8
