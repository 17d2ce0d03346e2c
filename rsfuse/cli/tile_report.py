"""What `rsfuse tile` says in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rsfuse.cli import show

if TYPE_CHECKING:
    from rsfuse.raster.manifest import Manifest
    from rsfuse.raster.sharpening.patches import SharpeningReport
    from rsfuse.tasks.tile import TileReport


def show_tiles(report: TileReport, *, as_json: bool) -> None:
    """How many tiles of what, where the others went, and what there is to know about them."""
    manifest = report.manifest
    for note in manifest.notes:
        if manifest.options["split_by"] == "random" and note == manifest.notes[-1]:
            show.warning(note)
        else:
            show.note(f"note: {note}")
    if as_json:
        show.document(_document(report))
        return
    show_balance(manifest)
    told = ", ".join(f"{count} {name}" for name, count in report.splits.items())
    reasons = "; ".join(f"{count} {why}" for why, count in manifest.left_out.items())
    left_out = f", {sum(manifest.left_out.values())} left out ({reasons})" if reasons else ""
    again = ", all there before" if report.again else ""
    show.line(
        f"{report.folder}: {len(manifest.tiles)} tiles of {len(manifest.scenes)} scene(s) ({told}){left_out}{again}"
    )
    show.line(f"split: {manifest.split}")


def show_patches(report: SharpeningReport, seconds: float, *, as_json: bool) -> None:
    """The same for patches of a sharpening data set."""
    if as_json:
        show.document(
            {
                "tiles": sum(report.patches.values()),
                "splits": report.patches,
                "seconds": round(seconds, 2),
                "again": not report.written,
                "sensor": report.sensor,
                "left_out": report.left_out,
                "notes": report.notes,
            }
        )
        return
    for note in report.notes:
        show.note(f"note: {note}")
    told = ", ".join(f"{count} {split}" for split, count in report.patches.items())
    again = "" if report.written else ", all there before"
    show.line(f"{report.folder}: {sum(report.patches.values())} patches of {report.sensor} ({told}){again}")


def show_balance(manifest: Manifest) -> None:
    """Labelled pixels of each class and split, as a table; nothing where they were not counted."""
    from rsfuse.legend import Legend

    if all(tile.classes is None for tile in manifest.tiles):
        return
    balance = manifest.balance
    totals = {split: max(sum(row.values()), 1) for split, row in balance.items()}
    columns = ["code", "class", *(column for split in balance for column in (f"{split} px", "share"))]
    rows = [
        [each.code, each.name]
        + [cell for split in balance for cell in (balance[split][each.code], balance[split][each.code] / totals[split])]
        for each in Legend.from_dict(manifest.legend)
    ]
    show.table("labelled pixels", columns, rows)


def _document(report: TileReport) -> dict[str, Any]:
    manifest = report.manifest
    return {
        "tiles": len(manifest.tiles),
        "splits": report.splits,
        "seconds": round(report.seconds, 2),
        "planned_seconds": round(report.planned_s, 3),
        "again": report.again,
        "scenes": len(manifest.scenes),
        "size": manifest.size,
        "left_out": manifest.left_out,
        "split": manifest.split,
        "balance": manifest.balance,
        "notes": manifest.notes,
    }
