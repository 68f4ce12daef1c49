"""The comparison as a page: the tables, and learning curves as PNG files and within it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semreg.comparison.summary import Run
from semreg.comparison.table import markdown
from semreg.errors import SemregError
from semreg.files import atomic_write

COLOURS = {"input": "#9a6a00", "state": "#00749e", "fusion": "#7a4fa3", "semantic": "#c22f2f"}
LETTERS = {"input": "(a) input", "state": "(b) state", "fusion": "(c) fusion", "semantic": "(d) semantic"}
STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 1.5rem }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left } img { max-width: 100%; background: #fff; border-radius: 6px }
"""


def write_page(results: dict[str, Any], runs: Sequence[Run], folder: Path) -> None:
    """Write `curves-WAY.png` for every way and `index.html`, which needs no other file.

    Raises:
        SemregError: matplotlib is not installed.
    """
    pictures = {}
    for way in results["ways"]:
        pictures[way] = _curves([run for run in runs if run.way == way])
        with atomic_write(folder / f"curves-{way}.png", binary=True) as file:
            file.write(pictures[way])
    with atomic_write(folder / "index.html") as page:
        page.write(_page(results, pictures))


def _curves(runs: Sequence[Run]) -> bytes:
    """The validation metric against updates and against seconds, a line a run, a colour an interface."""
    figure = require_matplotlib()(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for run in runs:
        label = LETTERS[run.interface] if run.seed == 0 else None
        for axis, places in zip(axes, (run.curve.updates, run.curve.seconds), strict=True):
            colour = COLOURS[run.interface]
            axis.plot(places, run.curve.values, color=colour, label=label, linewidth=1.6, alpha=0.85)
    for axis, what in zip(axes, ("updates", "seconds"), strict=True):
        axis.set_xlabel(what)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("validation metric")
    axes[0].legend(frameon=False, loc="lower right")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=130)
    return picture.getvalue()


def require_matplotlib() -> Any:
    """Its figures, which draw into files without a window.

    Raises:
        SemregError: it is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SemregError("learning curves need matplotlib: pip install 'semreg[eval]'") from None
    return Figure


def _page(results: dict[str, Any], pictures: dict[str, bytes]) -> str:
    title = f"{results['recipe']}: four interfaces on {results['data']}"
    body: list[str] = []
    waiting = dict(pictures)
    for block in markdown(results).split("\n\n"):
        lines = block.strip().splitlines()
        if not lines:
            continue
        if lines[0].startswith("# "):
            body.append(f"<h1>{_inline(lines[0][2:])}</h1>")
        elif lines[0].startswith("## "):
            body.append(f"<h2>{_inline(lines[0][3:])}</h2>")
            way = next(iter(waiting))  # titles and pictures come in the same order
            data = base64.b64encode(waiting.pop(way)).decode("ascii")
            body.append(f'<img alt="Learning curves, {html.escape(way)}" src="data:image/png;base64,{data}">')
        elif lines[0].startswith("|"):
            body.append(_table(lines))
        else:
            body.append(f"<p>{_inline(' '.join(lines))}</p>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _table(lines: Sequence[str]) -> str:
    rows = [[_inline(cell.strip()) for cell in line.strip("|").split("|")] for line in lines if "---" not in line]
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _inline(text: str) -> str:
    """Markdown's bold and code within a line; everything else as it stands."""
    parts = html.escape(text).replace("`", "").split("**")
    return "".join(f"<strong>{part}</strong>" if place % 2 else part for place, part in enumerate(parts))
