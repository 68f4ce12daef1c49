"""Requests made up from the API's own description: none may make the server fail, and answers keep to it."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Serve

schemathesis = pytest.importorskip("schemathesis")
hypothesis = pytest.importorskip("hypothesis")


@pytest.mark.slow
def test_no_request_makes_the_server_fail(serve: Serve, tmp_path: Any) -> None:
    client = serve(corrections=tmp_path / "kept", label_studio_root=tmp_path)
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    seen: set[str] = set()
    statuses: set[int] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add(operation.path)

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=40, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        def ask(case: Any) -> None:
            answer = case.call(base_url=str(client.base_url))
            statuses.add(answer.status_code)
            assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.text}"
            if answer.status_code >= 400:
                assert list(answer.json()) == ["error"]

        ask()
    assert "/v1/annotate" in seen and "/v1/steer" in seen and "/predict" in seen
    assert statuses >= {200, 422}
