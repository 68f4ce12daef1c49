"""Corrections: a data set that training reads, in which the latest word on a picture counts."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from semreg.data.records import METADATA, read_records
from semreg.errors import SemregError
from semreg.server.corrections import Corrections

from .conftest import Serve


def send(client: Any, picture: bytes, **said: object) -> Any:
    return client.post("/v1/corrections", files={"picture": ("x", picture)}, data={"correction": json.dumps(said)})


def test_what_was_said_is_read_back_as_a_data_set_and_the_latest_counts(
    serve: Serve, tmp_path: Path, dog: bytes
) -> None:
    client = serve(corrections=tmp_path / "kept")
    assert client.get("/v1/server").json()["corrections"] is True
    first = send(client, dog, tags=["cat"], caption="a cat\non grass")
    assert first.status_code == 201 and first.json()["corrections"] == 1
    assert send(client, dog, tags=["dog", "grass"], caption="").json() == first.json()
    (record,) = read_records(tmp_path / "kept")
    assert (record.split, record.tags, record.captions) == ("train", ("dog", "grass"), ())
    assert record.path.read_bytes() == dog and record.path.suffix == ".jpg"
    assert send(client, b"<html>", tags=[], caption="").status_code == 415
    for wrong in ({"tags": "dog"}, {"tags": [""], "caption": "x"}, {"tags": [], "caption": "x", "more": 1}, {}):
        assert send(client, dog, **wrong).status_code == 422
    assert len(read_records(tmp_path / "kept")) == 1


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    stores = [Corrections(tmp_path), Corrections(tmp_path)]  # as two workers
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: stores[n % 2].keep(f"{n % 20}".encode(), ".png", [f"tag {n}"], ""), range(60)))
    records = read_records(tmp_path)
    assert len(records) == 20 and all(record.path.is_file() for record in records)


def test_a_folder_that_cannot_be_written_loses_nothing_and_says_so(tmp_path: Path) -> None:
    store = Corrections(tmp_path)
    store.keep(b"1", ".png", ["a"], "")
    before = (tmp_path / METADATA).read_bytes()
    (tmp_path / METADATA).write_bytes(before + b"{broken\n")
    with pytest.raises(SemregError, match="was not kept"):
        store.keep(b"2", ".png", ["b"], "")
    assert (tmp_path / METADATA).read_bytes() == before + b"{broken\n"
