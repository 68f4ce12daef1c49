"""`semreg export --to onnx|openvino`: a model as graphs, and how they compare with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from semreg.cli.options import load_annotator
from semreg.terminal import print_rows, progress_bar

NOT_SHOWN = ("concepts_mean",)


def export_model(model: str | None, kind: str, output: Path | None, *, int8: bool, calibrate: Path | None) -> None:
    """Export, and print where to and what the checks found."""
    annotator = load_annotator(model, "cpu")
    from semreg.exporting import default_output
    from semreg.exporting import export_model as export

    folder = output or default_output(model, annotator.name, kind)
    graphs = (1 + 2 * len(annotator.config.decoders)) * (2 if int8 else 1)
    with progress_bar("converting", graphs) as advance:
        manifest = export(annotator, kind, folder, calibrate=calibrate, int8=int8, say=_say, done=advance)
    checks = manifest.checks
    figures = list(dict.fromkeys(name for row in checks.values() for name in row if name not in NOT_SHOWN))
    rows = [[name.replace("_", " "), *(_shown(row.get(name)) for row in checks.values())] for name in figures]
    print_rows("beside torch in single precision", ["", *checks], rows)
    typer.echo(f"written: {folder}")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:.4g}"
