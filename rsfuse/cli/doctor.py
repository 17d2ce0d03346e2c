"""`rsfuse doctor`: what there is to work with."""

from __future__ import annotations

from rsfuse.cli import options, show


def doctor(as_json: options.Json = False, quiet: options.Quiet = False, verbose: options.Verbose = False) -> None:
    """Show versions, GDAL drivers, devices, runtimes, free memory and disk: paste it into a report."""
    from rsfuse.tasks.doctor import doctor as examine

    findings = examine()
    if as_json:
        show.document(findings)
        return
    for section, rows in findings.items():
        show.line(section)
        for name, finding in rows.items():
            show.line(f"  {name:<20} {finding}")
