"""Each room knows only the rooms before it; docs/architecture.md draws the map, this holds the walls."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "semreg"
BASICS = {"errors", "files"}
MAY_IMPORT = {
    "model": BASICS,
    "decoding": {"model", *BASICS},
    "data": BASICS,
    "evaluation": BASICS,
    "scoring": {"evaluation", *BASICS},
    "annotation": BASICS,
    "concept_scale": BASICS,
    "model_config": {"concept_scale", "data", "model", *BASICS},
    "model_folder": {"data", "model", "model_config", *BASICS},
    "explanation": BASICS,
    "telling": {"annotation", "data", "decoding", *BASICS},
    "steering": {
        "annotation",
        "concept_scale",
        "data",
        "explanation",
        "decoding",
        "model",
        "model_config",
        "model_folder",
        *BASICS,
    },
    "runtime": {"data", "decoding", "model", "model_config", "model_folder", *BASICS},
    "options": BASICS,
    "reading": {"data", *BASICS},
    "streams": {"reading", *BASICS},
    "prediction": {"data", "decoding", "model", "model_config", "options", "steering", *BASICS},
    "annotator": {
        "annotation",
        "data",
        "decoding",
        "explanation",
        "model",
        "model_config",
        "model_folder",
        "options",
        "prediction",
        "reading",
        "runtime",
        "steering",
        "streams",
        "telling",
        *BASICS,
    },
    "evaluate": {"annotator", "data", "evaluation", "options", "prediction", *BASICS},
    "interchange": {"annotation", "data", *BASICS},
    "server": {
        "annotation",
        "annotator",
        "data",
        "interchange",
        "memory",
        "metadata",
        "model_config",
        "model_folder",
        "options",
        "reading",
        *BASICS,
    },
    "folders": {"annotation", "annotator", "data", "metadata", "options", "reading", *BASICS},
    "training": {
        "annotator",
        "data",
        "decoding",
        "evaluate",
        "evaluation",
        "model",
        "model_config",
        "model_folder",
        "options",
        "steering",
        *BASICS,
    },
    "comparison": {"annotator", "data", "evaluate", "evaluation", "training", "options", *BASICS},
    "report": {"annotator", "data", "evaluate", "evaluation", *BASICS},
    "tuning": {"annotator", "data", "evaluate", "evaluation", "model_config", "model_folder", "options", *BASICS},
    "bench": {"annotator", "data", "decoding", "evaluation", "memory", "model", "options", "streams", *BASICS},
    "exporting": {
        "annotator",
        "data",
        "evaluate",
        "folders",
        "model_config",
        "model_folder",
        "runtime",
        "options",
        *BASICS,
    },
    "memory": BASICS,
    "metadata": BASICS,
    "terminal": BASICS,
}


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports, by their full names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found.add(node.module or "")
    return found


def files_of(room: str) -> list[Path]:
    return sorted((SOURCE / room).rglob("*.py")) if (SOURCE / room).is_dir() else [SOURCE / f"{room}.py"]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_knows_only_the_rooms_before_it(room: str) -> None:
    for path in files_of(room):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("semreg.")}
        assert rooms <= {room, *MAY_IMPORT[room]}, path


def test_only_the_command_knows_everybody() -> None:
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__", "cli", "errors", "files", "py"} == set(MAY_IMPORT)


def test_no_file_needs_an_optional_package_to_be_imported() -> None:
    optional = {
        "torchvision",
        "torchaudio",
        "timm",
        "lightning",
        "matplotlib",
        "scipy",
        "sklearn",
        "pycocoevalcap",
        "onnx",
        "onnxruntime",
        "openvino",
        "nncf",
        "pyarrow",
        "rawpy",
        "ray",
    }
    for path in SOURCE.rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & optional, path


def test_every_file_says_in_its_first_line_what_it_is_for() -> None:
    for path in SOURCE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
