"""Figures of an evaluation: of all pixels together, and of each class."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.legend import Color, format_color
from rsfuse.metrics.confusion import kappas
from rsfuse.metrics.evaluation import Evaluation
from rsfuse.metrics.ratios import ratios
from rsfuse.reports.evaluation.exports import TOTALS
from rsfuse.reports.html.markup import element, figure, key

PLACES = 4
"""Digits of scores behind the point."""

_CALLED = {"precision": "user's accuracy", "recall": "producer's accuracy"}
"""What others call it."""

_COLUMNS = (
    "code",
    "IoU",
    "precision",
    "recall",
    "F1",
    "labelled pixels",
    "share",
)


def headline(evaluation: Evaluation) -> Element:
    """The scores of all pixels together, each with what it is, or why there is none."""
    told = _told(evaluation)
    boxes = []
    for name, title in TOTALS.items():
        value = evaluation.mkappa if name == "mkappa" else float(getattr(evaluation.confusion, name))
        shown = element("strong", figure(value, PLACES))
        boxes.append(element("div", title, shown, element("span", told[name], class_="soft"), class_="score"))
    return element("div", *boxes, class_="scores")


def class_table(evaluation: Evaluation) -> Element:
    """A row for each class, in the order of the legend."""
    scores = evaluation.confusion
    columns = np.stack([scores.iou, scores.precision, scores.recall, scores.f1], axis=1).tolist()
    shares = (100 * ratios(scores.labelled, np.full(len(scores.labelled), scores.pixels))).tolist()
    rows = []
    for at, each in enumerate(evaluation.legend):
        cells = [str(each.code), *(figure(value, PLACES) for value in columns[at])]
        cells += [f"{scores.labelled[at]:,}", _percent(shares[at])]
        name = element("th", class_key(each.color, each.name))
        rows.append(element("tr", name, *(element("td", cell) for cell in cells)))
    heads = element("tr", element("th", "class"), *(_head(name) for name in _COLUMNS))
    table = element("table", element("thead", heads), element("tbody", *rows), class_="classes")
    return element("div", table, class_="wide")


def class_key(color: Color, name: str) -> Element:
    """A class in its colour; framed, for it may be white."""
    return key(element("rect", x=0.5, y=0.5, width=13, height=13, fill=format_color(color), stroke="#777"), name)


def _head(name: str) -> Element:
    return element("th", name, *([element("small", _CALLED[name])] if name in _CALLED else []))


def _told(evaluation: Evaluation) -> dict[str, str]:
    scores = evaluation.confusion
    occurring = f"the {np.isfinite(scores.iou).sum()} of {len(evaluation.legend)} classes that occur"
    told = {
        "oa": "overall accuracy: the share of labelled pixels that are mapped right",
        "miou": f"mean IoU of {occurring}",
        "mf1": f"mean F1 of {occurring}",
        "kappa": "agreement beyond chance, of all pixels together",
    }
    told = {name: scores.reason(name) or text for name, text in told.items()}
    return told | {"mkappa": _mkappa_told(evaluation)}


def _mkappa_told(evaluation: Evaluation) -> str:
    judged = len(evaluation.samples)
    counting = int(np.isfinite(kappas(each.confusion for each in evaluation.samples)).sum())
    if not counting:
        return "no sample has a kappa that counts" if judged else evaluation.confusion.reason("oa")
    left = f"; {judged - counting:,} left out" if counting < judged else ""
    return f"mean kappa over {counting:,} sample{'s' * (counting > 1)} of {evaluation.sample}{left}"


def _percent(share: float) -> str:
    """Of pixels; little is not nothing."""
    if 0 < share < 0.01:
        return "<0.01%"
    return f"{share:.2f}%" if np.isfinite(share) else "-"
