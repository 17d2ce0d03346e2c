"""The only place that prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from rsfuse.errors import RsfuseError

_PLAIN_EVERY_S = 10.0
"""Between two lines of progress where there is no terminal."""


class Tell(Protocol):
    """Called now and then with what is done and what there is in all; figures are shown beside it."""

    def __call__(self, done: int, total: int, figures: str = "") -> None:
        """Show how far it is."""


class _State:
    """How loud to be; set once by the options of the command that runs."""

    quiet = False


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def set_quiet(quiet: bool) -> bool:
    """Callback of --quiet."""
    _State.quiet = quiet
    return quiet


def set_verbose(verbose: bool) -> bool:
    """Callback of --verbose; sends the warnings of every module to standard error."""
    log = logging.getLogger("rsfuse")
    log.handlers = [RichHandler(console=_err(), show_time=False, show_path=False)]
    log.setLevel(logging.DEBUG if verbose else logging.WARNING)
    return verbose


def line(text: str) -> None:
    """A line of the result."""
    _out().print(escape(text))


def note(text: str) -> None:
    """A line about what is going on."""
    if not _State.quiet:
        _err().print(escape(text))


def warning(text: str) -> None:
    """A line that is said however quiet the command is to be."""
    _err().print(f"[bold yellow]warning:[/] {escape(text)}")


def error(mistake: RsfuseError) -> None:
    """What is wrong, and on a line of its own what to do."""
    _err().print(f"[bold red]error:[/] {escape(str(mistake))}")
    if mistake.hint:
        _err().print(f"[bold]hint:[/] {escape(mistake.hint)}")


def document(data: Mapping[str, Any]) -> None:
    """One JSON document; a number that is not finite, which JSON does not know, becomes null."""
    typer.echo(json.dumps(_finite(data), indent=2, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of the result; numbers to the right, floats to four places."""
    drawn = Table(title=escape(title), title_justify="left")
    for number, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        drawn.add_column(column, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    _out().print(drawn)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.4f}"
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


@contextmanager
def progress(what: str, unit: str) -> Iterator[Tell]:
    """A bar with rate and time left on a terminal, a line now and then elsewhere.

    Args:
        what: what is being done.
        unit: what is counted, in the plural.
    """
    console = _err()
    if _State.quiet:
        yield lambda done, total, figures="": None
    elif console.is_terminal:
        with _bar(console, unit) as bar:
            task = bar.add_task(what, total=None, figures="")
            yield lambda done, total, figures="": bar.update(task, completed=done, total=total, figures=figures)
    else:
        yield _plain(what, unit)


def is_quiet() -> bool:
    """Whether nothing but warnings and errors is to be said."""
    return _State.quiet


def has_terminal() -> bool:
    """Whether somebody watches who can be shown a bar that moves."""
    return _err().is_terminal


def _bar(console: Console, unit: str) -> Any:
    from rich import progress as rich

    class Rate(rich.ProgressColumn):
        def render(self, task: rich.Task) -> str:
            return f"{task.speed:.1f} {unit}/s" if task.speed else ""

    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[figures]}"),
        Rate(),
        rich.TimeRemainingColumn(),
        console=console,
    )


class Clock:
    """Rate and time left of counted work.

    Args:
        done: what was done before it started.
    """

    def __init__(self, done: int = 0) -> None:
        self._start, self._before = time.monotonic(), done

    def told(self, done: int, total: int) -> str:
        """Rate since the start, and the time left at that rate."""
        spent, gone = max(time.monotonic() - self._start, 1e-9), done - self._before
        left = spent / max(gone, 1) * (total - done)
        return f"{gone / spent:.1f} a second, {left:.0f} s left"


def _plain(what: str, unit: str) -> Tell:
    clock, told = Clock(), time.monotonic()

    def tell(done: int, total: int, figures: str = "") -> None:
        nonlocal told
        now = time.monotonic()
        if done < total and now - told < _PLAIN_EVERY_S:
            return
        told = now
        note(f"{what}: {done} of {total} {unit}, {clock.told(done, total)}{figures and ': ' + figures}")

    return tell
