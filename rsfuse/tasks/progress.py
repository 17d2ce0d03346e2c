"""How a task tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total) after each step."""


def unheard(done: int, total: int) -> None:
    """Nobody listens."""
