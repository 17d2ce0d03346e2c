"""Rational polynomials as texts: .rpb and .rpc beside an image, of which GDAL itself reads only the first."""

from __future__ import annotations

import math
import re

from rasterio.rpc import RPC

from rsfuse.errors import SceneError

TERMS = 20
"""Coefficients of a polynomial, in the order of RPC00B."""

_NUMBERS = {  # names of rasterio to those of RPB texts; texts of the other kind have the names of rasterio
    **{f"{axis}_off": f"{axis}Offset" for axis in ("line", "samp", "lat", "long", "height")},
    **{f"{axis}_scale": f"{axis}Scale" for axis in ("line", "samp", "lat", "long", "height")},
}
_ERRORS = {"err_bias": "errBias", "err_rand": "errRand"}
_POLYNOMIALS = {
    f"{axis}_{part}_coeff": f"{axis}{part.capitalize()}Coef" for axis in ("line", "samp") for part in ("num", "den")
}
_ENTRY = re.compile(r"""([A-Za-z]\w*)\s*=\s*(\([^)]*\)|"[^"]*"|[^;\s]+)""")
_LINE = re.compile(r"^\s*([A-Za-z]\w*?)(?:_(\d+))?\s*:\s*(\S+)", re.MULTILINE)


def parse_rpb(text: str, name: str) -> RPC:
    """The polynomials that a text says.

    Args:
        text: of the form "lineOffset = 9215.5;" (RPB), or "LINE_OFF: 9215.5 pixels".
        name: of the file, for messages.

    Raises:
        SceneError: naming what is missing or is not a number.
    """
    said = _entries(text) or _lines(text)
    _check_order(said, name)
    numbers = {ours: _one(said, (theirs, ours), name) for ours, theirs in _NUMBERS.items()}
    flat = [ours for ours, number in numbers.items() if ours.endswith("scale") and number == 0]
    if flat:
        raise _damaged(name, f"{_NUMBERS[flat[0]]} is 0")
    errors = {
        ours: _one(said, (theirs, ours), name) if {ours, theirs.lower()} & said.keys() else None
        for ours, theirs in _ERRORS.items()
    }
    polynomials = {ours: _twenty(said, (theirs, ours), name) for ours, theirs in _POLYNOMIALS.items()}
    return RPC(**numbers, **errors, **polynomials)


def _entries(text: str) -> dict[str, list[str]]:
    """Of an RPB text: values by names in lower case."""
    found = ((key, re.split(r"[\s,]+", value.strip('()" \t\r\n'))) for key, value in _ENTRY.findall(text))
    return {key.lower(): values for key, values in found}


def _lines(text: str) -> dict[str, list[str]]:
    """Of the other kind: a line for each coefficient, LINE_NUM_COEFF_1 and so on."""
    said: dict[str, list[str]] = {}
    for key, _, value in sorted(_LINE.findall(text), key=lambda found: int(found[1] or 0)):
        said.setdefault(key.lower(), []).append(value)
    return said


def _check_order(said: dict[str, list[str]], name: str) -> None:
    order = said.get("specid", ["RPC00B"])[0]
    if order.upper() != "RPC00B":
        raise SceneError(
            f"{name} has its coefficients in the order of {order}, rsfuse knows that of RPC00B",
            hint="ask whoever made it for RPC00B",
        )


def _one(said: dict[str, list[str]], keys: tuple[str, str], name: str) -> float:
    (number,) = _some(said, keys, name, 1)
    return number


def _twenty(said: dict[str, list[str]], keys: tuple[str, str], name: str) -> list[float]:
    coefficients = _some(said, keys, name, TERMS)
    if not any(coefficients):
        raise _damaged(name, f"all coefficients of {keys[0]} are 0")
    return coefficients


def _some(said: dict[str, list[str]], keys: tuple[str, str], name: str, count: int) -> list[float]:
    """So many numbers under one of two keys."""
    values = next((said[key.lower()] for key in keys if key.lower() in said), None)
    if values is None:
        raise _damaged(name, f"it does not say {keys[0]}")
    if len(values) != count:
        raise _damaged(name, f"{keys[0]} has {len(values)} numbers, not {count}")
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise _damaged(name, f"{keys[0]} is {' '.join(values)[:60]!r}") from None
    if not all(map(math.isfinite, numbers)):
        raise _damaged(name, f"{keys[0]} is not finite")
    return numbers


def _damaged(name: str, why: str) -> SceneError:
    return SceneError(f"the polynomials in {name} cannot be used: {why}", hint="copy or download the product again")
