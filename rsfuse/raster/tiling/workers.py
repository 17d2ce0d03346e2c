"""Workers: processes that work on files side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rsfuse.errors import RsfuseError
from rsfuse.raster.cores import usable_cores
from rsfuse.raster.opening import Closing, bound_cache

_MOST = 8  # beyond that, disks are slower than processors, and memory grows with every process
_CACHE_MB = 64  # of GDAL, in each process: nothing is read twice

_LOOK_EVERY_S = 0.5
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "1000000000"}
"""For glibc: arrays of a hundred MB come and go, and every new page costs the kernel more than its pixels cost us."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Closing):
    """So many processes; one is this very process.

    Args:
        count: of processes.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self,
        do: Callable[[Item], Result],
        items: Sequence[Item],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[Result]:
        """What a function returns for each item, in their order.

        The first error ends it; what was being done is finished first.

        Args:
            do: a function that other processes can import, and so can its arguments.
            items: its arguments.
            progress: told after every item.

        Raises:
            RsfuseError: if a process is killed, and whatever the function raises.
        """
        if self.count == 1 or len(items) < 2:
            results = []
            for done, item in enumerate(items, 1):
                results.append(do(item))
                progress(done, len(items))
            return results
        pool = self._started()
        futures: list[Future[Result]] = []
        try:
            futures.extend(pool.submit(do, item) for item in items)
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                progress(done, len(items))
        except BrokenProcessPool as error:
            raise RsfuseError(
                f"one of {self.count} processes was killed; the system does so when memory runs out",
                hint="run the same command again with fewer --workers: it goes on where it stopped",
            ) from error
        finally:
            _cancel(futures)
        return [future.result() for future in futures]

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            os.environ.update(_KEEP_MEMORY | os.environ)
            # not a fork: a child of a process with threads inherits their locks as they happen to be
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=context, initializer=_begin, initargs=(os.getpid(),)
            )
        return self._pool

    def close(self) -> None:
        """End the processes, after what they are doing."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def workers_for(pixels: int, asked: int | None = None) -> int:
    """How many processes suit so many pixels: starting one costs as much as reading some ten million."""
    if asked:
        return asked
    return min(usable_cores(), _MOST, max(pixels // 2**24, 1))


def _begin(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C goes to all; the first process decides what it means
    bound_cache(_CACHE_MB)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when the one that began it is gone: nobody would ever tell it to."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


def _cancel(futures: Sequence[Future[Result]]) -> None:
    for future in futures:
        future.cancel()
