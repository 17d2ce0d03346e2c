"""The page about an evaluation: a single file of HTML that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element

from rsfuse import __version__
from rsfuse.metrics.evaluation import Evaluation
from rsfuse.raster.compared import Compared
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.map_pairs import MapPair
from rsfuse.reports.evaluation.distributions import draw_distributions
from rsfuse.reports.evaluation.error_map import draw_errors, errors_legend
from rsfuse.reports.evaluation.figures import PLACES, class_table, headline
from rsfuse.reports.evaluation.heat_map import commonest_errors, draw_heat_map, heat_map_legend
from rsfuse.reports.evaluation.page_style import STYLE
from rsfuse.reports.evaluation.pictures import colors_legend, draw_sample
from rsfuse.reports.evaluation.words import more
from rsfuse.reports.evaluation.worst import MOST, Worst, wrong_pixels, wrong_share
from rsfuse.reports.html.markup import document, element, figure

_NAMED = 3  # files in the title
_ERRORS = 5  # kinds of errors that are named

_HOW = (
    "{pixels:,} labelled pixels are compared; what nobody labelled is left out, and what the map leaves empty counts "
    "as wrong. The labels decide: how good the labels are is not measured, and where they are wrong a right map is "
    'counted as wrong. "-" stands where there is nothing to divide by: a class that is neither labelled nor mapped has '
    "no score, one that is not labelled no recall, one that is not mapped no precision; means leave such classes out."
)
_SHARES = "Each row is what became of the pixels that are labelled as one class, in percent of them."
_SAMPLES = (
    "Each sample ({}) is scored by itself. Kappa says nothing of a sample with one class only; such a sample, and one "
    "that agrees less than chance would, is left out of mKappa."
)
_WORST = "The samples with most wrong pixels, of those with at least {few:,.0f} labelled pixels, half of what is usual."


@dataclass(frozen=True)
class EvaluationPage:
    """All that is on it.

    Args:
        evaluation: the scores.
        pairs: maps and their labels; none where a bundle was judged on tiles.
        reopen: opens a pair again, to look at pictures.
    """

    evaluation: Evaluation
    pairs: tuple[MapPair, ...]
    reopen: Callable[[Path, Path], Compared]

    @cached_property
    def worst(self) -> Worst:
        """Its worst samples."""
        return Worst(self.evaluation)

    @cached_property
    def names(self) -> str:
        """Of the maps or tiles: the first few, and how many more."""
        sources = dict.fromkeys(each.source for each in self.evaluation.samples)
        return _listed([mapped.name for mapped, _ in self.pairs] or list(sources)) or "nothing"


def write_page(page: EvaluationPage, path: Path) -> None:
    """Write the page; a file that is there is replaced.

    A few pairs are opened again, one after another; of each, the worst samples alone are read.

    Raises:
        SceneError: if a raster is truncated or damaged, or gone.
        OutputError: if the file cannot be written.
    """
    text = _draw(page)
    with writing(path):
        replace_text(path, text)


def _draw(page: EvaluationPage) -> str:
    return document(
        f"{page.names}: scores",
        STYLE,
        *_introduction(page),
        element("h2", "Classes"),
        class_table(page.evaluation),
        element("ul", *(element("li", text) for text in more(page.evaluation))),
        *_confusion(page.evaluation),
        *_distributions(page.evaluation),
        *_places(page),
        element("p", f"rsfuse {__version__}, eval", class_="soft"),
    )


def _introduction(page: EvaluationPage) -> list[Element]:
    """Names, and the scores of all pixels together."""
    labels = _listed([labels.name for _, labels in page.pairs])
    judges = f"judged by {labels}" if labels else "judged by the labels of the tiles"
    return [
        element("p", "How well does the map agree with the labels?", class_="soft"),
        element("h1", page.names),
        element("p", judges, class_="soft files"),
        headline(page.evaluation),
        element("p", _HOW.format(pixels=page.evaluation.confusion.pixels)),
    ]


def _confusion(evaluation: Evaluation) -> list[Element]:
    """What is taken for what."""
    errors = commonest_errors(evaluation.confusion, evaluation.legend, _ERRORS)
    told = f" Most pixels are lost by: {'; '.join(errors)}." if errors else ""
    chart = draw_heat_map(evaluation.confusion, evaluation.legend), heat_map_legend()
    return [element("h2", "What is taken for what"), element("p", _SHARES + told), element("figure", *chart)]


def _distributions(evaluation: Evaluation) -> list[Element]:
    """How samples differ."""
    if not evaluation.samples:
        return [element("p", "There is no sample with a label: nothing more to show.")]
    how = element("p", _SAMPLES.format(evaluation.sample))
    return [element("h2", "How samples differ"), how, draw_distributions(evaluation)]


def _places(page: EvaluationPage) -> list[Element]:
    """Where errors lie, and the worst places."""
    if not page.evaluation.samples:
        return []
    told = element("p", _WORST.format(few=page.worst.few) if page.worst.samples else "No labelled pixel is wrong.")
    if not page.pairs:
        return [element("h2", "The worst samples"), told, *_worst_table(page.worst)]
    maps, pictures = _opened(page)
    drawn = [element("h2", "Where the map is wrong"), *_left_out(page), element("div", *maps, class_="maps two")]
    drawn += [errors_legend(page.worst), element("h2", "The worst samples"), told]
    return [*drawn, colors_legend(page.evaluation.legend), *pictures] if pictures else drawn


def _opened(page: EvaluationPage) -> tuple[list[Element], list[Element]]:
    """Maps of errors, and pictures of the worst samples from the worst on."""
    maps: list[Element] = []
    pictures: dict[int, Element] = {}
    for mapped, labels in page.worst.maps(page.pairs):
        samples = [each for each in page.evaluation.samples if each.source == str(mapped)]
        with page.reopen(mapped, labels) as compared:
            drawn = draw_errors(mapped.name, compared.grid.shape, page.worst, samples)
            maps.append(element("figure", element("h3", mapped.name), drawn))
            pictures |= {rank: draw_sample(rank, each, compared) for rank, each in page.worst.ranks(mapped)}
    return maps, [pictures[rank] for rank in sorted(pictures)]


def _left_out(page: EvaluationPage) -> list[Element]:
    if len(page.pairs) <= MOST:
        return []
    told = (
        f"{MOST} of {len(page.pairs):,} maps: those in which the worst samples lie, then those with most wrong pixels."
    )
    return [element("p", told)]


def _worst_table(worst: Worst) -> list[Element]:
    """Where there are no pictures."""
    if not worst.samples:
        return []
    names = "sample", "wrong pixels", "labelled pixels", "share wrong", "kappa"
    rows = []
    for each in worst.samples:
        scores = each.confusion
        cells = f"{wrong_pixels(scores):,}", f"{scores.pixels:,}", f"{wrong_share(scores):.1%}"
        shown = [element("td", cell) for cell in (*cells, figure(scores.kappa, PLACES))]
        rows.append(element("tr", element("th", each.source), *shown))
    heads = element("thead", element("tr", *(element("th", name) for name in names)))
    return [element("table", heads, element("tbody", *rows), class_="worst")]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
