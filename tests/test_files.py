"""Atomic writing: the old file or the new one, never half of one, and nothing left beside it."""

from __future__ import annotations

import os
import stat

import pytest

from semreg.errors import SemregError
from semreg.files import atomic_write


def test_text_and_bytes(tmp_path):
    with atomic_write(tmp_path / "a.txt") as stream:
        stream.write("é\r\n\udce9")
    with atomic_write(tmp_path / "b", binary=True) as data:
        data.write(b"\x00")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n\\udce9".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_exception_leaves_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as stream:
        stream.write("new")
        stream.flush()
        assert path.read_text() == "old"
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_disk_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(SemregError, match=r"cannot write .*a\.txt: No space left"),
        atomic_write(path) as stream,
    ):
        stream.write("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_mode_is_kept_and_a_new_file_follows_the_umask(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch()
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        for path in (old, new):
            with atomic_write(path) as stream:
                stream.write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert old.read_text() == "x"


def test_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/a.txt")
    for text in ("first", "second"):
        with atomic_write(tmp_path / "link") as stream:
            stream.write(text)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/a.txt").read_text() == "second"


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as stream:
        stream.write("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_long_name(tmp_path):
    path = tmp_path / ("é" * 120 + ".json")
    with atomic_write(path) as stream:
        stream.write("x")
    assert path.read_text() == "x"


def test_refusals(tmp_path):
    with pytest.raises(SemregError, match="it is a folder"), atomic_write(tmp_path):
        pass
    with pytest.raises(SemregError, match="No such file or directory"), atomic_write(tmp_path / "no" / "a"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_read_only_file_is_refused(tmp_path):
    path = tmp_path / "a"
    path.touch(mode=0o444)
    with pytest.raises(SemregError, match="it is read-only"), atomic_write(path):
        pass
