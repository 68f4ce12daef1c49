"""A folder's annotations as one page to look at: a single HTML file that needs nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

from semreg.annotation import Annotation
from semreg.data.thumbnails import thumbnail
from semreg.files import atomic_write

_THUMBNAIL = 480  # width of a picture on the page, in pixels
_CONCEPTS = 12  # how many of the strongest concepts a card lists

_STYLE = """
:root { color-scheme: light dark; --page: #f6f5f2; --card: #fff; --ink: #22211f; --dim: #67645e;
  --line: #e3e0da; --mat: #eceae5; --chip: #eef1ec; --accent: #2f6b4f; --bad: #a03123; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --card: #20201e; --ink: #ebe9e4;
  --dim: #a29f97; --line: #33322f; --mat: #1a1a18; --chip: #2b2f2b; --accent: #8cc9a8; --bad: #f0968a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 88rem; padding: 2.5rem clamp(1rem, 4vw, 3rem) 3rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: end; justify-content: space-between;
  margin-bottom: 2rem; }
h1 { margin: 0; font-size: clamp(1.6rem, 4vw, 2.2rem); line-height: 1.15; letter-spacing: -.02em;
  text-wrap: balance; }
h2 { margin: 3rem 0 .5rem; font-size: 1.15rem; }
#count, footer { color: var(--dim); font-size: .875rem; }
#count { margin: .3rem 0 0; }
#search { display: none; flex: 1; min-width: min(100%, 14rem); max-width: 30rem; padding: .6rem .9rem;
  border: 1px solid var(--dim); border-radius: .6rem; background: var(--card); color: inherit;
  font: inherit; }
.live #search { display: block; }
::placeholder { color: var(--dim); opacity: 1; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem; }
article { display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--line);
  border-radius: .9rem; overflow: hidden; }
[hidden] { display: none !important; }
img, .blank { display: block; width: 100%; height: auto; aspect-ratio: 4 / 3; background: var(--mat); }
img { object-fit: cover; }
img.whole { object-fit: contain; }
.blank { display: grid; place-items: center; color: var(--dim); }
.text { display: flex; flex-direction: column; gap: .7rem; padding: 1rem 1.1rem 1.1rem; flex: 1; }
.text p { margin: 0; }
.caption { font-size: 1.06rem; line-height: 1.4; text-wrap: pretty; }
.caption::first-letter { text-transform: uppercase; }
ul { list-style: none; margin: 0; padding: 0; }
.tags { display: flex; flex-wrap: wrap; gap: .4rem; }
.tags li { padding: .12rem .6rem; border-radius: 1rem; background: var(--chip); font-size: .875rem; }
small { color: var(--dim); font-size: .75rem; font-variant-numeric: tabular-nums; margin-left: .2rem; }
details { font-size: .875rem; }
summary { cursor: pointer; color: var(--accent); width: fit-content; border-radius: .3rem; }
.concepts { columns: 2; column-gap: 1.5rem; margin-top: .4rem; }
.concepts li { display: flex; justify-content: space-between; align-items: baseline; padding: .1rem 0;
  border-bottom: 1px solid var(--line); break-inside: avoid; }
.text .name { margin-top: auto; padding-top: .2rem; color: var(--dim); font-size: .8rem; }
.failed li { padding: .6rem 0; border-bottom: 1px solid var(--line); }
.failed p { margin: 0; color: var(--bad); }
footer { margin-top: 3rem; }
@media (max-width: 40rem) { img, img.whole { aspect-ratio: auto; max-height: 80vh; object-fit: contain; } }
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --dim: #444; --line: #bbb; --chip: #eee; --bad: #800; }
  body { max-width: none; padding: 0; }
  .live #search, details { display: none; }
  main { display: block; columns: 3; column-gap: .8rem; }
  article { break-inside: avoid; margin-bottom: .8rem; }
  img { aspect-ratio: auto; }
}
"""

_SCRIPT = """
const search = document.getElementById("search"), count = document.getElementById("count");
const cards = [...document.querySelectorAll("article")], none = document.getElementById("none");
const texts = cards.map(card => card.textContent.toLowerCase());
const all = cards.length == 1 ? "1 picture" : `${cards.length} pictures`;
function filter() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  cards.forEach((card, i) => {
    card.hidden = !words.every(word => texts[i].includes(word));
    shown += !card.hidden;
  });
  count.textContent = words.length ? `${shown} of ${all}` : all;
  none.hidden = shown > 0 || cards.length == 0;
}
document.documentElement.classList.add("live");
search.addEventListener("input", filter);
filter();
"""


def write_gallery(
    annotations: Iterable[Annotation], path: Path, *, base: Path | None = None, title: str = "Pictures"
) -> None:
    """Write one HTML page with a card for every annotation, as they come; the failed ones stand at its end.

    Pictures are embedded (JPEG, 480 pixels wide, turned upright), so that the page can be sent by itself and
    asks nothing from the network. They are read from `file_name`, below `base` when given; one that can no
    longer be read gets a card without picture. An older page stays as it was until the new one is complete.

    Raises:
        SemregError: the page cannot be written.
    """
    failed: list[Annotation] = []
    models: set[str] = set()
    with atomic_write(path) as page:
        page.write(_head(title))
        for annotation in annotations:
            models.add(annotation.model)
            if annotation.error is not None:
                failed.append(annotation)
            else:
                page.write(_card(annotation, base))
        page.write('</main>\n<p id="none" role="status" hidden>No picture says that.</p>\n')
        if failed:
            page.write(f'<section class="failed"><h2>Not read ({len(failed)})</h2>\n<ul>\n')
            page.writelines(_failure(annotation) for annotation in failed)
            page.write("</ul></section>\n")
        page.write(f"<footer>{_text(', '.join(sorted(models - {''})))}</footer>\n")
        page.write(f"<script>{_SCRIPT}</script>\n</body>\n</html>\n")


def _head(title: str) -> str:
    # The policy lets nothing load and nothing run but the one script of this page, whatever a file name
    # holds.
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<div><h1>{_text(title)}</h1><p id="count" role="status"></p></div>
<input id="search" type="search" placeholder="Search" aria-label="Search captions, tags and file names">
</header>
<main>
"""


def _card(annotation: Annotation, base: Path | None) -> str:
    name = annotation.file_name or ""
    caption = annotation.caption.text if annotation.caption else ""
    tags = ", ".join(tag.label for tag in annotation.tags)
    image = _image((base or Path()) / name, alt=caption or tags or name) if name else None
    parts = [f'<p class="caption">{_text(caption)}</p>'] if caption else []
    if annotation.tags:
        parts.append(_scored("tags", [(tag.label, tag.score) for tag in annotation.tags]))
    if annotation.concepts:
        strongest = sorted(annotation.concepts, key=lambda item: -item.score)[:_CONCEPTS]
        concepts = _scored("concepts", [(item.concept, item.score) for item in strongest])
        parts.append(f"<details><summary>Concepts</summary>\n{concepts}</details>")
    if name:
        parts.append(f'<p class="name">{_text(name)}</p>')
    image = image or '<div class="blank">no picture</div>'
    return f'<article>\n{image}\n<div class="text">{"".join(parts)}</div>\n</article>\n'


def _scored(kind: str, items: list[tuple[str, float]]) -> str:
    rows = (f"<li>{_text(label)} <small>{score:.0%}</small></li>" for label, score in items)
    return f'<ul class="{kind}">{"".join(rows)}</ul>\n'


def _failure(annotation: Annotation) -> str:
    name = _text(annotation.file_name or "a picture without name")
    return f"<li>{name}<p>{_text(annotation.error or '')}</p></li>\n"


def _text(text: str) -> str:
    return escape(text, quote=True)


def _image(path: Path, alt: str) -> str | None:
    """Return the picture's element with a small upright JPEG in it, or None when it cannot be read."""
    small = thumbnail(path, _THUMBNAIL)
    if small is None:
        return None
    width, height = small.width, small.height
    fits = 1.15 < width / height < 1.6  # any other shape would lose too much in a 4:3 frame and is shown whole
    shape = "" if fits else ' class="whole"'
    return f'<img{shape} width="{width}" height="{height}" alt="{_text(alt)}" src="{small.uri}">'
