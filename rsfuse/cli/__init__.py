"""Roof: the command line. One file per sub-command; only here is anything printed."""

from __future__ import annotations

from rsfuse.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run `rsfuse` with the arguments of this process."""
    app()
