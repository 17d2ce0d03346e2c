"""Pictures of samples: labels, map, and where they differ."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA, Legend
from rsfuse.metrics.evaluation import JudgedSample
from rsfuse.raster.compared import Compared
from rsfuse.reports.evaluation.figures import class_key
from rsfuse.reports.evaluation.heat_map import commonest_errors
from rsfuse.reports.evaluation.worst import window_of, wrong_pixels, wrong_share
from rsfuse.reports.html.markup import element, embedded_exactly, figure, key, legend
from rsfuse.reports.thumbnails import Picture, dotted, hatched

RIGHT, WRONG = (226, 226, 226), (160, 40, 0)
"""Of pixels where labels and map agree, and where they differ: pale and dark."""

_NAMES = "labels", "map", "where they differ"
_SMALL = 256  # px: a picture that is shown larger than it is keeps its pixels
_COMMON = 2  # kinds of errors that are named


def draw_sample(rank: int, sample: JudgedSample, compared: Compared) -> Element:
    """Three pictures of a sample and what is wrong in it; its pixels are read, and none beside them."""
    window = window_of(sample, compared.grid.shape)
    labels, mapped = (compared.legend.to_index(codes) for codes in compared.read(window))
    pictures = (
        painted(labels, compared.legend, dotted(*labels.shape)),
        painted(mapped, compared.legend, hatched(*labels.shape)),
        differing(labels, mapped),
    )
    height, width = labels.shape
    shown = [
        element(
            "div",
            element("span", name),
            element(
                "img",
                src=embedded_exactly(each),
                alt=f"{name}, place {rank}",
                width=str(width),
                height=str(height),
                class_="small" if max(height, width) < _SMALL else "large",
            ),
        )
        for name, each in zip(_NAMES, pictures, strict=True)
    ]
    caption = element("figcaption", element("b", f"{rank}: "), sample_told(sample, compared))
    return element("figure", element("div", *shown, class_="three"), caption, class_="sample")


def sample_told(sample: JudgedSample, compared: Compared) -> str:
    """Where it is, and its figures."""
    scores, (column, row) = sample.confusion, sample.place
    errors = " and ".join(commonest_errors(scores, compared.legend, _COMMON))
    return (
        f"{compared.paths[0].name}, column {column:,}, row {row:,}: {wrong_pixels(scores):,} of {scores.pixels:,} "
        f"labelled pixels are wrong ({wrong_share(scores):.1%}), kappa {figure(scores.kappa, 4)}; above all {errors}"
    )


def colors_legend(classes: Legend) -> Element:
    """What colours in pictures stand for."""
    tokens = {"not labelled": dotted(14, 14), "no class on the map": hatched(14, 14)}
    tokens |= {"right": np.full((14, 14, 3), RIGHT, np.uint8), "wrong": np.full((14, 14, 3), WRONG, np.uint8)}
    others = [key(_framed(swatch), name) for name, swatch in tokens.items()]
    return legend(*(class_key(each.color, each.name) for each in classes), *others)


def _framed(swatch: Picture) -> Element:
    image = element("image", href=embedded_exactly(swatch), width=14, height=14)
    return element("g", image, element("rect", x=0.5, y=0.5, width=13, height=13, fill="none", stroke="#777"))


def painted(indices: NDArray[np.uint8], classes: Legend, empty: Picture) -> Picture:
    """Classes in their colours (h, w, 3), and another picture where there is none."""
    colors = np.zeros((NODATA + 1, 3), np.uint8)
    colors[: len(classes)] = [each.color for each in classes]
    shown: Picture = np.where((indices == NODATA)[..., None], empty, colors[indices])
    return shown


def differing(labels: NDArray[np.uint8], mapped: NDArray[np.uint8]) -> Picture:
    """Right and wrong pixels (h, w, 3), dotted where nobody said."""
    judged = np.where((labels == mapped)[..., None], np.array(RIGHT, np.uint8), np.array(WRONG, np.uint8))
    shown: Picture = np.where((labels == NODATA)[..., None], dotted(*labels.shape), judged)
    return shown
