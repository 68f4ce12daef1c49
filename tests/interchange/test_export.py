"""Annotations in the forms of other programs: read back by readers that know nothing of how they were written."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image
from typer.testing import CliRunner

from semreg.annotation import Annotation, Caption, Tag
from semreg.cli import app
from semreg.data.readers.coco import read_coco
from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.interchange import Export, write_export

NAMES = ("a cat & dog.jpg", "trip/ß.png")
SAID = Caption("a dog", -0.5)
TOLD = tuple(
    Annotation(
        name, (Tag("dog", 0.9), Tag("hot dog", 0.4)), Caption("a dog", -0.5), (Caption("a dog", -0.5),), model="m@1"
    )
    for name in NAMES
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), "red").save(folder / name)
    return folder


def test_coco_is_read_back_with_the_same_tags_and_captions(pictures: Path, tmp_path: Path) -> None:
    files = write_export("coco", Export(TOLD, tmp_path / "coco", pictures))
    assert [path.name for path in files] == ["captions.json", "categories.json"]
    records = read_coco(pictures, [(path, "test") for path in files])
    assert [(r.file_name, set(r.tags), r.captions) for r in records] == [
        (name, {"dog", "hot dog"}, ("a dog",)) for name in NAMES
    ]
    assert json.loads(files[0].read_text())["images"][0] | {"id": 0} == {
        "id": 0,
        "file_name": NAMES[0],
        "width": 30,
        "height": 20,
    }


def test_label_studio_finds_its_predictions_valid(pictures: Path, tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    tasks, configuration = write_export("labelstudio", Export(TOLD, tmp_path / "tasks.json", pictures))
    project = interface.LabelInterface(configuration.read_text(encoding="utf-8"))
    project.validate()
    for task in json.loads(tasks.read_text(encoding="utf-8")):
        assert [project.validate_prediction(each, return_errors=True) for each in task["predictions"]] == [[]]


def test_hugging_face_loads_pictures_with_their_tags(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    write_export("hf", Export(TOLD, tmp_path / "set", pictures))
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["tags"][:] == [["dog", "hot dog"]] * 2 and loaded["captions"][:] == [["a dog"]] * 2
    assert loaded[0]["image"].size == (30, 20)


def test_coco_is_what_pycocotools_indexes(pictures: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    for path in write_export("coco", Export(TOLD, tmp_path / "coco", pictures)):
        assert sorted(coco.COCO(path).getImgIds()) == [1, 2]


def test_hugging_face_gets_a_folder_that_holds_its_pictures(pictures: Path, tmp_path: Path) -> None:
    write_export("hf", Export(TOLD, tmp_path / "set", pictures))
    records = read_records(tmp_path / "set")
    assert [(record.tags, record.captions) for record in records] == [(("dog", "hot dog"), ("a dog",))] * 2
    for record, name in zip(records, NAMES, strict=True):
        assert record.path.read_bytes() == (pictures / name).read_bytes() and not record.path.is_symlink()
    with pytest.raises(SemregError, match="exists already"):
        write_export("hf", Export(TOLD, tmp_path / "set", pictures))


def test_hugging_face_beside_the_pictures_copies_nothing(pictures: Path) -> None:
    write_export("hf", Export(TOLD, pictures, pictures))
    assert [record.file_name for record in read_records(pictures)] == list(NAMES)
    assert not (pictures / "pictures").exists()


def test_label_studio_gets_tasks_and_a_configuration_that_fits_them(tmp_path: Path) -> None:
    tasks, settings = write_export("labelstudio", Export(TOLD, tmp_path / "tasks.json"))
    view = ElementTree.fromstring(settings.read_text(encoding="utf-8"))
    controls = {element.get("name"): element for element in view}
    for task, name in zip(json.loads(tasks.read_text(encoding="utf-8")), NAMES, strict=True):
        prefix, _, rest = task["data"]["image"].partition("?d=")
        assert prefix == "/data/local-files/" and unquote(rest) == name
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "m@1" and 0 < prediction["score"] < 1
        for result in prediction["result"]:
            control = controls[result["from_name"]]
            assert control.get("toName") == result["to_name"] and control.tag.lower() == result["type"]
        known = {choice.get("value") for choice in controls["tags"]}
        assert set(prediction["result"][0]["value"]["choices"]) == {"dog", "hot dog"} <= known
        assert prediction["result"][1]["value"] == {"text": ["a dog"]}


def test_fiftyone_gets_samples_with_labels_and_absolute_paths(pictures: Path, tmp_path: Path) -> None:
    samples, _ = write_export("fiftyone", Export(TOLD, tmp_path / "fo", pictures))
    first = json.loads(samples.read_text())["samples"][0]
    assert Path(first["filepath"]) == pictures / NAMES[0]
    assert first["predictions"]["classifications"][0] == {"_cls": "Classification", "label": "dog", "confidence": 0.9}
    assert first["caption"]["label"] == "a dog"


@pytest.mark.parametrize("form", ["fiftyone", "coco", "hf"])
def test_a_missing_picture_is_one_sentence(form: str, tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="is not there: pass --pictures"):
        write_export(form, Export(TOLD, tmp_path / "out", tmp_path))


def test_the_command_leaves_failed_pictures_out_and_says_so(pictures: Path, tmp_path: Path) -> None:
    lines = [annotation.to_json() for annotation in (*TOLD, Annotation.failed("x.jpg", "broken", "m"))]
    (tmp_path / "told.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["export", str(tmp_path / "told.jsonl"), "--output", str(tmp_path / "out"), "--pictures", str(pictures)]
    done = CliRunner().invoke(app, [*arguments, "--to", "coco"])
    assert done.exit_code == 0 and "1 pictures that could not be read" in done.stderr
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in ("captions.json", "categories.json")]
    assert isinstance(CliRunner().invoke(app, [*arguments, "--to", "voc"]).exception, SemregError)
