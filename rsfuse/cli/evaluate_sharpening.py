"""`rsfuse eval --sharpening`: a sharpened raster against a reference, by the pair that it was made of, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import show
from rsfuse.cli.pan_ms import warn_of_nothing_to_align_by
from rsfuse.errors import RsfuseError

if TYPE_CHECKING:
    from rsfuse.metrics.sharpening.evaluation import SharpeningEvaluation
    from rsfuse.tasks.evaluate_sharpening import Judges, SharpeningRules

ENDINGS = (".csv", ".md", ".json")
"""Of reports."""

CUT = 21
"""Pixels at the border, as in the toolbox of Vivone et al. (2015, 2021)."""

_PANEL = "Pan-sharpening"
_WAYS = (
    "rsfuse eval --sharpening SHARP REFERENCE; rsfuse eval --sharpening SHARP --pan PAN --ms MS --sensor gf2; or both"
)

Sharpening = Annotated[
    bool,
    typer.Option(
        "--sharpening",
        help="Score a sharpened raster SHARP instead of a map. Against REFERENCE (reduced resolution): SAM, ERGAS, "
        "SCC, PSNR, Q2n. By --pan and --ms (full resolution): D_lambda, D_s, QNR, D_lambda_K, HQNR. Digital numbers "
        "count as they are stored, blocks have 32 x 32 px.",
        rich_help_panel=_PANEL,
    ),
]
Pan = Annotated[
    Path | None,
    typer.Option(
        "--pan",
        metavar="PAN",
        help="Panchromatic raster; SHARP has its pixels.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Ms = Annotated[
    Path | None,
    typer.Option(
        "--ms",
        metavar="MS",
        help="Multispectral raster that was sharpened.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Ratio = Annotated[
    float | None,
    typer.Option(
        "--ratio",
        min=1,
        help="Pixels of SHARP along the side of one that was sharpened, for ERGAS.",
        show_default="that of --pan and --ms, or 4",
        rich_help_panel=_PANEL,
    ),
]
Cut = Annotated[
    int,
    typer.Option(
        "--cut",
        metavar="PX",
        min=0,
        help="Border that is not held against REFERENCE. As in the toolbox of Vivone et al. 21 leaves 20 px out at the "
        "top and left, 21 at the bottom and right; 0: none. Without REFERENCE nothing is cut.",
        rich_help_panel=_PANEL,
    ),
]
Maximum = Annotated[
    float | None,
    typer.Option(
        "--maximum",
        min=1,
        help="The sensor's largest digital number, such as 2047, for PSNR.",
        show_default="that of REFERENCE, all bits set",
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True)
class Asked:
    """What stands on the command line."""

    files: Sequence[Path]
    pan: Path | None
    ms: Path | None
    sensor: str
    bands: tuple[int, ...] | None
    ratio: float | None
    cut: int
    maximum: float | None
    align: bool

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """Both files; None unless both are there."""
        return None if self.pan is None or self.ms is None else (self.pan, self.ms)

    @property
    def read(self) -> list[Path]:
        """All files that are read."""
        return [*self.files, *(path for path in (self.pan, self.ms) if path is not None)]

    @property
    def idle(self) -> list[str]:
        """Options that only have a meaning with --sharpening."""
        given = {
            "--pan": self.pan,
            "--ms": self.ms,
            "--sensor": None if self.sensor == "other" else self.sensor,
            "--ms-bands": self.bands,
            "--ratio": self.ratio,
            "--cut": None if self.cut == CUT else self.cut,
            "--maximum": self.maximum,
            "--align": self.align or None,
        }
        return [name for name, value in given.items() if value is not None]


def score_sharpening(asked: Asked, reports: Sequence[Path], *, as_json: bool) -> None:
    """Score, write reports, and tell.

    Args:
        asked: what is to be scored, and how.
        reports: files to write.
        as_json: tell it as one document.
    """
    from rsfuse.tasks.evaluate_sharpening import evaluate_sharpening, write_sharpening_reports

    scored = evaluate_sharpening(asked.files[0], *_understood(asked), show.progress)
    write_sharpening_reports(scored, reports)
    if asked.align and scored.shift is None:
        warn_of_nothing_to_align_by()
    if as_json:
        show.document(scored.to_dict())
    else:
        _tell(scored)


def check_alone(asked: Asked, others: Mapping[str, object]) -> None:
    """Refuse what does not go together.

    Args:
        asked: what is to be scored, and how.
        others: options of maps and bundles, by their names.

    Raises:
        RsfuseError: naming all that is too much or missing.
    """
    strange = [name for name, value in others.items() if value]
    if strange:
        raise RsfuseError(f"--sharpening knows no {', '.join(strange)}", hint=_WAYS)
    if (asked.pan is None) != (asked.ms is None):
        there, missing = ("--pan", "--ms") if asked.ms is None else ("--ms", "--pan")
        raise RsfuseError(f"{there} is given without {missing}", hint=_WAYS)
    count = len(asked.files)
    if count not in ((1, 2) if asked.pair else (2,)):
        there = "there is 1 file" if count == 1 else f"there are {count} files"
        raise RsfuseError(f"--sharpening takes SHARP and REFERENCE, or SHARP with --pan and --ms; {there}", hint=_WAYS)


def _understood(asked: Asked) -> tuple[Judges, SharpeningRules]:
    from rsfuse.tasks.evaluate_sharpening import Judges, SharpeningRules

    reference = asked.files[1] if len(asked.files) == 2 else None
    rules = SharpeningRules(asked.ratio, asked.cut, asked.maximum, asked.sensor, asked.bands, asked.align)
    return Judges(reference, asked.pair), rules


def _tell(scored: SharpeningEvaluation) -> None:
    """A table for each resolution, and by which rules."""
    for part, scores in scored.parts.items():
        show.table(
            f"{part} resolution",
            ("score", "value", "ideal"),
            [(each.name, each.value, f"{each.ideal:g}") for each in scores],
        )
    if scored.reduced is not None:
        bands = scored.reduced.to_dict()["bands"]
        show.table("by band", ("band", "RMSE", "UIQI"), [tuple(each.values()) for each in bands])
    show.line(f"{scored.pixels:,} px in {scored.seconds:.1f} s")
    for name, value in scored.conventions.items():
        show.line(f"{name}: {value}")
