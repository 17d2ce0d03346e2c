"""How a task tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int], None]
"""Called with (done, total) after each step."""

Stages = Callable[[str, str], AbstractContextManager[Progress]]
"""Called when a part of the work begins, with what is being done and what is counted."""


def unheard(done: int, total: int) -> None:
    """Nobody listens."""


@contextmanager
def unseen(what: str, unit: str) -> Iterator[Progress]:
    """Nobody looks."""
    yield unheard
