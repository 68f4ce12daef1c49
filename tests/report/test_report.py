"""The page about a model: whole, self-contained, safe, and made of the same figures as `semreg evaluate`."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import semreg
from semreg import Annotator, SemregError
from semreg.data.records import Record, of_split, read_records
from semreg.evaluate import Predictions, evaluate, predict
from semreg.report.report import find_run, write_report

VOID = {"meta", "img", "input", "br"}


class Checker(HTMLParser):
    """Every element is closed in its order; collects what elements would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


@pytest.fixture(scope="module")
def annotator(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


@pytest.fixture(scope="module")
def records(data: Path) -> list[Record]:
    return of_split(read_records(data), "test")


@pytest.fixture(scope="module")
def predictions(annotator: Annotator, records: list[Record]) -> Predictions:
    return predict(annotator, records)


def page(annotator: Annotator, predictions: Predictions, path: Path, **options: object) -> str:
    write_report(path, annotator, predictions, data="shapes", split="test", **options)  # type: ignore[arg-type]
    content = path.read_text("utf-8")
    checker = Checker()
    checker.feed(content)
    assert checker.open == [] and "script" not in checker.tags
    assert all(address.startswith("data:image/jpeg;base64,") for address in checker.loaded)
    assert "url(" not in content and "@import" not in content
    return content


def test_the_whole_page(
    annotator: Annotator, records: list[Record], predictions: Predictions, run_folder: Path, tmp_path: Path
) -> None:
    content = page(annotator, predictions, tmp_path / "my répört.html", run=run_folder)
    for heading in ("Tags", "Captions", "What the RNN changed", "Best and worst pictures", "Learning"):
        assert f"<h2>{heading}</h2>" in content
    for plot in ("Precision and recall", "Reliability", "F1 over thresholds", "Average precision", "Training loss"):
        assert f"<h3>{plot}" in content
    result = evaluate(annotator, records)
    for name in ("O-F1", "C-F1", "C-P", "O-R"):
        assert f'<td class="number">{100 * result["tags"]["sets"]["own"][name]:.1f}</td>' in content
    assert f"<b>{result['captions']['CIDEr-D']:.3f}</b>" in content
    assert content.count("<img") >= 6 and "Reference: A " in content
    assert re.search(r'class="chips"><li class=.(right|wrong|missed)', content)


def test_captions_alone_and_tags_alone(
    annotator: Annotator, records: list[Record], predictions: Predictions, tmp_path: Path
) -> None:
    untagged = replace(predictions, records=[replace(record, tags=()) for record in records])
    content = page(annotator, untagged, tmp_path / "captions.html")
    assert "<h2>Captions</h2>" in content and "<h2>Tags</h2>" not in content and "Learning" not in content
    silent = replace(predictions, records=[replace(record, captions=()) for record in records])
    content = page(annotator, silent, tmp_path / "tags.html")
    assert "<h2>Tags</h2>" in content and "<h2>Captions</h2>" not in content and "By F1 of the tags" in content
    with pytest.raises(SemregError, match="neither tags nor captions"):
        bare = replace(predictions, records=[replace(record, tags=(), captions=()) for record in records])
        page(annotator, bare, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_names_and_captions_cannot_break_the_page(
    annotator: Annotator, records: list[Record], predictions: Predictions, tmp_path: Path
) -> None:
    nasty = "<img src='http://x.invalid/a.png'><script>alert(1)</script>"
    changed = [replace(r, file_name=nasty, tags=(*r.tags, nasty), captions=(nasty,)) for r in records]
    told = replace(predictions, records=changed, captions=[nasty] * len(records), problems=[nasty])
    content = page(annotator, told, tmp_path / "nasty.html")
    assert "&lt;script&gt;" in content
    assert "the same caption for every picture" in content  # the alarm
    assert "1 pictures could not be read" not in content and "1 picture could not be read" in content


def test_pictures_that_are_gone_get_a_blank(
    annotator: Annotator, records: list[Record], predictions: Predictions, tmp_path: Path
) -> None:
    gone = replace(predictions, records=[replace(record, path=tmp_path / "gone.jpg") for record in records])
    content = page(annotator, gone, tmp_path / "gone.html")
    assert "<img" not in content and content.count('class="blank"') >= 6


def test_a_single_picture(annotator: Annotator, records: list[Record], tmp_path: Path) -> None:
    content = page(annotator, predict(annotator, records[:1]), tmp_path / "one.html")
    assert "<h2>Tags</h2>" in content and "Best and worst" not in content


def test_the_run_of_a_model_is_found_beside_it(run_folder: Path, tmp_path: Path) -> None:
    assert find_run(run_folder / "model") == run_folder
    assert find_run(tmp_path / "model") is None and find_run(None) is None
