"""Work that threads do side by side, and whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from threadpoolctl import threadpool_limits

from rsfuse.raster.cores import usable_cores

_AHEAD = 2  # items that wait, for each worker
_MOST_WORKERS = 8  # what reads and writes files does not keep up with more

Item = TypeVar("Item")
Made = TypeVar("Made")


def worker_count() -> int:
    """Threads that work side by side."""
    return min(usable_cores(), _MOST_WORKERS)


def in_order(items: Iterable[Item], work: Callable[[Item], Made]) -> Iterator[Made]:
    """What work makes of each item, in their order; memory is that of a few.

    Args:
        items: taken in this thread, a few ahead of what is asked for.
        work: called by several threads.
    """
    with ExitStack() as opened:
        # workers share the cores out among themselves: teams of threads inside matrix products would stand in their way
        opened.enter_context(threadpool_limits(1, user_api="blas"))
        pool = opened.enter_context(ThreadPoolExecutor(worker_count(), "in order"))
        opened.callback(pool.shutdown, cancel_futures=True)
        coming: deque[Future[Made]] = deque()
        for item in items:
            coming.append(pool.submit(work, item))
            if len(coming) > _AHEAD * worker_count():
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
