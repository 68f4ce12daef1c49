"""Plots as inline SVG, drawn by hand: lines, marks and bars that follow the page's colours, light, dark and printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

_WIDTH, _HEIGHT = 400, 300  # in units of the drawing; it is scaled to the width that the page has
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 44
_COLOURS = 6  # the page's --c0 .. --c5
_DASHES = ("", "6 3", "2 3", "9 3 2 3", "1 4", "12 4")  # so that lines can be told apart without colour
_BAR, _LABEL, _VALUE = 24, 112, 44  # a row's height, the widths for its name and its figure


@dataclass(frozen=True)
class Line:
    """A line through points; `dots` also marks each point, with its own radius where `sizes` has one."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False
    sizes: Sequence[float] = ()


@dataclass(frozen=True)
class Plot:
    """A plot with two axes.

    Attributes:
        title: what it shows, in a few words; also read out instead of the drawing.
        x: what the horizontal axis counts.
        y: what the vertical axis counts.
        lines: what is drawn.
        marks: single points with names.
        x_range: from and to; None takes what the points need.
        y_range: the same of the vertical axis.
        diagonal: whether to draw a faint line from the lower left to the upper right corner.
        note: a sentence below the plot.
    """

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    marks: Sequence[tuple[str, float, float]] = ()
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    diagonal: bool = False
    note: str = ""


def draw(plot: Plot) -> str:
    """The plot as an HTML figure with its key."""
    xs = [x for line in plot.lines for x, _ in line.points] + [x for _, x, _ in plot.marks]
    ys = [y for line in plot.lines for _, y in line.points] + [y for _, _, y in plot.marks]
    across = _Axis(plot.x_range or _span(xs), _LEFT, _WIDTH - _RIGHT)
    up = _Axis(plot.y_range or _span(ys), _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(across, up, plot.x, plot.y)]
    if plot.diagonal:
        parts.append(f'<path class="faint" d="M{_LEFT} {_HEIGHT - _BOTTOM}L{_WIDTH - _RIGHT} {_TOP}"/>')
    for number, line in enumerate(plot.lines):
        placed = [(across.place(x), up.place(y)) for x, y in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        colour = f"c{number % _COLOURS}"
        if len(placed) > 1:
            dash = _DASHES[number % len(_DASHES)]
            parts.append(f'<path class="line {colour}" stroke-dasharray="{dash}" d="M{path}"/>')
        if line.dots or len(placed) == 1:
            sizes = line.sizes or [3.0] * len(placed)
            parts += [
                f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
                for (x, y), size in zip(placed, sizes, strict=True)
            ]
    parts += [_mark(number, across.place(x), up.place(y)) for number, (_, x, y) in enumerate(plot.marks)]
    drawing = _svg(plot.title, _WIDTH, _HEIGHT, "".join(parts))
    note = f"<p>{escape(plot.note)}</p>" if plot.note else ""
    return f"<figure><h3>{escape(plot.title)}</h3>{drawing}<figcaption>{_key(plot)}{note}</figcaption></figure>"


def bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Horizontal bars as an HTML figure.

    Args:
        title: what they show.
        rows: name, value in 0..1, what to write behind the bar.
    """
    room = _WIDTH - _LABEL - _VALUE
    parts = []
    for number, (name, value, text) in enumerate(rows):
        top, middle = number * _BAR, number * _BAR + _BAR / 2
        short = name if len(name) <= 16 else name[:15] + "…"
        told = f"{escape(short)}<title>{escape(name)}</title>"
        parts.append(
            f'<text x="{_LABEL - 8}" y="{middle + 4}" text-anchor="end">{told}</text>'
            f'<rect class="rail" x="{_LABEL}" y="{top + 6}" width="{room}" height="{_BAR - 12}"/>'
            f'<rect class="bar" x="{_LABEL}" y="{top + 6}" width="{room * value:.1f}" height="{_BAR - 12}"/>'
            f'<text class="value" x="{_LABEL + room + 6}" y="{middle + 4}">{escape(text)}</text>'
        )
    drawing = _svg(title, _WIDTH, max(1, len(rows)) * _BAR, "".join(parts))
    return f'<figure class="bars"><h3>{escape(title)}</h3>{drawing}</figure>'


@dataclass(frozen=True)
class _Axis:
    """A scale from values to places on the drawing."""

    span: tuple[float, float]
    start: float
    end: float
    ticks: list[float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ticks", _ticks(*self.span))

    def place(self, value: float) -> float:
        low, high = self.span
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """From 0, or what lies below, to a round number above all values."""
    high, low = max([*values, 0.0]), min([*values, 0.0])
    if high == low:
        return low, low + 1
    step = _step(high - low)
    return math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step


def _step(width: float) -> float:
    """A round number that goes into the width about four times."""
    size = 10.0 ** math.floor(math.log10(width / 4))
    return size * next(factor for factor in (1, 2, 5, 10) if width / (size * factor) <= 5)


def _ticks(low: float, high: float) -> list[float]:
    step = _step(high - low)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _frame(across: _Axis, up: _Axis, x: str, y: str) -> str:
    """Grid, figures and names of the axes."""
    bottom, parts = _HEIGHT - _BOTTOM, []
    for value in up.ticks:
        place = up.place(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {place:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">{_figure(value)}</text>')
    for value in across.ticks:
        place = across.place(value)
        parts.append(f'<path class="grid" d="M{place:.1f} {_TOP}V{bottom}"/>')
        anchor = "end" if place > _WIDTH - 24 else "middle"
        edge = _WIDTH - 2 if anchor == "end" else place
        parts.append(f'<text x="{edge:.1f}" y="{bottom + 17}" text-anchor="{anchor}">{_figure(value)}</text>')
    parts.append(
        f'<text class="axis" x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>'
    )
    middle = (_TOP + bottom) / 2
    turn = f'transform="translate(12 {middle}) rotate(-90)"'
    return "".join(parts) + f'<text class="axis" {turn} text-anchor="middle">{escape(y)}</text>'


def _mark(number: int, x: float, y: float) -> str:
    """One of four shapes."""
    shapes = ("M-5 -5H5V5H-5Z", "M0 -6L6 5H-6Z", "M0 -7L6 0L0 7L-6 0Z", "M-6 -5H6L0 6Z")
    return f'<path class="mark" transform="translate({x:.1f} {y:.1f})" d="{shapes[number % len(shapes)]}"/>'


def _key(plot: Plot) -> str:
    """What each line and mark stands for; nothing where a single line has said it in the title."""
    if len(plot.lines) + len(plot.marks) < 2:
        return ""
    items = []
    for number, line in enumerate(plot.lines):
        dash, colour = _DASHES[number % len(_DASHES)], f"c{number % _COLOURS}"
        swatch = f'<path class="line {colour}" stroke-dasharray="{dash}" d="M1 7H27"/>'
        items.append(f'<li><svg viewBox="0 0 28 14" aria-hidden="true">{swatch}</svg>{escape(line.name)}</li>')
    for number, (name, _, _) in enumerate(plot.marks):
        items.append(f'<li><svg viewBox="0 0 28 14" aria-hidden="true">{_mark(number, 14, 7)}</svg>{escape(name)}</li>')
    return f'<ul class="key">{"".join(items)}</ul>'


def _svg(title: str, width: int, height: int, content: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{content}</svg>'


def _figure(value: float) -> str:
    if abs(value) >= 10000:
        return f"{value / 1000:g}k"
    return f"{value:.10g}"
