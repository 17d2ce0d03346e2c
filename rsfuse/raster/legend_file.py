"""Legends by name or from a file."""

from __future__ import annotations

from pathlib import Path

import yaml

from rsfuse.errors import LegendMismatchError
from rsfuse.legend import Legend
from rsfuse.legends import legend_named


def find_legend(legend: str) -> Legend:
    """A legend that rsfuse knows by name, or one in a YAML file like `Legend.to_dict`.

    Raises:
        LegendMismatchError: if there is none, or the file is not a legend.
    """
    path = Path(legend)
    if path.suffix not in {".yaml", ".yml"}:
        return legend_named(legend)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LegendMismatchError(
            f"{path} cannot be read: {error}", hint="name a YAML file with a list of classes"
        ) from error
    if not isinstance(data, dict):
        raise LegendMismatchError(
            f"{path} holds no legend", hint="write classes: [{code: 1, name: water, color: '#2b6cb0'}]"
        )
    return Legend.from_dict(data)
