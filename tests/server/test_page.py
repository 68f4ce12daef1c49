"""The page as people use it, in a real browser: with a mouse, with the keyboard alone, on a phone, and by its sound."""

from __future__ import annotations

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from semreg.data.records import read_records

from .conftest import PICTURES, Serve

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="the page's tests need chromium: apt-get install chromium"),
]
DOG, GIRAFFES = PICTURES / "dog.jpg", PICTURES / "giraffes.jpg"
PATIENCE = 120_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, client: Any) -> Iterator[Any]:
    """The page, which must not complain on its console and must ask nothing of anyone else."""
    yield from opened(browser, client)


def opened(browser: Any, client: Any, **options: Any) -> Iterator[Any]:
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    own = ("blob:", "data:", str(client.base_url))
    page.on("request", lambda request: None if request.url.startswith(own) else complaints.append(request.url))
    page.goto(f"{client.base_url}/")
    yield page
    assert complaints == []
    context.close()


def _complains(message: Any) -> bool:
    """Whether the browser complains of the page; that the server refused something (4xx) is told on the page."""
    return message.type == "error" and "the server responded with a status of 4" not in message.text


def give(page: Any, *paths: Path) -> None:
    page.set_input_files("#files", [str(path) for path in paths])
    page.locator("#concepts-part").wait_for()


def follow(page: Any, action: Any) -> float:
    """Do something that the caption follows; the milliseconds that took."""
    page.evaluate("performance.clearMeasures()")
    action()
    for _ in range(PATIENCE // 20):
        found = page.evaluate("performance.getEntriesByName('follow').map(entry => entry.duration)")
        if found:
            return float(found[-1])
        page.wait_for_timeout(20)
    raise AssertionError("the page did not follow")


def caption(page: Any) -> str:
    return str(page.input_value("#caption"))


def saved(page: Any, kind: str) -> str:
    with page.expect_download() as download:
        page.click(f"[data-save={kind}]:not([data-all])")
    assert download.value.suggested_filename == f"dog.{kind}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_a_picture_is_told_corrected_and_saved(page: Any) -> None:
    give(page, DOG)
    before = caption(page)
    assert "dog" in before
    page.fill("#add-word", "cat")
    follow(page, lambda: page.press("#add-word", "Enter"))
    follow(page, lambda: page.click("[data-concept=dog]"))
    assert "cat" in caption(page) and "dog" not in caption(page)
    assert page.locator("#tags li").first.inner_text().startswith("cat")
    assert page.get_attribute("[data-concept=cat]", "aria-pressed") == "true"
    assert page.get_attribute("[data-concept=dog]", "aria-pressed") == "false"
    told = json.loads(saved(page, "json"))
    assert told["caption"]["text"] == caption(page) and told["file_name"] == "dog.jpg"
    (row,) = csv.DictReader(io.StringIO(saved(page, "csv")))
    assert row["caption"] == caption(page) and row["tags"].startswith("cat")
    assert caption(page) in "".join(ElementTree.fromstring(saved(page, "xmp")).itertext())
    follow(page, lambda: page.click("#reset"))
    assert caption(page) == before


def test_a_chip_is_dragged_across_and_back(page: Any) -> None:
    give(page, DOG)
    before = caption(page)

    def drag(concept: str, pool: str) -> None:
        page.locator(f"[data-concept={concept}]").hover()
        page.mouse.down()
        page.locator(f".pool:has(#{pool})").hover()
        page.mouse.up()

    follow(page, lambda: drag("dog", "unseen"))
    assert page.locator("#unseen [data-concept=dog]").count() == 1 and "dog" not in caption(page)
    follow(page, lambda: drag("dog", "seen"))
    assert page.locator("#seen [data-concept=dog]").count() == 1 and caption(page) == before
    assert page.locator(".ghost").count() == 0
    follow(page, lambda: page.click("[data-concept=dog]"))  # the next click is a switch again
    assert "dog" not in caption(page)


def test_the_keyboard_alone_is_enough_and_what_changes_is_said(page: Any) -> None:
    give(page, DOG)
    page.focus("[data-concept=dog]")
    follow(page, lambda: page.keyboard.press("Space"))
    assert page.evaluate("document.activeElement.dataset.concept") == "dog"
    assert page.get_attribute("#live", "role") == "status"
    assert page.inner_text("#live").startswith(f"Caption: {caption(page)}")
    page.focus("#must-word")
    page.keyboard.type("bench")
    follow(page, lambda: page.keyboard.press("Enter"))
    assert "bench" in caption(page)
    page.keyboard.press("Tab")  # the button
    page.keyboard.press("Tab")  # the word, to be taken back
    assert page.evaluate("document.activeElement.dataset.word") == "bench"
    follow(page, lambda: page.keyboard.press("Enter"))
    assert "bench" not in caption(page) and page.evaluate("document.activeElement.id") == "must-word"


def test_words_and_other_captions_and_own_words(page: Any) -> None:
    give(page, DOG)
    other = page.locator("#others button").first.inner_text()
    page.locator("#others button").first.click()
    assert caption(page) == other
    page.fill("#caption", "My own dog")
    assert "10 characters" in page.inner_text("#length") and "own words" in page.inner_text("#length")
    page.fill("#caption", "x" * 130)
    assert "longer than the 125" in page.inner_text("#length")
    page.fill("#never-word", "dog")
    page.press("#never-word", "Enter")
    page.locator("#never [data-word=dog]").wait_for()
    page.fill("#must-word", "xyzzy")
    page.press("#must-word", "Enter")
    page.locator("#trouble").wait_for()
    assert "xyzzy" in page.inner_text("#trouble") and page.locator("#must [data-word]").count() == 0


def test_it_says_why(page: Any) -> None:
    give(page, DOG)
    page.click("#explain")
    page.locator("#why h3").first.wait_for()
    assert "dog" in page.locator("#why li").first.inner_text()
    page.click("#explain")
    assert page.inner_text("#why") == ""


def test_several_pictures_and_one_that_is_none(page: Any, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_text("<html>not a cat</html>")
    page.set_input_files("#files", [str(DOG), str(tmp_path / "cat.jpg"), str(GIRAFFES)])
    page.locator("#strip .done").nth(1).wait_for()
    page.locator("#strip .failed").click()
    assert page.inner_text("#trouble").startswith("Cat.jpg:") and page.locator("#work").is_hidden()
    page.locator("#strip .done").nth(1).click()
    assert "giraffe" in caption(page)
    with page.expect_download() as download:
        page.click("[data-save=json][data-all]")
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["file_name"] for line in lines] == ["dog.jpg", "giraffes.jpg"]


def test_a_picture_is_pasted_and_dropped(page: Any) -> None:
    page.wait_for_load_state("networkidle")
    send = """async ([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "dog.jpg", { type: "image/jpeg" }));
        const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        page.evaluate(send, [kind, list(DOG.read_bytes())])
    page.locator("#strip .done").nth(1).wait_for()
    assert "dog" in caption(page)


def test_a_correction_is_kept(browser: Any, serve: Serve, tmp_path: Path) -> None:
    client = serve(corrections=tmp_path)
    for page in opened(browser, client):
        give(page, DOG)
        page.fill("#caption", "my dog on the heath")
        page.click("#keep")
        page.get_by_text("Kept: 1 so far").wait_for()
    (record,) = read_records(tmp_path)
    assert record.captions == ("my dog on the heath",) and "dog" in record.tags
    assert record.path.read_bytes() == DOG.read_bytes()


def test_a_token_is_asked_for_once(browser: Any, serve: Serve) -> None:
    client = serve(token="s3cret")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{client.base_url}/")
    page.fill("#token", "s3cret")
    page.keyboard.press("Enter")
    page.set_default_timeout(PATIENCE)
    give(page, DOG)
    assert "dog" in caption(page)
    context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_sticks_out_on_any_screen(browser: Any, client: Any, width: int) -> None:
    for page in opened(browser, client, viewport={"width": width, "height": 740}, has_touch=width < 768):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        give(page, DOG, GIRAFFES)
        page.click("#explain")
        page.locator("#why h3").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto(f"{client.base_url}/docs")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(browser: Any, client: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # axe is a script from elsewhere
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{client.base_url}/")

    def faults() -> list[str]:
        return [
            f"{each['impact']}: {each['id']} {each['nodes'][0]['target']}"
            for each in axe.run(page).response["violations"]
        ]

    assert faults() == []
    give(page, DOG, GIRAFFES)
    page.fill("#must-word", "bench")
    page.press("#must-word", "Enter")
    page.click("#explain")
    page.locator("#why h3").first.wait_for()
    assert faults() == []
    page.goto(f"{client.base_url}/docs")
    assert faults() == []
    context.close()
