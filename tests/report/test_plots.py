"""Plots: well-formed drawings inside their frame, whatever the values."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.report.plots import Line, Plot, bars, draw

numbers = st.floats(-1e6, 1e6)
points = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6)


def places(figure: str) -> list[tuple[float, float]]:
    """Where lines, dots and marks lie on the drawing."""
    paths = re.findall(r'class="line c\d" stroke-dasharray="[^"]*" d="M([^"]*)"', figure.split("<figcaption>")[0])
    found = [tuple(map(float, pair.split())) for path in paths for pair in path.split("L")]
    found += [(float(x), float(y)) for x, y in re.findall(r'cx="([^"]*)" cy="([^"]*)"', figure)]
    found += [(float(x), float(y)) for x, y in re.findall(r'class="mark" transform="translate\((\S+) (\S+)\)', figure)]
    return found  # type: ignore[return-value]


@given(st.lists(points, min_size=1, max_size=8), points)
def test_everything_lies_inside_the_frame(
    lines: list[list[tuple[float, float]]], marks: list[tuple[float, float]]
) -> None:
    drawn = [Line(f"line {number}", line, dots=True) for number, line in enumerate(lines)]
    figure = draw(Plot("title", "x", "y", drawn, [("mark", x, y) for x, y in marks]))
    ElementTree.fromstring(figure)
    found = places(figure)
    assert len(found) >= sum(map(len, lines)) + len(marks)
    assert all(0 <= x <= 400 and 0 <= y <= 300 for x, y in found)
    assert "nan" not in figure and "inf" not in figure


def test_places_follow_the_axes() -> None:
    figure = draw(Plot("t", "x", "y", [Line("a", [(0, 0), (1, 1)], dots=True)], (), (0, 1), (0, 1)))
    (x0, y0), (x1, y1) = places(figure)[:2]
    assert x0 < x1 and y0 > y1  # up is up
    ticks = re.findall(r">([\d.]+)</text>", figure)
    assert ticks == ["0", "0.2", "0.4", "0.6", "0.8", "1"] * 2


@pytest.mark.parametrize(("value", "tick"), [(3e5, "100k"), (0.004, "0.001"), (7, "2")])
def test_ticks_are_round(value: float, tick: str) -> None:
    assert f">{tick}</text>" in draw(Plot("t", "x", "y", [Line("a", [(1, value), (2, value / 2)])]))


def test_names_are_escaped_and_the_key_tells_lines_from_marks() -> None:
    figure = draw(Plot("<t>", "x & y", "y", [Line("<a>", [(0, 1), (1, 2)])], [("<b>", 0.5, 1)], note="<n>"))
    ElementTree.fromstring(figure)
    assert figure.count("<li>") == 2 and "&lt;a&gt;" in figure and "<b>" not in figure
    assert '<ul class="key">' not in draw(Plot("t", "x", "y", [Line("a", [(0, 1)])]))


def test_bars() -> None:
    figure = bars("t", [("a very long label indeed", 1.0, "100"), ("<b>", 0.0, "0")])
    ElementTree.fromstring(figure)
    widths = [float(width) for width in re.findall(r'class="bar" [^>]*width="([^"]*)"', figure)]
    assert widths[0] > 200 and widths[1] == 0
    assert "a very long lab…" in figure and "<title>a very long label indeed</title>" in figure
    ElementTree.fromstring(bars("empty", []))
