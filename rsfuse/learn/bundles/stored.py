"""What lies on the disk of a bundle's network, told without loading it, and without torch."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from rsfuse.errors import BundleError

_LENGTH = 8  # bytes at the start of a file of safetensors that say how long its header is
_PRECISIONS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def stored_bytes(network: Path) -> int:
    """Bytes of the file that a network is in, and of those beside it that hold what it has no room for.

    Raises:
        BundleError: if it is not there.
    """
    if not network.is_file():
        raise _unreadable(network, "there is no such file")
    return sum(path.stat().st_size for path in network.parent.glob(f"{network.name}*"))


def stored_precision(weights: Path) -> str:
    """The type of most bytes in a file of safetensors, by torch's name.

    Raises:
        BundleError: if it cannot be read.
    """
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            header = json.loads(file.read(min(length, weights.stat().st_size)))
        header.pop("__metadata__", None)
        held = Counter[str]()
        for tensor in header.values():
            first, past = tensor["data_offsets"]
            held[tensor["dtype"]] += past - first
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(weights, str(error)) from error
    found = held.most_common(1)[0][0] if held else ""
    return _PRECISIONS.get(found, found)


def _unreadable(path: Path, why: str) -> BundleError:
    return BundleError(f"{path} cannot be read: {why}", hint="copy the bundle anew")
