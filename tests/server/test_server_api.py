"""What programs get: annotations equal to the library's, and one plain sentence for everything else."""

from __future__ import annotations

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image

from semreg.annotator import Annotator
from semreg.options import Options

from .conftest import PICTURES, Serve

JPEGS = sorted(PICTURES.glob("*.jpg"))


def refused(answer: Any, status: int, *words: str) -> str:
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    sentence = answer.json()["error"]
    assert "Traceback" not in sentence and "\n" not in sentence
    for word in words:
        assert word in sentence
    return str(sentence)


def close(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same annotation, up to what another batch does to the last digit."""
    assert one["caption"]["text"] == other["caption"]["text"]
    assert [tag["label"] for tag in one["tags"]] == [tag["label"] for tag in other["tags"]]
    mine, theirs = ({each["concept"]: each["score"] for each in told["concepts"]} for told in (one, other))
    for concept in {*mine, *theirs}:  # those at the floor are listed in one and not in the other, or change places
        assert mine.get(concept, 0) == pytest.approx(theirs.get(concept, 0), abs=2e-3)


def test_one_picture_is_annotated_as_the_library_does_it(client: Any, annotator: Annotator, dog: bytes) -> None:
    wanted = annotator(dog).to_dict()
    close(client.post("/v1/annotate", content=dog).json(), wanted)
    close(client.post("/v1/annotate", content=dog, headers={"content-type": "image/jpeg"}).json(), wanted)
    of_form = client.post("/v1/annotate", files={"picture": ("a dog.jpg", dog)}).json()
    assert of_form["file_name"] == "a dog.jpg"
    close(of_form, wanted)


def test_several_pictures_come_back_in_order_and_a_bad_one_says_why(client: Any, annotator: Annotator) -> None:
    files: list[Any] = [("picture", (path.name, path.read_bytes())) for path in JPEGS[:3]]
    files.insert(1, ("picture", ("notes.txt", b"no picture at all")))
    answer = client.post("/v1/annotate", files=files).json()["annotations"]
    assert [each["file_name"] for each in answer] == [name for _, (name, _) in files]
    assert "not a picture" in answer[1]["error"] and answer[1]["tags"] == []
    for each, path in zip([answer[0], *answer[2:]], JPEGS[:3], strict=True):
        close(each, annotator(path).to_dict())


def test_clients_at_the_same_time_each_get_their_own_answer(client: Any, annotator: Annotator) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda path: client.post("/v1/annotate", content=path.read_bytes()).json(), JPEGS * 2))
    for answer, path in zip(answers, JPEGS * 2, strict=True):
        close(answer, annotator(path).to_dict())
    batches = [line for line in client.get("/metrics").text.splitlines() if line.startswith("semreg_batch_pictures_")]
    sums = {line.split()[0]: float(line.split()[1]) for line in batches}
    assert sums["semreg_batch_pictures_sum"] > sums["semreg_batch_pictures_count"]  # some went together


def test_options_are_honoured(client: Any, annotator: Annotator, dog: bytes) -> None:
    told = client.post("/v1/annotate?captions=4&max_tags=1&min_score=0.01&beam=5", content=dog).json()
    wanted = annotator(dog, Options(beams=5, n_best=4, max_tags=1, min_score=0.01))
    assert [each["text"] for each in told["captions"]] == [caption.text for caption in wanted.captions]
    assert len(told["tags"]) == 1


def test_steering_follows_what_is_switched_without_the_picture(client: Any, annotator: Annotator, dog: bytes) -> None:
    seen = client.post("/v1/annotate?all_concepts=true", content=dog).json()
    sent = {"annotation": seen, "concepts": {"cat": 1.0, "dog": 0.0}, "captions": 2}
    told = client.post("/v1/steer", json=sent).json()
    assert "cat" in told["caption"]["text"] and "dog" not in told["caption"]["text"]
    assert "cat" in [tag["label"] for tag in told["tags"]] and len(told["captions"]) == 2
    again = client.post("/v1/steer", json={"annotation": told, "concepts": {"cat": None, "dog": None}}).json()
    close(again, seen)
    must = client.post("/v1/steer", json={"annotation": seen, "must": ["bench"], "never": ["frisbee"]}).json()
    assert "bench" in must["caption"]["text"] and "frisbee" not in must["caption"]["text"]


def test_given_tags_are_completed_and_what_was_told_is_explained(client: Any, annotator: Annotator, dog: bytes) -> None:
    seen = client.post("/v1/annotate?all_concepts=true", content=dog).json()
    told = client.post("/v1/complete", json={"annotation": seen, "tags": ["frisbee"]}).json()
    assert {"label": "frisbee", "score": 1.0} in told["tags"] and "dog" in [tag["label"] for tag in told["tags"]]
    refused(client.post("/v1/complete", json={"annotation": seen, "tags": ["unicorn"]}), 422, "unicorn")
    why = client.post("/v1/explain", json={"annotation": seen}).json()
    assert why["tags"][0]["label"] == "dog" and why["tags"][0]["influences"][0]["concept"] == "dog"
    wanted = annotator.explain(annotator(dog)).to_dict()
    assert [word["word"] for word in why["words"]] == [word["word"] for word in wanted["words"]]


def test_a_sidecar_says_what_the_annotation_says(client: Any, dog: bytes) -> None:
    seen = client.post("/v1/annotate", content=dog).json()
    answer = client.post("/v1/sidecar", json={"annotation": seen})
    assert answer.headers["content-type"].startswith("application/rdf+xml")
    said = answer.text
    assert all(f">{tag['label']}<" in said for tag in seen["tags"]) and seen["caption"]["text"] in said
    assert seen["model"] in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"concepts": {"unicorn": 1}}, ["no concept 'unicorn'"]),
        ({"concepts": {"dog": 2}}, ["concepts.dog", "less than or equal to 1"]),
        ({"must": ["xyzzy"]}, ["does not know the word 'xyzzy'"]),
        ({"beam": 0}, ["beam", "greater than or equal to 1"]),
        ({"whatever": 1}, ["whatever"]),
        ({"annotation": {"model": "another@1", "concepts": [{"concept": "dog", "score": 1}]}}, ["another@1"]),
        ({"annotation": {}}, ["lists no concepts"]),
        ({"annotation": {"concept_scores": [0.5]}}, ["concept_scores"]),
    ],
)
def test_steering_that_makes_no_sense_is_one_sentence(
    client: Any, dog: bytes, change: dict[str, Any], words: list[str]
) -> None:
    seen = client.post("/v1/annotate", content=dog).json()
    refused(client.post("/v1/steer", json={"annotation": seen} | change), 422, *words)


def test_bodies_that_are_no_json_are_refused(client: Any) -> None:
    for body in (b"{", b"\xff\xfe", b"[" * 100_000, b'{"annotation": NaN}', b'"\\ud800"', b"null", b""):
        answer = client.post("/v1/steer", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), body[:20]
        refused(answer, answer.status_code)


def test_every_refusal_is_json(client: Any, dog: bytes) -> None:
    refused(client.get("/nothing"), 404)
    refused(client.get("/v1/annotate"), 405)
    refused(client.post("/v1/annotate", content=b""), 422, "empty")
    refused(client.post("/v1/annotate?beam=many", content=dog), 422, "beam")
    refused(client.post("/v1/annotate?beem=3", content=dog), 422, "beem")
    refused(client.post("/v1/annotate", json={"url": "http://example.org/cat.jpg"}), 415, "application/json")
    refused(client.post("/v1/annotate", content=dog, headers={"content-type": "text/html"}), 415)
    refused(client.post("/v1/annotate", content=dog, headers={"content-type": "image/svg+xml"}), 415)
    refused(client.post("/v1/annotate", data={"picture": "text"}, files={"note": b"x"}), 415)
    refused(client.post("/v1/annotate", content=b"--x", headers={"content-type": "multipart/form-data"}), 400)
    refused(client.post("/v1/corrections", files={"picture": dog}, data={"correction": "{}"}), 404, "--corrections")


def test_too_much_is_refused_before_it_is_decoded(serve: Serve, dog: bytes) -> None:
    client = serve(max_bytes=200_000, max_pixels=1_000_000, max_pictures=2)
    refused(client.post("/v1/annotate", content=b"x" * 900_000), 413, "800000")
    refused(client.post("/v1/annotate", content=iter([b"x" * 300_000] * 3)), 413, "800000")
    refused(client.post("/v1/annotate", content=dog + b"\0" * 200_000), 413, "200000")
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    refused(client.post("/v1/annotate", content=buffer.getvalue()), 413, "10000x10000")
    assert client.post("/v1/annotate", files=[("picture", dog)] * 2).status_code == 200
    assert client.post("/v1/annotate", files=[("picture", dog)] * 3).status_code in (400, 413)
    refused(client.post("/v1/steer", content=b"x" * 1_100_000), 413)


def test_a_full_queue_says_when_to_come_back(serve: Serve, annotator: Annotator, dog: bytes) -> None:
    client = serve(queue=1, window=0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/annotate", content=dog), range(16)))
    assert {answer.status_code for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            refused(answer, 503, "busy")
            assert int(answer.headers["retry-after"]) >= 1


def test_a_request_whose_time_is_up_is_told_so(serve: Serve, dog: bytes) -> None:
    client = serve(deadline=0.001)
    refused(client.post("/v1/annotate", content=dog), 504, "0.001 s")
    assert 'semreg_pictures_dropped_total{reason="late"} 1.0' in client.get("/metrics").text


def test_a_token_is_asked_for_where_there_is_one(serve: Serve, dog: bytes) -> None:
    client = serve(token="s3cret-Token")
    for headers in ({}, {"authorization": "Bearer s3cret-token"}, {"authorization": "Basic !"}, {"authorization": "x"}):
        answer = client.post("/v1/annotate", content=dog, headers=headers)
        refused(answer, 401, "Bearer TOKEN")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.post("/v1/annotate", content=dog, headers={"authorization": "Bearer s3cret-Token"}).is_success
    assert client.get("/health", auth=("any", "wrong")).is_success
    assert client.get("/metrics", auth=("any", "s3cret-Token")).is_success
    refused(client.get("/metrics"), 401)
    for path in ("/", "/healthz", "/readyz", "/docs", "/openapi.json"):
        assert client.get(path).is_success, path


def test_a_client_that_asks_too_often_is_slowed_down(serve: Serve) -> None:
    client = serve(rate=3)
    answers = [client.get("/v1/server") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused(answers[-1], 429, "3 requests a minute")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert client.get("/healthz").is_success


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", ""])
def test_other_host_names_are_refused_against_dns_rebinding(client: Any, host: str) -> None:
    refused(client.get("/v1/server", headers={"host": host}), 400, "--allow-host")


def test_own_and_allowed_host_names_pass(client: Any, serve: Serve) -> None:
    for host in ("localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:80"):
        assert client.get("/v1/server", headers={"host": host}).is_success
    assert serve(hosts=("pictures.lan",)).get("/v1/server", headers={"host": "pictures.lan:80"}).is_success


def test_pages_of_other_sites_cannot_ask(client: Any, dog: bytes) -> None:
    own = str(client.base_url).rstrip("/")
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": own + "1"},
        {"sec-fetch-site": "cross-site"},
    ):
        refused(client.post("/v1/annotate", content=dog, headers=headers), 403)
    assert client.post("/v1/annotate", content=dog, headers={"origin": own}).is_success
    assert "access-control-allow-origin" not in client.post("/v1/annotate", content=dog).headers


def test_every_answer_carries_the_strict_headers(client: Any) -> None:
    for path in ("/", "/docs", "/nothing", "/v1/server", "/metrics"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/docs"):
        assert "http://" not in client.get(path).text and "https://" not in client.get(path).text


def test_it_describes_itself(client: Any, annotator: Annotator) -> None:
    schema = client.get("/openapi.json").json()
    assert {"/v1/annotate", "/v1/steer", "/healthz", "/readyz", "/metrics"} <= set(schema["paths"])
    page = client.get("/docs").text
    assert all(path in page for path in schema["paths"])
    served = client.get("/v1/server").json()
    assert served["model"] == annotator.name and served["concepts"] == list(annotator.concepts)
    assert client.get("/healthz").json() == {"status": "ok"} and client.get("/readyz").json() == {"status": "ready"}


def test_an_answer_does_not_wait_for_its_head_to_be_acknowledged(client: Any) -> None:
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        client.get("/healthz")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.03  # where the kernel holds the body back, none is under 0.04


def test_metrics_count_by_route_and_not_by_whatever_is_asked(client: Any) -> None:
    client.get("/nothing/at/all")
    text = client.get("/metrics").text
    assert 'path="/healthz"' in text and "nothing" not in text and 'path="other"' in text
    parser = pytest.importorskip("prometheus_client.parser")
    names = {family.name for family in parser.text_string_to_metric_families(text)}
    assert {"semreg_requests", "semreg_request_seconds", "semreg_pictures_waiting", "semreg_model_info"} <= names


def test_the_schema_is_the_same_every_time(client: Any) -> None:
    assert json.dumps(client.get("/openapi.json").json()) == json.dumps(client.get("/openapi.json").json())
