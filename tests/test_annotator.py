"""What the library's users rely on: same picture, same annotation, however it comes; errors stay in their place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import semreg
from semreg import Annotation, Annotator, Options, SemregError
from semreg.model_folder import find_model


@pytest.fixture(scope="module")
def annotator(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


def alike(first: Annotation, second: Annotation) -> None:
    """Same words in the same order, scores equal to rounding."""
    assert [t.label for t in first.tags] == [t.label for t in second.tags]
    assert [c.text for c in first.captions] == [c.text for c in second.captions]
    assert [c.concept for c in first.concepts] == [c.concept for c in second.concepts]
    scored = [(*each.tags, *each.captions, *each.concepts) for each in (first, second)]
    for a, b in zip(*scored, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-4)


@pytest.mark.parametrize("beams", [1, 3])
def test_batches_of_1_and_of_32_give_the_same_annotations(annotator: Annotator, data: Path, beams: int) -> None:
    pictures = sorted(data.glob("*.jpg"))
    single = list(annotator.annotate(pictures, Options(beams=beams, n_best=beams, min_score=0, batch_size=1)))
    many = list(annotator.annotate(pictures, Options(beams=beams, n_best=beams, min_score=0, batch_size=32)))
    assert [a.file_name for a in many] == [p.as_posix() for p in pictures]
    for first, second in zip(single, many, strict=True):
        alike(first, second)


def test_a_path_its_text_its_bytes_and_its_pixels_say_the_same(annotator: Annotator, data: Path) -> None:
    path = data / "03.jpg"
    expected = annotator(path)
    with Image.open(path) as picture:
        sources = [str(path), path.read_bytes(), picture.copy(), np.asarray(picture.convert("RGB"))]
    for source in sources:
        alike(annotator(source), expected)
    assert expected.file_name == path.as_posix() and annotator(path.read_bytes()).file_name is None


def test_what_cannot_be_read_stays_in_its_place(annotator: Annotator, data: Path, tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_text("not a picture")
    sources = [data / "00.jpg", tmp_path / "no.jpg", data / "01.jpg", tmp_path / "gone.jpg"]
    for size in (1, 2, 3, 16):
        found = list(annotator.annotate(sources, Options(batch_size=size)))
        assert [a.error is None for a in found] == [True, False, True, False]
        assert "no.jpg" in str(found[1].error) and "does not exist" in str(found[3].error)
    with pytest.raises(semreg.PictureError, match=r"gone\.jpg does not exist"):
        annotator(tmp_path / "gone.jpg")


def test_pictures_are_read_a_little_ahead_and_no_further(annotator: Annotator, data: Path) -> None:
    asked = 0

    def sources() -> Iterator[Path]:
        nonlocal asked
        for _ in range(1000):
            asked += 1
            yield data / "00.jpg"

    stream = annotator.annotate(sources(), Options(batch_size=2))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert asked <= 2 * (annotator.engine.streams + 4)


def test_a_search_is_as_wide_as_the_model_says_unless_somebody_else_does(annotator: Annotator, data: Path) -> None:
    narrow = Annotator(annotator.model, annotator.config.model_copy(update={"beams": 1}), "narrow")
    assert narrow.beams(Options()) == 1 and narrow.beams(Options(beams=7)) == 7 and narrow.beams(Options(n_best=4)) == 4
    picture, wide = data / "00.jpg", Options(beams=3, n_best=3)
    alike(narrow(picture), annotator(picture, Options(beams=1)))
    alike(narrow(picture, wide), annotator(picture, wide))


def test_no_picture_gives_no_annotation(annotator: Annotator) -> None:
    assert list(annotator.annotate([])) == []


def test_tags_are_told_from_the_threshold_on_most_probable_first(annotator: Annotator, data: Path) -> None:
    every = annotator(data / "00.jpg", Options(min_score=0)).tags
    assert len(every) == len(annotator.labels)
    assert [t.score for t in every] == sorted((t.score for t in every), reverse=True)
    assert all(0 <= t.score <= 1 for t in every)
    floor = every[1].score
    assert [t.label for t in annotator(data / "00.jpg", Options(min_score=floor)).tags] == [t.label for t in every[:2]]
    assert annotator(data / "00.jpg", Options(min_score=0, max_tags=1)).tags == every[:1]


def test_captions_come_best_first_and_differ(annotator: Annotator, data: Path) -> None:
    captions = annotator(data / "00.jpg", Options(beams=4, n_best=4)).captions
    assert len({c.text for c in captions}) == len(captions) > 1
    assert all(c.score <= 0 for c in captions)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"min_score": 2}, "min_score must lie in 0..1, is 2"),
        ({"max_tags": -1}, "max_tags must be 0 or more, is -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, is 0"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(SemregError, match=sentence):
        Options(**options)  # type: ignore[arg-type]


def test_searches_outside_their_range_are_refused(annotator: Annotator, data: Path) -> None:
    with pytest.raises(SemregError, match="beams must lie in"):
        annotator(data / "00.jpg", Options(beams=0))


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="does not exist: name a folder"):
        semreg.load(tmp_path / "none")


def test_a_model_of_the_hub_is_fetched_only_when_asked_for(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(name: str, **_: object) -> str:
        asked.append(name)
        return str(model_folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    semreg.load(model_folder)
    assert asked == []
    assert semreg.load("hf:owner/name").labels and asked == ["owner/name"]


def test_the_default_model_has_a_name() -> None:
    assert find_model("default") == find_model(None) != Path("default")


def test_importing_semreg_brings_neither_torch_nor_numpy_nor_pillow() -> None:
    code = "import sys, semreg; print(sorted({'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_model_tags_photographs_sensibly() -> None:
    pictures = Path(__file__).resolve().parents[1] / "demo" / "pictures"
    animals = {"cows": "cow", "dog": "dog", "giraffes": "giraffe", "kitten": "cat"}
    annotator = semreg.load()
    for annotation, animal in zip(
        annotator.annotate([pictures / f"{name}.jpg" for name in animals]), animals.values(), strict=True
    ):
        assert animal in [tag.label for tag in annotation.tags], annotation
        assert annotation.caption is not None and animal in annotation.caption.text


def test_the_default_model_sees_nobody_where_nobody_is() -> None:
    pictures = Path(__file__).resolve().parents[1] / "demo" / "pictures"
    empty = [pictures / f"{name}.jpg" for name in ("coffee", "living_room", "kitten", "dog")]
    for annotation in semreg.load().annotate(empty):
        assert "person" not in [tag.label for tag in annotation.tags], annotation
