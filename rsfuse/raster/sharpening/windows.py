"""Windows of a raster, several at a time: every worker has the files open for itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Protocol, TypeVar

from threadpoolctl import threadpool_limits

from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.cores import usable_cores
from rsfuse.raster.opening import Closing

_AHEAD = 2  # windows that wait, for each worker
_MOST_WORKERS = 8  # what reads and writes files does not keep up with more

Made = TypeVar("Made")
Source = TypeVar("Source", bound=Closing)
AgainSource = TypeVar("AgainSource", bound=Closing, covariant=True)
Windows = Sequence[tuple[Span, Span]]
"""Rows and columns of a raster."""


class Reopening(Protocol[AgainSource]):
    """What opens its files once more, for another thread."""

    def again(self) -> AgainSource:
        """The same, to be closed for itself."""


def each_window(
    source: Reopening[Source], windows: Windows, work: Callable[[Source, Span, Span], Made]
) -> Iterator[Made]:
    """What work makes of each window, in their order; memory is that of a few windows.

    Args:
        source: rasters, opened once more for every worker.
        windows: see there.
        work: called with the rasters, rows and columns, by several threads.

    Raises:
        SceneError: if a file is truncated or damaged.
    """
    workers = min(usable_cores(), _MOST_WORKERS)
    with ExitStack() as opened:
        # workers share the cores out among themselves: teams of threads inside matrix products would stand in their way
        opened.enter_context(threadpool_limits(1, user_api="blas"))
        sources: SimpleQueue[Source] = SimpleQueue()
        for _ in range(workers):
            another = source.again()
            opened.enter_context(another)
            sources.put(another)

        def one(rows: Span, columns: Span) -> Made:
            own = sources.get()
            try:
                return work(own, rows, columns)
            finally:
                sources.put(own)

        pool = opened.enter_context(ThreadPoolExecutor(workers, "windows"))
        opened.callback(pool.shutdown, cancel_futures=True)
        coming: deque[Future[Made]] = deque()
        for window in windows:
            coming.append(pool.submit(one, *window))
            if len(coming) > _AHEAD * workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
