"""The page itself: its look, light, dark and printed, and the few elements that its sections are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from semreg.data.thumbnails import thumbnail

_THUMBNAIL = 360  # width of a picture on the page, in pixels
_QUALITY = 76

_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --card: #fff; --ink: #22211f; --dim: #67645e; --line: #e3e0da;
  --mat: #eceae5; --good: #2f6b4f; --goodchip: #e3efe7; --bad: #a03123; --badchip: #f6e5e1; --rail: #edebe6;
  --c0: #2f6b4f; --c1: #b4581c; --c2: #3f5fa8; --c3: #8a4a8c; --c4: #7a6a14; --c5: #8f2f45; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --card: #20201e; --ink: #ebe9e4; --dim: #a29f97;
  --line: #33322f; --mat: #1a1a18; --good: #8cc9a8; --goodchip: #22332a; --bad: #f0968a; --badchip: #3b2522;
  --rail: #2a2a27; --c0: #8cc9a8; --c1: #eda36b; --c2: #93b0f0; --c3: #d79ad8; --c4: #d3c269; --c5: #ee8fa4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem clamp(1rem, 4vw, 3rem) 3rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: clamp(1.6rem, 4vw, 2.2rem); line-height: 1.15; letter-spacing: -.02em; text-wrap: balance; }
h2 { margin: 3rem 0 .75rem; font-size: 1.35rem; letter-spacing: -.01em; }
h3 { margin: 0 0 .5rem; font-size: .95rem; }
p { margin: .5rem 0; max-width: 46rem; }
.sub, footer, figcaption, .hint { color: var(--dim); font-size: .875rem; }
.sub { margin: .4rem 0 0; }
.alarm { margin: 1.25rem 0 0; padding: .7rem 1rem; border-radius: .6rem; background: var(--badchip); color: var(--bad);
  max-width: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.2rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0;
  padding: 0; list-style: none; }
.tiles li, figure, .card, .table { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; }
.tiles li { padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.5rem; line-height: 1.2; letter-spacing: -.02em; font-weight: 600; }
.tiles span { color: var(--dim); font-size: .8rem; }
.table { overflow-x: auto; padding: .4rem .7rem; margin: .75rem 0; width: fit-content; max-width: 100%; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .35rem .55rem; text-align: right; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { color: var(--dim); font-weight: 500; vertical-align: bottom; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
td.number, th.number { text-align: right !important; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem;
  margin: 1rem 0; align-items: start; }
figure { margin: 0; padding: 1rem 1.1rem; break-inside: avoid; }
figure svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 13px system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.bars text { font-size: 13px; } svg .value { fill: var(--ink); }
.grid { stroke: var(--line); fill: none; } .faint { stroke: var(--dim); stroke-dasharray: 2 4; fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.c0 { stroke: var(--c0); } .line.c1 { stroke: var(--c1); } .line.c2 { stroke: var(--c2); }
.line.c3 { stroke: var(--c3); } .line.c4 { stroke: var(--c4); } .line.c5 { stroke: var(--c5); }
.dot.c0 { fill: var(--c0); } .dot.c1 { fill: var(--c1); } .dot.c2 { fill: var(--c2); }
.dot.c3 { fill: var(--c3); } .dot.c4 { fill: var(--c4); } .dot.c5 { fill: var(--c5); }
.mark { fill: var(--ink); stroke: var(--card); } .rail { fill: var(--rail); } .bar { fill: var(--c0); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .5rem 0 0; padding: 0; list-style: none; }
.key li { display: flex; align-items: center; gap: .4rem; }
figure .key svg { width: 28px; height: 14px; flex: none; }
figcaption p { margin: .5rem 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15.5rem, 100%), 1fr)); gap: 1rem; }
section > h3 { margin: 1.6rem 0 .6rem; }
.beside { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: flex-start; }
.beside > * { max-width: 100%; }
.beside h3 { margin: .75rem 0 0; }
.card { overflow: hidden; break-inside: avoid; display: flex; flex-direction: column; }
.card img, .blank { display: block; width: 100%; height: auto; aspect-ratio: 4 / 3; object-fit: contain;
  background: var(--mat); }
.blank { display: grid; place-items: center; color: var(--dim); }
.text { padding: .8rem 1rem 1rem; font-size: .9rem; display: flex; flex-direction: column; gap: .45rem; flex: 1; }
.text p { margin: 0; }
.said { font-size: 1rem; line-height: 1.4; }
.refs { color: var(--dim); }
.name { margin-top: auto !important; padding-top: .3rem; color: var(--dim); font-size: .78rem; }
.chips { display: flex; flex-wrap: wrap; gap: .3rem; margin: 0; padding: 0; list-style: none; }
.chips li { padding: .08rem .55rem; border-radius: 1rem; font-size: .82rem; background: var(--rail); }
.chips .right { background: var(--goodchip); color: var(--good); } .chips .wrong { background: var(--badchip);
  color: var(--bad); }
.chips .missed { background: none; border: 1px dashed var(--dim); color: var(--dim); }
.right::before { content: "✓ "; } .wrong::before { content: "✗ "; } .missed::before { content: "– "; }
details { margin: .75rem 0; }
summary { cursor: pointer; color: var(--good); width: fit-content; border-radius: .3rem; }
:focus-visible { outline: 3px solid var(--good); outline-offset: 2px; }
footer { margin-top: 3rem; }
@media (max-width: 30rem) { th, td { padding: .3rem .4rem; } .wide :is(th, td) { padding: .3rem .18rem; }
  table { font-size: .76rem; } .wide table { font-size: .72rem; }
  .table { padding: .3rem .4rem; } figure { padding: .8rem; } h2 { margin-top: 2.4rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); gap: .5rem; }
  .tiles li { padding: .5rem .6rem; } .tiles b { font-size: 1.2rem; } }
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --dim: #444; --line: #bbb; --rail: #eee; --mat: #fff;
    --good: #14553a; --goodchip: #fff; --bad: #800; --badchip: #fff;
    --c0: #14553a; --c1: #a04000; --c2: #1c3f94; --c3: #6d2a6f; --c4: #5c4f00; --c5: #8f2f45; }
  body { max-width: none; padding: 0; font-size: 10pt; } h2, h3 { break-after: avoid; }
  .plots { grid-template-columns: 1fr 1fr 1fr; gap: .6rem; } figure { padding: .6rem; } .table { break-inside: avoid; }
  .tiles { grid-template-columns: repeat(6, 1fr); } details:not([open]) { display: none; }
  h2 { margin-top: 1.6rem; } th, td { padding: .2rem .4rem; }
  .cards { display: block; columns: 4; column-gap: .6rem; } .text { padding: .5rem .6rem; font-size: 8pt; }
  .card { margin-bottom: .8rem; display: block; } .chips .right, .chips .wrong { border: 1px solid; }
}
"""


def page(title: str, subtitle: str, sections: Iterable[str], footer: str) -> str:
    """The whole page. Its policy lets nothing load and nothing run, whatever a file name or a caption holds."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{text(title)}</h1><p class="sub">{text(subtitle)}</p></header>
<main>
{"".join(sections)}
</main>
<footer>{footer}</footer>
</body>
</html>
"""


def text(content: object) -> str:
    """Any text, safe inside the page."""
    return escape(str(content), quote=True)


def section(title: str, *parts: str) -> str:
    """A part of the page under its own heading."""
    return f"<section><h2>{text(title)}</h2>\n{''.join(parts)}</section>\n"


def paragraph(content: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{text(content)}</p>\n' if kind else f"<p>{text(content)}</p>\n"


def tiles(figures: Sequence[tuple[str, str]]) -> str:
    """The figures that matter most, large: value and name of each."""
    items = "".join(f"<li><b>{text(value)}</b><span>{text(name)}</span></li>" for value, name in figures)
    return f'<ul class="tiles">{items}</ul>\n'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table: so many columns of words on the left, the rest are figures."""

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = ("" if place < words else ' class="number"' for place in range(len(cells)))
        whole = (text(cell).replace("-", "\u2011") for cell in cells)  # C-F1 stays on one line
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, whole, strict=True))

    body = "".join(f"<tr>{row(cells, 'td')}</tr>\n" for cells in rows)
    head = f"<thead><tr>{row(columns, 'th')}</tr></thead>"
    kind = "table wide" if len(columns) > 6 else "table"
    return f'<div class="{kind}"><table class="words">{head}<tbody>\n{body}</tbody></table></div>\n'


def beside(*parts: str) -> str:
    """Parts next to each other, or below where the page is narrow."""
    return f'<div class="beside">{"".join(f"<div>{part}</div>" for part in parts)}</div>\n'


def details(summary: str, content: str) -> str:
    """Something to unfold."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>\n"


def chips(items: Iterable[tuple[str, str]]) -> str:
    """Labels in a row, each with its kind: right, wrong, missed, or plain."""
    return f'<ul class="chips">{"".join(f"<li class={kind!r}>{text(label)}</li>" for label, kind in items)}</ul>'


def card(path: Path, name: str, alt: str, *parts: str) -> str:
    """A picture with what is to be said of it; a blank where the picture is gone."""
    small = thumbnail(path, _THUMBNAIL, _QUALITY)
    image = '<div class="blank">no picture</div>'
    if small is not None:
        image = f'<img width="{small.width}" height="{small.height}" alt="{text(alt)}" src="{small.uri}">'
    told = "".join([*parts, f'<p class="name">{text(name)}</p>'])
    return f'<article class="card">{image}<div class="text">{told}</div></article>\n'


def cards(items: Iterable[str]) -> str:
    """Cards side by side."""
    return f'<div class="cards">{"".join(items)}</div>\n'


def percent(value: float | None) -> str:
    """A share as it stands in tables."""
    return "–" if value is None else f"{100 * value:.1f}"
