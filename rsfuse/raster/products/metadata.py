"""XML that comes with a product: read without trust, and asked without regard to the case of its tags."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from rsfuse.errors import SceneError

MOST_BYTES = 64 * 2**20
"""Of a text of a product: the longest real ones are a hundred times shorter."""

_NOTHING = {"", "null", "none", "nan", "n/a", "-"}  # what vendors write where there is no value
_DECLARED = re.compile(rb"""^[^<]*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']""", re.IGNORECASE)


def parse_xml(data: bytes, name: str) -> Element:
    """The outermost tag of an XML.

    Args:
        data: of the file; in what it says it is in, UTF-8, or the encoding of Chinese Windows.
        name: of the file, for messages.

    Raises:
        SceneError: if it is no XML, is longer than `MOST_BYTES`, or defines entities, which could blow it up.
    """
    if len(data) > MOST_BYTES:
        raise SceneError(
            f"{name} is {len(data) / 2**20:.0f} MiB long, more than an XML of a product ever is",
            hint="it is not what its name says: copy the product again",
        )
    text = _decoded(data)
    if "<!ENTITY" in text:
        raise SceneError(
            f"{name} defines entities, as no XML of a product does", hint="do not trust it: get the product again"
        )
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: a lone surrogate
        raise SceneError(f"{name} is no XML: {error}", hint="the file is damaged: copy the product again") from error


def first_of(above: Element, name: str) -> Element | None:
    """The first tag of a name below another one."""
    return next(_all_of(above, name), None)


def text_of(above: Element, *names: str) -> str | None:
    """What the first tag of the first of these names says; None where there is none, or none says anything."""
    for name in names:
        for tag in _all_of(above, name):
            if (text := (tag.text or "").strip()).lower() not in _NOTHING:
                return text
    return None


def number_of(above: Element, *names: str) -> float | None:
    """Like `text_of`, for numbers; None also where the text is no number that is finite."""
    return as_number(text_of(above, *names))


def numbers_of(above: Element, name: str) -> tuple[float, ...]:
    """The numbers of all tags of a name, in their order; those that say nothing are left out."""
    numbers = (as_number(tag.text) for tag in _all_of(above, name))
    return tuple(number for number in numbers if number is not None)


def as_number(text: str | None) -> float | None:
    """The number that a text means, None for any other text."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def tag_of(tag: Element) -> str:
    """Its name in lower case, without a namespace."""
    return str(tag.tag).rpartition("}")[2].lower()


def _all_of(above: Element, name: str) -> Iterator[Element]:
    wanted = name.lower()
    return (tag for tag in above.iter() if tag is not above and tag_of(tag) == wanted)


def _decoded(data: bytes) -> str:
    """The text of an XML: in the encoding that it declares, in UTF-8, else in GB 18030, which holds GBK and GB 2312."""
    found = _DECLARED.match(data[:200])
    declared = [found[1].decode("ascii")] if found else []
    for encoding in (*declared, "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding).lstrip("\ufeff")
        except (UnicodeError, LookupError):
            continue
    return data.decode("gb18030", errors="replace")
