"""What a run was asked for, beside what an earlier one was: whoever goes on with work has to want the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsfuse.errors import RsfuseError


def plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON."""
    told: dict[str, Any] = json.loads(json.dumps(asked))
    return told


def compare(what: Path, before: Mapping[str, Any], now: Mapping[str, Any], *, kind: type[RsfuseError]) -> None:
    """Refuse to go on with something else.

    Args:
        what: was begun.
        before: what it was begun with, as plain data.
        now: what is asked for, likewise; other keys of `before` do not count.
        kind: of the error.

    Raises:
        RsfuseError: of that kind, naming what differs.
    """
    differs = [key for key in now if before.get(key) != now[key]]
    if not differs:
        return
    was, wanted = _first_difference(before.get(differs[0]), now[differs[0]])
    raise kind(
        f"{what} was begun with other options: {differs[0].replace('_', '-')} was {was}, now it is {wanted}"
        + (f" (and {len(differs) - 1} more: {', '.join(differs[1:])})" if len(differs) > 1 else ""),
        hint="ask for the same to go on, choose another --out, or add --overwrite to begin anew",
    )


def _first_difference(was: Any, now: Any) -> tuple[Any, Any]:
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return _first_difference(*next(pair for pair in zip(was, now, strict=True) if pair[0] != pair[1]))
    if isinstance(was, list) and isinstance(now, list):
        return f"{len(was)} of them", f"{len(now)}"
    if isinstance(was, dict) and isinstance(now, dict):
        key = next(key for key in {**was, **now} if was.get(key) != now.get(key))
        first, second = _first_difference(was.get(key), now.get(key))
        return f"{key}: {first}", f"{key}: {second}"
    return was, now
