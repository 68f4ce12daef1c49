"""The gallery page: complete by itself, deaf to hostile names, readable without its pictures."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from semreg.annotation import Annotation, Caption, Concept, Tag
from semreg.folders.gallery import write_gallery

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


class Page(HTMLParser):
    """Collects the elements and their attributes, and the text that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(tmp_path, annotations, **options) -> tuple[str, Page]:
    write_gallery(annotations, tmp_path / "page.html", **options)
    html = (tmp_path / "page.html").read_text("utf-8")
    return html, Page(html)


def picture(element: dict[str, str | None]) -> Image.Image:
    kind, data = element["src"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_card_says_everything(tmp_path):
    Image.new("RGB", (960, 480), "red").save(tmp_path / "a.png")
    concepts = tuple(Concept(f"c{i}", i / 20) for i in range(20))
    dog = Annotation("a.png", (Tag("dog", 0.97),), Caption("a dog runs", -0.5), (), concepts, "m@1")
    html, parsed = page(tmp_path, iter([dog]), base=tmp_path, title="My dogs")
    assert parsed.all("html") == [{"lang": "en"}]
    assert "<title>My dogs</title>" in html
    assert [image["alt"] for image in parsed.all("img")] == ["a dog runs"]
    assert picture(parsed.all("img")[0]).size == (480, 240)
    for said in ("a dog runs", "dog 97%", "a.png", "c19 95%", "m@1"):
        assert said in parsed.text
    assert "c1 5%" not in parsed.text
    assert len(parsed.all("details")) == 1


def test_nothing_hostile_survives(tmp_path):
    both = Annotation(EVIL, (Tag(EVIL, 0.5),), Caption(EVIL, -1.0), (), (Concept(EVIL, 0.5),), EVIL)
    _, parsed = page(tmp_path, [both, Annotation.failed(EVIL, EVIL, EVIL)], title=EVIL)
    assert len(parsed.all("script")) == 1
    assert parsed.all("img") == []
    assert parsed.text.count(EVIL) == 9
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)


def test_asks_nothing_from_the_network_and_runs_only_its_script(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    html, parsed = page(tmp_path, [Annotation("a.png")], base=tmp_path)
    assert "http:" not in html and "https:" not in html and "url(" not in html and "@import" not in html
    for _, attributes in parsed.elements:
        assert attributes.get("src", "data:").startswith("data:")
        assert "href" not in attributes
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy


def test_exif_orientation_is_respected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    _, parsed = page(tmp_path, [Annotation("a.jpg")], base=tmp_path)
    assert picture(parsed.all("img")[0]).size == (20, 40)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_modes(tmp_path, mode):
    white = {"I;16": 65535, "F": 255.0, "CMYK": (0, 0, 0, 0)}.get(mode, "white")
    Image.new(mode, (8, 6), white).save(tmp_path / "a.tif")
    _, parsed = page(tmp_path, [Annotation("a.tif")], base=tmp_path)
    assert min(picture(parsed.all("img")[0]).convert("L").getextrema()) > 250


def test_transparent_is_shown_on_white(tmp_path):
    Image.new("RGBA", (8, 6), (0, 0, 0, 0)).save(tmp_path / "a.png")
    _, parsed = page(tmp_path, [Annotation("a.png")], base=tmp_path)
    assert picture(parsed.all("img")[0]).convert("L").getextrema() == (255, 255)


def test_alt_falls_back_to_tags_then_name(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    shown = [Annotation("a.png", (Tag("dog", 1.0), Tag("cat", 0.5))), Annotation("a.png")]
    _, parsed = page(tmp_path, shown, base=tmp_path)
    assert [image["alt"] for image in parsed.all("img")] == ["dog, cat", "a.png"]


def test_picture_that_is_gone_or_broken_keeps_its_card(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    names = ["gone.jpg", "broken.jpg", "nul\0.jpg", os.fsdecode(b"caf\xe9.jpg"), None]
    _, parsed = page(tmp_path, [Annotation(name) for name in names], base=tmp_path)
    assert len(parsed.all("article")) == len(names)
    assert parsed.text.count("no picture") == len(names)


def test_failed_pictures_stand_at_the_end(tmp_path):
    failed = Annotation.failed("b.jpg", "b.jpg is empty", "m@1")
    _, parsed = page(tmp_path, [failed, Annotation("a.jpg")])
    assert len(parsed.all("article")) == 1
    assert parsed.text.index("a.jpg") < parsed.text.index("Not read (1)") < parsed.text.index("b.jpg is empty")


def test_no_picture_at_all(tmp_path):
    _, parsed = page(tmp_path, [])
    assert parsed.all("article") == []
    assert "Not read" not in parsed.text


def test_interruption_leaves_the_older_page(tmp_path):
    (tmp_path / "page.html").write_text("old")

    def interrupted():
        yield Annotation("a.jpg")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gallery(interrupted(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]
