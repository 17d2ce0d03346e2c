"""How much memory tensors take of a device, and how much of this machine's can still be had."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import psutil

# What a process takes for its tensors over their own bytes: allocators keep freed blocks, with holes between them, and
# convolutions have room of their own. Measured for the six networks on a CPU with glibc, 512 to 2048 px: 1.0 to 1.64
# times their bytes, the less the more there are. The line below covers all of them.
HOLES = 1.3
KEPT = 64 * 10**6


def with_overhead(tensors: int) -> int:
    """Bytes that a process takes of its device for so many bytes of tensors; on the safe side."""
    return ceil(HOLES * tensors) + KEPT


def free_memory() -> int:
    """Bytes that are free, within the limits on this process and on what it is part of (cgroups)."""
    room = _cgroup_room(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return min([psutil.virtual_memory().available, *room])


def _cgroup_room(own: Path, mount: Path) -> list[int]:
    """Bytes that each limit on this process and on what it is part of leaves; files that can be dropped count as free.

    Args:
        own: the file that says which cgroups this process is in.
        mount: where they lie: version 2 itself, or version 1 in "memory".
    """
    lines = own.read_text().splitlines() if own.is_file() else []
    groups = {controllers: group for _, controllers, group in (line.split(":", 2) for line in lines)}
    room = []
    for controllers, group in groups.items():
        if controllers == "":
            room += _limits(mount, group, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            room += _limits(mount / "memory", group, *names)
    return room


def _limits(root: Path, group: str, most: str, used: str, droppable: str) -> list[int]:
    place = root / group.strip("/")
    room = []
    for folder in (place, *place.parents):
        if not folder.is_relative_to(root):
            break
        limit, usage, stat = (folder / name for name in (most, used, "memory.stat"))
        if limit.is_file() and usage.is_file() and (text := limit.read_text().strip()) != "max":
            counts = dict(line.split() for line in stat.read_text().splitlines()) if stat.is_file() else {}
            room.append(max(0, int(text) - int(usage.read_text()) + int(counts.get(droppable, 0))))
    return room
