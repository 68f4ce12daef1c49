"""The gallery as somebody uses it: a real browser, from disk, with the keyboard and with the mouse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from semreg.annotation import Annotation, Caption, Tag
from semreg.folders.gallery import write_gallery

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]
MANY = 230  # more than go into the page itself


def album(folder: Path) -> list[Annotation]:
    told = []
    for number in range(MANY):
        name = f"{number:03} ü#ä.jpg"
        Image.new("RGB", (40, 30), (number, 100, 50)).save(folder / name)
        tags = (Tag("dog" if number % 2 else "cat", 0.9), Tag("rare" if number == 7 else "grass", 0.4))
        told.append(Annotation(name, tags, Caption(f"animal number {number}", -0.5)))
    return told


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("a page #1")
    file = folder / "my page.html"
    write_gallery(album(folder), file, base=folder)
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(file.as_uri())
        yield page
        browser.close()


def count(page: Any, expected: str) -> None:
    page.wait_for_function("text => document.getElementById('count').textContent == text", arg=expected)
    shown = page.evaluate("[...document.querySelectorAll('article')].filter(card => !card.hidden).length")
    assert str(shown) == expected.split()[0]


def test_pictures_come_from_the_folder_beside_the_page(page: Any) -> None:
    page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth == 40")
    assert page.evaluate("[...document.images].filter(image => image.naturalWidth).length") < MANY  # not all at once
    assert page.complaints == []


def test_words_tags_and_probability_filter_together(page: Any) -> None:
    count(page, f"{MANY} pictures")
    page.keyboard.press("/")
    page.keyboard.type("animal number 1")
    with_a_one = [number for number in range(MANY) if "1" in str(number)]
    count(page, f"{len(with_a_one)} of {MANY} pictures")
    page.click("#frequent button[data-tag=dog]")
    count(page, f"{sum(number % 2 for number in with_a_one)} of {MANY} pictures")
    page.fill("#search", "grass")
    count(page, f"{MANY // 2 - 1} of {MANY} pictures")
    page.evaluate("least.value = 50; least.dispatchEvent(new Event('input'))")
    count(page, f"0 of {MANY} pictures")  # no tag "grass" counts any more
    assert page.is_visible("#none") and page.inner_text("#shown-least") == "50%"
    page.keyboard.press("Escape")
    count(page, f"{MANY} pictures")


def test_a_tag_on_a_card_is_chosen_by_keyboard_and_let_go_again(page: Any) -> None:
    page.focus("article:nth-of-type(8) .tags li:nth-child(2) button")
    page.keyboard.press("Enter")
    count(page, f"1 of {MANY} pictures")
    page.click("#frequent button[data-tag=rare]")
    count(page, f"{MANY} pictures")
    assert page.complaints == []


def test_a_new_page_uses_what_is_there_and_removes_what_is_not_shown(tmp_path: Path) -> None:
    told = album(tmp_path)
    write_gallery(told, tmp_path / "p.html", base=tmp_path)
    made = {path: path.stat().st_ino for path in (tmp_path / "p.thumbnails").rglob("*.jpg")}
    assert len(made) == MANY
    for path in made:
        os.utime(path, (1, 1))
    write_gallery(told[:-10], tmp_path / "p.html", base=tmp_path)
    again = {path: path.stat().st_ino for path in (tmp_path / "p.thumbnails").rglob("*.jpg")}
    assert len(again) == MANY - 10 and again.items() <= made.items()
