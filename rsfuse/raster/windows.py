"""Windows of a raster, several at a time: every worker has the files open for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Protocol, TypeVar

from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.in_order import in_order, worker_count
from rsfuse.raster.opening import Closing

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
    with ExitStack() as opened:
        sources: SimpleQueue[Source] = SimpleQueue()
        for _ in range(worker_count()):
            another = source.again()
            opened.enter_context(another)
            sources.put(another)

        def one(window: tuple[Span, Span]) -> Made:
            own = sources.get()
            try:
                return work(own, *window)
            finally:
                sources.put(own)

        yield from in_order(windows, one)
