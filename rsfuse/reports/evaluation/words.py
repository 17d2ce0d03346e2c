"""What else an evaluation knows, in words: for a terminal, a page or a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rsfuse.metrics.area import StratifiedSample
from rsfuse.metrics.evaluation import Evaluation
from rsfuse.reports.html.markup import figure


def more(report: Evaluation) -> Iterator[str]:
    """What else was counted beside the classes and the scores of all pixels, a sentence each."""
    scores, extras = report.confusion, report.extras
    for name in ("oa", "miou", "kappa"):
        if scores.reason(name):
            yield f"{name}: {scores.reason(name)}"
    if report.intervals:
        told = ", ".join(
            f"{name} {figure(low, 4)} to {figure(high, 4)}" for name, (low, high) in report.intervals.items()
        )
        yield f"95 % of resamples of the samples: {told}"
    for each in extras.boundary:
        yield f"boundaries at {each.tolerance} px: IoU {figure(each.miou, 4)}, F1 {figure(each.mf1, 4)}"
    if extras.calibration is not None:
        yield f"expected calibration error: {figure(extras.calibration.ece, 4)}"
    if extras.rivals is not None:
        (_, behind), (ahead, _) = extras.rivals.counts.tolist()
        told = f"right alone: this map in {ahead:,} px, the other in {behind:,}; McNemar p {extras.rivals.p_value:.3g}"
        yield f"{told}, too small where neighbours are alike"
    if report.estimated is not None:
        yield from _estimated(report.estimated, report.legend.names)


def _estimated(found: StratifiedSample, names: Sequence[str]) -> Iterator[str]:
    yield f"estimated OA: {figure(float(found.overall.value), 4)} +- {figure(float(found.overall.half_width), 4)}"
    rows = zip(names, found.users.value, found.producers.value, found.areas.value, found.areas.half_width, strict=True)
    for name, user, producer, area, half in rows:
        hectares = f"{figure(area / 1e4, 1)} +- {figure(half / 1e4, 1)} ha"
        yield f"estimated {name}: user's accuracy {figure(user, 4)}, producer's {figure(producer, 4)}, {hectares}"
    if found.reason:
        yield found.reason
