"""What becomes of memory that is freed, in a process that computes on the CPU."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_LARGEST, _MOST = 2**30, 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next batch instead of giving every large block back to the system.

    Activations are blocks of tens of megabytes. glibc asks the system for each that has 32 or more, and the system
    clears each of its pages when it is first touched: a network of large activations spends half its time on that.
    What lies between peaks is not given back before the process ends. Threads that begin after this share one heap:
    with one for each, what a reader freed is of no use to the others, and memory creeps up with the height of a scene.
    glibc alone: other systems are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _MOST)
        mallopt(_ARENA_MAX, 1)
