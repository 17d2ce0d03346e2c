"""`rsfuse demo`: the whole road on a simulated scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import evaluate, options, predict_report, show

if TYPE_CHECKING:
    from rsfuse.legend import Legend
    from rsfuse.simulate import ScenePaths

DEMO_BUNDLE = "demo"
PICTURE_SIDE = 640


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that the demo makes.")] = Path("demo"),
    size: Annotated[int, typer.Option("--size", min=256, help="Sides of the simulated scene in pixels.")] = 4096,
    seed: Annotated[int, typer.Option("--seed", help="Which scene; the bundle was trained on seeds 1 to 99.")] = 2026,
    cloud: Annotated[float, typer.Option("--cloud", min=0, max=1, help="Share of the optical under cloud.")] = 0.15,
    batch_size: options.BatchSize = 4,
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Simulate a cloudy GF-like scene, map it, score the map against the exact truth, and draw it all."""
    import json

    from rsfuse.learn.bundles.land_cover import Bundle
    from rsfuse.learn.runtimes.waking import wake
    from rsfuse.raster.scene import Scene
    from rsfuse.simulate import SimulatedScene, write_scene
    from rsfuse.tasks.evaluate import evaluate_maps
    from rsfuse.tasks.predict import PredictSettings
    from rsfuse.tasks.predict import predict as map_scene

    predictor = wake(Bundle.open(DEMO_BUNDLE), device=device)  # first: where it cannot be run, nothing is simulated
    show.note(f"simulating {size} x {size} px, {cloud:.0%} cloud, seed {seed}: everything in this demo is simulated")
    with show.progress("simulating", "windows") as progress:
        simulated = SimulatedScene(height=size, width=size, seed=seed, cloud=cloud)
        paths = write_scene(simulated, out, overwrite=overwrite, progress=progress)
    with Scene(paths.optical, paths.sar) as scene, show.progress("predicting", "patches") as progress:
        settings = PredictSettings(batch_size=batch_size, overwrite=overwrite)
        report = map_scene(scene, predictor, out / "map.tif", settings, progress)
    with show.progress("comparing", "samples") as progress:
        scores = evaluate_maps([(report.output, paths.truth)], progress=progress)
    document = {
        "simulated": True,
        "prediction": predict_report.document(report, [predictor]),
        "scores": scores.to_dict(),
        "picture": str(out / "demo.png"),
    }
    (out / "metrics.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    _draw(paths, report.output, scores.legend, out / "demo.png")
    if as_json:
        show.document(document)
    else:
        predict_report.tell(report)
        evaluate.tell(scores)
        show.line(f"look at {out / 'demo.png'}; the map is {report.output}, the figures are in {out / 'metrics.json'}")


def _draw(paths: ScenePaths, mapped: Path, legend: Legend, picture: Path) -> None:
    from rsfuse.raster.quicklook import look_at_image, look_at_map
    from rsfuse.reports.panels import draw_panels

    draw_panels(
        {
            "optical (simulated)": look_at_image(paths.optical, PICTURE_SIDE, (3, 2, 1)),
            "SAR (simulated)": look_at_image(paths.sar, PICTURE_SIDE, (1,)),
            "map": look_at_map(mapped, PICTURE_SIDE, legend),
            "truth": look_at_map(paths.truth, PICTURE_SIDE, legend),
        },
        legend,
        picture,
    )
