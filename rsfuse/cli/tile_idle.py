"""Options of `rsfuse tile` that would change nothing beside the others: whoever gives one expects something of it."""

from __future__ import annotations

from pathlib import Path

import typer

from rsfuse.errors import TileSetError

_NEEDS = {
    "--layout": "it describes --dataset folders",
    "--label-field": "only polygons have attributes",
    "--split": "it puts all tiles into one split: give no --split-by and no --list with it",
    "--list": "it goes with --split-by list alone",
    "--block": "it goes with --split-by blocks",
    "--no-survey": "it goes with --manifest-only",
}
_OF_WALD = frozenset({"--ms-bands", "--sensor", "--align", "--maximum"})
_WITH_WALD = frozenset({"--wald", "--size", "--halo", "--window", "--val", "--test", "--split", "--block", "--guard"})
_ALWAYS = frozenset({"--out", "--seed", "--overwrite", "--json", "--quiet", "--verbose"})


def refuse_idle(idle: dict[str, bool]) -> None:
    """Refuse options that do nothing.

    Args:
        idle: whether each would.

    Raises:
        TileSetError: naming the first.
    """
    found = [option for option, does_nothing in idle.items() if does_nothing]
    if found:
        raise _nothing(found[0], _NEEDS[found[0]])


def refuse_beside(options: list[str], *, wald: bool) -> None:
    """Refuse what says nothing of a scene to be sharpened where there is one, and what says something of it elsewhere.

    Args:
        options: that are given.
        wald: whether --wald is among them.

    Raises:
        TileSetError: naming the first.
    """
    strange = [
        each for each in options if (each in _OF_WALD if not wald else each not in _OF_WALD | _WITH_WALD | _ALWAYS)
    ]
    if strange:
        raise _nothing(strange[0], "it is not for patches by --wald" if wald else "it goes with --wald PAN MS")


def given(context: typer.Context) -> list[str]:
    """The options and arguments of the command line, as they are called in full."""
    sources = {each: context.get_parameter_source(each.name or "") for each in context.command.params}
    return [each.opts[0] for each, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def is_drawn(path: Path) -> bool:
    """Whether labels are, or may be, polygons."""
    from rsfuse.raster.drawn.polygons import holds_polygons

    return holds_polygons(path) or path.is_dir()


def _nothing(option: str, why: str) -> TileSetError:
    return TileSetError(f"{option} would do nothing here: {why}", hint=f"leave {option} out")
