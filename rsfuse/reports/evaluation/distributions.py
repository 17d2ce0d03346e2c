"""How scores are spread over samples."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.metrics.confusion import kappas
from rsfuse.metrics.evaluation import Evaluation
from rsfuse.metrics.ratios import Floats, mean
from rsfuse.reports.evaluation.figures import PLACES
from rsfuse.reports.html.axes import Axis, bar, frame
from rsfuse.reports.html.markup import drawing, element, figure, key, legend

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _RIM = 360, 270, 58, 46, 10
_BINS = 20
_ENOUGH = 10  # samples, for one in ten to mean something
_COLOR = "#0067a8"


def draw_distributions(evaluation: Evaluation) -> Element:
    """Histograms of OA and of kappa."""
    confusions = [each.confusion for each in evaluation.samples]
    accuracies = np.array([each.oa for each in confusions], np.float64)
    return element(
        "div",
        _spread("OA of samples", accuracies, "without labels"),
        _spread("kappa of samples", kappas(confusions), "with one class only, or below chance"),
        class_="charts",
    )


def _spread(name: str, values: Floats, missing: str) -> Element:
    """A histogram of the values that are there."""
    there = values[np.isfinite(values)]
    told = [f"left out: {len(values) - len(there):,} {missing}"] if len(there) < len(values) else []
    if not len(there):
        return element("figure", element("h3", name), element("p", "No sample has one."), legend(*told))
    if len(there) >= _ENOUGH:
        told.insert(0, f"one in ten is below {figure(float(np.percentile(there, 10)), PLACES)}")
    line = element("line", x1=7, x2=7, y1=0, y2=14, class_="average")
    average = key(line, f"mean {figure(mean(there), PLACES)}")
    return element("figure", element("h3", name), _histogram(name, there), legend(average, "; ".join(told)))


def _histogram(name: str, values: Floats) -> Element:
    """Values lie from 0 to 1."""
    counts, edges = np.histogram(values, _BINS, (0, 1))
    shares = 100 * counts / len(values)
    across, up = Axis(0, 1, _LEFT, _WIDTH - _RIM), Axis(0, 1.08 * float(shares.max()), _HEIGHT - _BOTTOM, _RIM)
    bars = element("g", class_="bars")
    for count, share, left, right in zip(*(each.tolist() for each in (counts, shares, edges, edges[1:])), strict=False):
        drawn = bar(across, up, (left, right), share, _COLOR)
        drawn.append(element("title", f"{count:,} samples, {left:.2f} to {right:.2f}"))
        bars.append(drawn)
    x = across.at(mean(values))
    line = element("line", x1=x, x2=x, y1=up.start, y2=up.end, class_="average")
    names = name.split()[0], "% of samples"
    return drawing((_WIDTH, _HEIGHT), name, frame(across, up, names), bars, line)
