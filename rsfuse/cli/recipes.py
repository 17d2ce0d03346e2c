"""`rsfuse recipes`: what ships, and what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.learn.recipes.training import Training


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Recipe to print, as a start for your own.", show_default=False)
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """List the recipes that ship, or print one."""
    from rsfuse.learn.recipes.reading import find_recipe, read_recipe, read_recipe_text, recipe_names

    if as_json:
        names = [find_recipe(name).stem] if name else recipe_names()
        show.document({each: read_recipe(each).model_dump(mode="json") for each in names})
    elif name:
        show.line(read_recipe_text(name))
    else:
        read = [(each, read_recipe(each)) for each in recipe_names()]
        show.table(
            "recipes",
            ("name", "crop", "steps", "what for"),
            [(each, recipe.training.crop, _length(recipe.training), recipe.description) for each, recipe in read],
        )


def _length(training: Training) -> str:
    return f"{training.steps:,}" if training.steps else f"{training.epochs:,} ep."
