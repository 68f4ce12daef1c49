"""METEOR through pycocoevalcap's jar: the same figures, from any place, and never a process left over."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from java_reference import need_java

from semreg.errors import SemregError
from semreg.evaluation import caption_report, meteor
from semreg.evaluation import meteor as function

CANDIDATES = [["a", "dog", "runs", "on", "the", "lawn"], ["two", "cats"], []]
REFERENCES = [
    [["the", "dog", "is", "running"], ["a", "brown", "dog", "on", "grass"]],
    [["two", "cats"]],
    [["a", "car"]],
]
MODULE = sys.modules[function.__module__]


def stand_in(folder: Path, script: str) -> Path:
    """A program called java that is none."""
    folder.mkdir()
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho $$ > '{folder}/pid'\n{script}\n", "utf-8")
    program.chmod(0o755)
    return program


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_equals_pycocoevalcap_from_a_read_only_folder_with_spaces_and_accents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_java()
    from pycocoevalcap.meteor.meteor import Meteor

    theirs = Meteor()
    try:
        truth = {i: [" ".join(tokens) for tokens in group] for i, group in enumerate(REFERENCES)}
        corpus, each = theirs.compute_score(truth, {i: [" ".join(tokens)] for i, tokens in enumerate(CANDIDATES)})
    finally:
        theirs.meteor_p.kill()
    package = Path(find_spec("pycocoevalcap").submodule_search_locations[0])
    place = tmp_path / "my été" / "pycocoevalcap"
    shutil.copytree(package / "meteor", place / "meteor")
    (place / "__init__.py").write_text("")
    for path in [*place.rglob("*"), place]:
        path.chmod(stat.S_IREAD | stat.S_IEXEC)
    monkeypatch.syspath_prepend(str(place.parent))
    for name in [name for name in sys.modules if name.startswith("pycocoevalcap")]:
        monkeypatch.delitem(sys.modules, name)
    try:
        assert MODULE._find()[1].is_relative_to(place)
        ours = meteor(CANDIDATES, REFERENCES)
    finally:
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)
    assert ours[0] == pytest.approx(corpus, abs=1e-12)
    np.testing.assert_allclose(ours[1], each, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no memory >&2; exit 1", r"Java failed \(no memory\)"),
        ("read line; echo nonsense; read line; echo nonsense; sleep 100", "Java failed"),
        ("exit 0", "Java failed"),
    ],
)
def test_a_java_that_fails_is_one_sentence_and_ends(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in(tmp_path / "bin", script)
    monkeypatch.setattr(MODULE, "_find", lambda: (str(program), tmp_path / "meteor.jar"))
    with pytest.raises(SemregError, match=message):
        meteor(CANDIDATES[:1], REFERENCES[:1])
    pid = tmp_path / "bin" / "pid"
    assert not pid.exists() or not is_running(int(pid.read_text()))


def test_ctrl_c_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = stand_in(tmp_path / "bin", "echo ready; exec sleep 100")
    with pytest.raises(KeyboardInterrupt), MODULE._running(str(program), tmp_path / "meteor.jar") as process:
        assert process.stdout.readline() == "ready\n"
        raise KeyboardInterrupt
    assert process.returncode is not None and not is_running(process.pid)


def test_without_java_or_pycocoevalcap_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "find_spec", lambda name: None)
    report = caption_report(["a dog"], [["a dog"]], with_meteor=True)
    assert report.notes == ("METEOR is left out, for pycocoevalcap is not installed: pip install 'semreg[eval]'",)
    assert "METEOR" not in report.scores.corpus and "METEOR" not in report.to_dict()
    assert caption_report(["a dog"], [["a dog"]]).notes == ()


def test_no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SemregError, match="there is no java on the path: install a Java runtime"):
        meteor(CANDIDATES, REFERENCES)
