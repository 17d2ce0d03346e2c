"""What makes radiances of the digital numbers of Gaofen's cameras: coefficients of each sensor and year."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from rsfuse.errors import SceneError
from rsfuse.raster.products.product import OpticalFacts
from rsfuse.strict import Strict, checked

Part = Literal["ms", "pan"]

_SHIPPED = Path(__file__).with_name("gaofen_coefficients.csv")
_ENOUGH = "satellite,sensor,part,year,gains,offsets,esun"  # columns of a table of a user


def _code(text: str) -> str:
    """A name as tables and products have it in common: "GF1" for "gf-1"."""
    return text.upper().replace("-", "").replace(" ", "")


def _numbers(cell: Any) -> Any:
    return cell.split() if isinstance(cell, str) else cell


_Code = Annotated[str, BeforeValidator(_code)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Line(Strict):
    """A line of a table: gains and offsets of a year, or the irradiance of the sun, or both.

    Args:
        satellite: as products call it.
        sensor: likewise.
        part: which of its images.
        year: of acquisition; only a line without gains may do without.
        gains: of each band, in the order of the file.
        offsets: likewise; none are zeros.
        form: "linear", gain DN + offset is the radiance; "inverse", (DN - offset) / gain is.
        esun: irradiance of the sun in each band at 1 AU, in W m-2 um-1.
        source: whence it is, in words.
        trust: how far it goes; "secondary" is what others made of a notice that was not seen.
        note: what to tell the user.
    """

    satellite: _Code
    sensor: _Code
    part: Annotated[Part, BeforeValidator(str.lower)]
    year: Annotated[int, Field(ge=2013, le=2100)] | None = None  # the first of them was launched in 2013
    gains: Annotated[tuple[_Positive, ...], BeforeValidator(_numbers)] = ()
    offsets: Annotated[tuple[_Finite, ...], BeforeValidator(_numbers)] = ()
    form: Literal["linear", "inverse"] = "linear"
    esun: Annotated[tuple[_Positive, ...], BeforeValidator(_numbers)] = ()
    source: str
    trust: Literal["good", "secondary", "doubtful"] = "good"
    note: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> Line:
        if not self.gains and not self.esun:
            raise ValueError("there are neither gains nor esun")
        if self.gains and self.year is None:
            raise ValueError("gains are of a year, which is missing")
        counts = {name: len(values) for name in ("gains", "offsets", "esun") if (values := getattr(self, name))}
        if len(set(counts.values())) > 1 or (self.offsets and not self.gains):
            told = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise ValueError(f"each band has one of each; there are {told}")
        return self

    def linear(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Gains and offsets of gain DN + offset, whatever the form of the line."""
        offsets = self.offsets or (0.0,) * len(self.gains)
        if self.form == "linear":
            return self.gains, offsets
        inverse = tuple(1 / gain for gain in self.gains)
        return inverse, tuple(-offset * gain for offset, gain in zip(offsets, inverse, strict=True))


@dataclass(frozen=True)
class Found:
    """What a table says of an image.

    Args:
        gains: of each band; gain DN + offset is the radiance in W m-2 sr-1 um-1.
        offsets: likewise.
        year: for which they were published.
        esun: irradiance of the sun in each band at 1 AU, in W m-2 um-1; empty where nobody says.
        told: whence gains and offsets are.
        esun_told: whence the irradiance is.
        warnings: a sentence each.
    """

    gains: tuple[float, ...]
    offsets: tuple[float, ...]
    year: int
    esun: tuple[float, ...]
    told: str
    esun_told: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Coefficients:
    """A table of coefficients; of lines that say the same of the same year, the first one holds."""

    lines: tuple[Line, ...]

    def find(self, facts: OpticalFacts, part: Part, bands: int) -> Found:
        """Coefficients of an image of so many bands: those of its year, or else of the nearest, the earlier of two.

        Raises:
            SceneError: if there are none of its sensor, or they are of another number of bands.
        """
        camera = (_code(facts.satellite), _code(facts.sensor), part)
        name = f"{camera[0]} {camera[1]} ({part})"
        lines = [line for line in self.lines if (line.satellite, line.sensor, line.part) == camera]
        dated = [(line.year, line) for line in lines if line.gains and line.year is not None]
        if not dated:
            raise SceneError(f"no calibration coefficients of {name} are known", hint=_hint(camera, bands))
        asked = facts.acquired.year
        year, line = min(dated, key=lambda each: (abs(each[0] - asked), each[0]))
        sun = next((each for each in (line, *lines) if each.esun), None)
        esun = sun.esun if sun else ()
        for there, source in ((line.gains, line.source), (esun, sun.source if sun else "")):
            if there and len(there) != bands:
                raise SceneError(
                    f"the image of {name} has {bands} bands, its calibration coefficients {len(there)} ({source})",
                    hint=_hint(camera, bands),
                )
        return Found(
            *line.linear(),
            year=year,
            esun=esun,
            told=f"coefficients of {year} for {name}: {line.source}",
            esun_told=f"irradiance of the sun for {name}: {sun.source}" if sun else "",
            warnings=tuple(_warnings(line, name, asked)),
        )


def shipped_coefficients() -> Coefficients:
    """What is known of Gaofen's cameras."""
    return Coefficients(tuple(_lines(_SHIPPED)))


def read_coefficients(path: Path) -> Coefficients:
    """A user's table, which goes before what is known: a CSV with the columns of the file that ships.

    Raises:
        SceneError: if it cannot be read; names the line.
    """
    return Coefficients((*_lines(path), *_lines(_SHIPPED)))


def _warnings(line: Line, name: str, asked: int) -> Iterator[str]:
    if line.year != asked:
        yield f"no calibration coefficients of {asked} for {name} are known: those of {line.year} are taken"
    which, note = f"the calibration coefficients of {line.year} for {name}", f": {line.note}" if line.note else ""
    if line.trust == "doubtful":
        yield f"{which} are doubtful{note} ({line.source})"
    if line.trust == "secondary":
        yield f"{which} were not compared with the official notice ({line.source}){note}"


def _hint(camera: tuple[str, str, str], bands: int) -> str:
    """What to do without coefficients; the line is one that a user may complete."""
    gains, offsets, esun = (" ".join(f"{word}{band}" for band in range(1, bands + 1)) for word in ("G", "B", "E"))
    return (
        "keep the digital numbers: --as dn; or give a table of your own: --coefficients FILE.csv, with the lines "
        f"{_ENOUGH!r} and {','.join([*camera, 'YEAR', gains, offsets, esun])!r}"
    )


def _lines(path: Path) -> Iterator[Line]:
    try:
        numbered = list(enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1))
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"{path} cannot be read: {error}", hint="check the path, or save it as UTF-8") from error
    told = [(number, line) for number, line in numbered if line.strip(" \t,;") and not line.lstrip().startswith("#")]
    if len(told) < 2:
        raise SceneError(f"{path} holds no coefficients", hint=_columns_hint())
    (number, header), *rest = told
    between = ";" if header.count(";") > header.count(",") else ","
    columns = [name.lower() for name in _cells(f"{path}, line {number}", header, between)]
    for number, line in rest:
        where = f"{path}, line {number}"
        cells = _cells(where, line, between)
        if len(cells) > len(columns):
            raise SceneError(
                f"{where}, has {len(cells)} cells, the header {len(columns)}: {', '.join(columns)}",
                hint="write blanks between the values of several bands, and quotes around text that holds a comma",
            )
        data = {"source": f"{path.name}, line {number}"}
        data.update({column: cell for column, cell in zip(columns, cells, strict=False) if cell})
        yield checked(Line, data, where, kind=SceneError, hint=_columns_hint())


def _cells(where: str, line: str, between: str) -> list[str]:
    try:
        return [
            cell.strip() for cell in next(csv.reader([line], delimiter=between, skipinitialspace=True, strict=True))
        ]
    except csv.Error as error:
        raise SceneError(f"{where}: {error}", hint="mend its quotes") from error


def _columns_hint() -> str:
    return f"write these columns: {','.join(Line.model_fields)}; part is ms or pan, blanks stand between bands"
