"""Label values that nobody has given a class: how they are told, and refused."""

from __future__ import annotations

from collections.abc import Mapping

from rsfuse.errors import LegendMismatchError

_SHOWN = 8  # a lossy picture has thousands


def told_unknown(unknown: Mapping[str, int], unit: str = "px") -> str:
    """Values and how often each is there, the most frequent first: "7 (12 px), 9 (3 px)"."""
    frequent = sorted(unknown.items(), key=lambda item: -item[1])
    told = ", ".join(f"{value} ({count} {unit})" for value, count in frequent[:_SHOWN])
    rest = frequent[_SHOWN:]
    return f"{told} and {len(rest)} more ({sum(count for _, count in rest)} {unit})" if rest else told


def refuse_unknown(where: str, unknown: Mapping[str, int], unit: str = "px", *, hint: str | None = None) -> None:
    """Go on only if no value is unknown.

    Args:
        where: the labels that hold them, for the message.
        unknown: value to how often it is there.
        unit: what is counted.
        hint: instead of the usual one.

    Raises:
        LegendMismatchError: naming the values.
    """
    if unknown:
        raise LegendMismatchError(
            f"{where}: no class for code {told_unknown(unknown, unit)}",
            hint=hint or "name the legend that these labels were made with, or map the code to 255 (unlabelled)",
        )
