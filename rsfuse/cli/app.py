"""The application: every sub-command, and what becomes of errors."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rsfuse import __version__
from rsfuse.cli import (
    bundles,
    coreg,
    demo,
    doctor,
    evaluate,
    export,
    info,
    mosaic,
    pansharpen,
    predict,
    prepare,
    recipes,
    show,
    tile,
    train,
)
from rsfuse.cli.extras import explained
from rsfuse.errors import RsfuseError

MISTAKE, INTERRUPTED = 2, 130


class RsfuseGroup(TyperGroup):
    """Turns an error into two lines and an exit code: no traceback for bad input."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except RsfuseError as error:
            show.error(error)
            raise typer.Exit(MISTAKE) from error
        except ModuleNotFoundError as error:
            mistake = explained(error, ctx.invoked_subcommand)
            if mistake is None:
                raise
            show.error(mistake)
            raise typer.Exit(MISTAKE) from error
        except KeyboardInterrupt as interrupt:
            show.note(str(interrupt) or "interrupted: nothing was left under the final name")
            raise typer.Exit(INTERRUPTED) from interrupt


app = typer.Typer(
    cls=RsfuseGroup,
    help="Land cover maps of large optical + SAR scenes, by networks that fuse in the frequency domain.",
    epilog="Start with: rsfuse demo. Exit codes: 0 done, 1 and 3 of a check (coreg), 2 a mistake that is explained, "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("prepare")(prepare.prepare)
app.command("coreg")(coreg.coreg)
app.command("tile")(tile.tile)
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("pansharpen")(pansharpen.pansharpen)
app.command("mosaic")(mosaic.mosaic)
app.command("eval")(evaluate.evaluate)
app.command("export")(export.export)
app.command("info")(info.info)
app.command("demo")(demo.demo)
app.command("recipes")(recipes.recipes)
app.command("bundles")(bundles.bundles)
app.command("doctor")(doctor.doctor)


def _tell_version(asked: bool) -> None:
    if asked:
        show.line(f"rsfuse {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Land cover maps of large optical + SAR scenes, by networks that fuse in the frequency domain."""
