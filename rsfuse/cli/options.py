"""Options, spelt once: the same name means the same, and reads the same in --help, in every command.

| option                            | in                              |
|-----------------------------------|---------------------------------|
| --optical-bands, --sar-bands      | tile, predict, coreg, export    |
| --sar                             | tile, predict, export           |
| --sensor                          | tile, pansharpen, eval          |
| --ms-bands                        | tile, pansharpen, eval, export  |
| --align                           | tile, pansharpen, eval          |
| --out/-o                          | prepare, tile, train, predict, pansharpen, mosaic, export, demo |
| --unpacked                        | prepare, pansharpen             |
| --device                          | train, predict, pansharpen, eval, demo |
| --legend                          | tile, eval                      |
| --overwrite                       | all that write                  |
| --json, -q, -v                    | all                             |
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from rsfuse.cli import show

_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """Bytes of "2G" or "500M"."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not found:
        raise typer.BadParameter(f"{text!r} is not like 2G or 500M")
    return int(float(found[1]) * _SIZES[found[2].upper()])


def parse_batch(text: str) -> int:
    """Patches of "8"; 0 for "auto"."""
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is neither a number of patches nor auto")
    return 0 if text == "auto" else int(text)


class BandNumbers(tuple[int, ...]):
    """Band numbers, counted from 1; a type of its own because Typer takes a plain tuple for several values."""

    __slots__ = ()


def parse_bands(text: str) -> BandNumbers:
    """Band numbers of "3,2,1"."""
    try:
        bands = BandNumbers(int(number) for number in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not like 3,2,1") from None
    if min(bands) < 1:
        raise typer.BadParameter("bands are counted from 1")
    return bands


Sar = Annotated[
    Path | None,
    typer.Option(
        "--sar", help="SAR raster of the same place; warped on the fly if its grid differs.", show_default=False
    ),
]
OpticalBands = Annotated[
    BandNumbers | None,
    typer.Option(
        "--optical-bands",
        parser=parse_bands,
        metavar="N,N,...",
        help="Bands of the optical raster to use, in order; counted from 1.",
        show_default="all",
    ),
]
SarBands = Annotated[
    BandNumbers | None,
    typer.Option(
        "--sar-bands",
        parser=parse_bands,
        metavar="N,N,...",
        help="Bands of the SAR raster to use, in order; counted from 1.",
        show_default="all",
    ),
]
MsBands = Annotated[
    BandNumbers | None,
    typer.Option(
        "--ms-bands",
        parser=parse_bands,
        metavar="N,N,...",
        help="Bands of the multispectral raster to use, in order; counted from 1.",
        show_default="all",
    ),
]
Sensor = Annotated[
    str,
    typer.Option(
        "--sensor",
        metavar="CODE",
        help="Sensor, which says how sharp bands are: gf1, gf2, qb, ikonos, geoeye1, wv2, wv2-4, wv3, wv4, or other.",
    ),
]
Align = Annotated[
    bool,
    typer.Option(
        "--align", help="Undo the shift that is measured between the panchromatic and the multispectral image."
    ),
]
LegendName = Annotated[
    str,
    typer.Option(
        "--legend",
        help="What labels mean: a known legend such as whu-opt-sar, ddhr, dubai, or a YAML file.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N; for exported bundles also tensorrt.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Patches that go through the network together.")]
Unpacked = Annotated[
    bool,
    typer.Option(
        "--unpacked", help="Write a plain GeoTIFF in blocks, not packed and without overviews: less time, more bytes."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that is there already.")]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on standard output, everything else on standard error."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=show.set_quiet, help="Say nothing but warnings and errors.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", callback=show.set_verbose, help="Say more.")]
