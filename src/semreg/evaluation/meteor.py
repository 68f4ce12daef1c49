"""METEOR through the jar of pycocoevalcap: nothing is written into its folder, no Java process is left over."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semreg.errors import SemregError
from semreg.evaluation.ngrams import Tokens, require_references

_JAR = "meteor-1.5.jar"
_PARAPHRASES = Path("data") / "paraphrase-en.gz"


def meteor(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[float, NDArray[np.float64]]:
    """METEOR 1.5 (Denkowski and Lavie, 2014) for English, as the COCO caption evaluation calls it.

    Args:
        candidates: N token lists.
        references: N lists of one or more token lists.

    Returns:
        The score of the corpus, from pooled statistics, and (N,) that of each picture; 0..1.

    Raises:
        SemregError: Java or pycocoevalcap is missing, or Java fails; no picture, lists of different length, or a
            picture without a reference.
    """
    require_references(candidates, references)
    java, jar = _find()
    with _running(java, jar) as process:
        statistics = [
            _answer(process, " ||| ".join(["SCORE", *map(_line, truth), _line(candidate)]))
            for candidate, truth in zip(candidates, references, strict=True)
        ]
        first = float(_answer(process, " ||| ".join(["EVAL", *statistics])))
        rest = [float(_answer(process)) for _ in statistics]
    return rest[-1], np.array([first, *rest[:-1]])


def _find() -> tuple[str, Path]:
    """The java program, and the jar."""
    package = find_spec("pycocoevalcap")
    folders = [Path(place) / "meteor" for place in package.submodule_search_locations or ()] if package else []
    folder = next((place for place in folders if (place / _JAR).is_file()), None)
    if folder is None:
        raise SemregError("METEOR is left out, for pycocoevalcap is not installed: pip install 'semreg[eval]'")
    java = shutil.which("java")
    if java is None:
        raise SemregError("METEOR is left out, for there is no java on the path: install a Java runtime")
    return java, folder / _JAR


@contextmanager
def _running(java: str, jar: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield the running jar; whatever happens in the block, it has ended behind it."""
    # The paraphrases are named outright: left to itself the jar looks for them beside itself, and a space or an
    # umlaut in its path keeps it from finding them. Language and encoding are not left to the machine either.
    command = [java, "-Xmx2G", "-Dfile.encoding=UTF-8", "-Duser.language=en", "-Duser.country=US", "-jar", str(jar)]
    command += ["-", "-", "-stdio", "-l", "en", "-norm", "-a", str(jar.parent / _PARAPHRASES)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        try:
            yield process
        except (EOFError, OSError, ValueError) as error:  # it ended early, or answered something else
            process.kill()
            process.wait()
            complaints.seek(0)
            told = next((line.strip() for line in complaints if line.strip()), str(error) or "it ended early")
            raise SemregError(f"METEOR is left out, for Java failed ({told[:200]}): check the Java runtime") from None
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):  # what was left in its buffer has nobody to go to
                    stream.close()  # type: ignore[union-attr]


def _answer(process: subprocess.Popen[str], question: str | None = None) -> str:
    """Put a line to the jar, or nothing, and return the next line that it says."""
    assert process.stdin is not None and process.stdout is not None
    if question is not None:
        process.stdin.write(question + "\n")
        process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise EOFError
    return answer.strip()


def _line(tokens: Tokens) -> str:
    return " ".join(map(str, tokens)).replace("|||", "").replace("\n", " ")
