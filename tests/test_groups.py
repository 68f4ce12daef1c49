"""`make test` runs the tests in groups: none is left out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_folder_of_tests_is_in_one_group() -> None:
    named = re.findall(r"tests/\w+(?= |$)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    folders = [f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))]
    assert sorted(named) == sorted(folders)
