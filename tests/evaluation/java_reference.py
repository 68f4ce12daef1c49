"""The reference implementations that need Java, and real captions to compare on; absent ones skip a test by name."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ANNOTATIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "annotations"
# The COCO evaluation's list.
DROPPED = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-"} | set(".?!,:-;") | {"--", "..."}


def java_tokens(captions: list[str], folder: Path) -> list[list[str]]:
    """Tokens by the jar of pycocoevalcap."""
    import pycocoevalcap.tokenizer.ptbtokenizer as reference

    (folder / "captions.txt").write_text("\n".join(caption.replace("\n", " ") for caption in captions), "utf-8")
    jar = Path(reference.__file__).parent / reference.STANFORD_CORENLP_3_4_1_JAR
    command = ["java", "-Dfile.encoding=UTF-8", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
    command += ["-preserveLines", "-lowerCase", str(folder / "captions.txt")]
    result = subprocess.run(command, capture_output=True, check=True)
    lines = result.stdout.decode().split("\n")[: len(captions)]
    return [[word for word in line.split() if word not in DROPPED] for line in lines]


def need_java() -> None:
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    if shutil.which("java") is None:
        pytest.skip("java is not on the path")


def real_captions(name: str) -> list[tuple[str, str]]:
    """Picture and caption as COCO val2017 or Flickr8k has them, in file order; skips the test where it is missing."""
    path = ANNOTATIONS / name
    if not path.exists():
        pytest.skip(f"{path} is missing")
    if path.suffix == ".json":
        entries = json.loads(path.read_text("utf-8"))["annotations"]
        return [(str(entry["image_id"]), entry["caption"]) for entry in entries]
    lines = [line.split("\t", 1) for line in path.read_text("utf-8").splitlines()]
    return [(picture.split("#")[0], caption) for picture, caption in lines]


def by_picture(captions: list[tuple[str, str]]) -> list[list[str]]:
    """The captions of each picture."""
    groups: dict[str, list[str]] = {}
    for picture, caption in captions:
        groups.setdefault(picture, []).append(caption)
    return list(groups.values())
