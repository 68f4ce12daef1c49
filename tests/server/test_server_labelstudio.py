"""Label Studio's protocol: predictions that fit the project's configuration, and no picture fetched from anywhere."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from semreg.annotator import Annotator

from .conftest import Serve

CONFIGURATION = """
<View>
  <Image name="img" value="$image"/>
  <Choices name="what" toName="img" choice="multiple">
    <Choice value="Dog"/><Choice value="Cat"/><Choice value="brown" alias="of brown colour"/>
  </Choices>
  <Taxonomy name="tree" toName="img">
    <Choice value="animal"><Choice value="dog"/><Choice value="cat"/></Choice><Choice value="thing"/>
  </Taxonomy>
  <TextArea name="text" toName="img"/>
  <Rating name="stars" toName="img"/>
</View>
"""


def predict(client: Any, *images: object, configuration: str = CONFIGURATION) -> Any:
    tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images)]
    sent = {"tasks": tasks, "label_config": configuration, "project": "1.1700000000", "params": {"context": None}}
    return client.post("/predict", json=sent)


def uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def test_a_project_connects(client: Any, annotator: Annotator) -> None:
    assert client.get("/health").json()["status"] == "UP"
    sent = {"project": "1.17", "schema": CONFIGURATION, "hostname": "http://localhost:8080", "access_token": "x"}
    assert client.post("/setup", json=sent).json() == {"model_version": annotator.name}
    assert client.post("/setup", json=sent | {"schema": "<View><Text name='a'/></View>"}).status_code == 422


def test_a_prediction_fits_the_configuration(client: Any, annotator: Annotator, dog: bytes) -> None:
    (told,) = predict(client, uri(dog)).json()["results"]
    assert told["model_version"] == annotator.name and 0 < told["score"] <= 1
    results = {result["from_name"]: result for result in told["result"]}
    assert set(results) == {"what", "tree", "text"}
    names = {"dog": "Dog", "cat": "Cat", "brown": "of brown colour"}
    choices = [names[tag.label] for tag in annotator(dog).tags if tag.label in names]
    assert "Dog" in choices and results["what"]["value"] == {"choices": choices}
    assert results["what"]["type"] == "choices"
    assert results["tree"]["value"] == {"taxonomy": [["animal", "dog"]]}
    assert results["text"]["value"]["text"] == [annotator(dog).caption.text]  # type: ignore[union-attr]
    assert all(result["to_name"] == "img" and 0 < result["score"] <= 1 for result in results.values())


def test_a_choice_goes_by_its_alias(client: Any, dog: bytes) -> None:
    named = CONFIGURATION.replace('<Choice value="Dog"/>', '<Choice value="Dog" alias="a dog"/>')
    (told,) = predict(client, uri(dog), configuration=named).json()["results"]
    (choices,) = (result["value"]["choices"] for result in told["result"] if result["from_name"] == "what")
    assert "a dog" in choices


def test_label_studio_finds_predictions_valid(client: Any, dog: bytes) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    (told,) = predict(client, uri(dog)).json()["results"]
    assert interface.LabelInterface(CONFIGURATION).validate_prediction(told, return_errors=True) == []


def test_a_single_choice_gets_one(client: Any, dog: bytes) -> None:
    single = CONFIGURATION.replace(' choice="multiple"', "")
    (told,) = predict(client, uri(dog), configuration=single).json()["results"]
    assert told["result"][0]["value"] == {"choices": ["Dog"]}


def test_local_files_are_read_below_the_folder_only(serve: Serve, tmp_path: Path, dog: bytes) -> None:
    root = tmp_path / "root"
    (root / "a b").mkdir(parents=True)
    (root / "a b" / "dog.jpg").write_bytes(dog)
    (tmp_path / "secret.jpg").write_bytes(dog)
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    client = serve(label_studio_root=root)
    for address in ("/data/local-files/?d=a%20b/dog.jpg", "http://localhost:8080/data/local-files/?d=a%20b/dog.jpg"):
        assert predict(client, address).json()["results"][0]["result"]
    for name in ("../secret.jpg", "a%20b/../../secret.jpg", f"{tmp_path}/secret.jpg", "link.jpg", "", "a%00b", "a%20b"):
        answer = predict(client, f"/data/local-files/?d={name}")
        assert answer.status_code == 422 and "label-studio-root" in answer.json()["error"], name


@pytest.mark.parametrize(
    "image",
    [
        "http://127.0.0.1:1/cat.jpg",
        "https://example.org/cat.jpg",
        "s3://bucket/cat.jpg",
        "file:///etc/passwd",
        "",
        None,
        7,
    ],
)
def test_nothing_is_fetched(client: Any, image: object) -> None:
    answer = predict(client, image)
    assert answer.status_code == 422 and len(answer.json()["error"]) > 20


def test_one_bad_task_costs_no_other_its_prediction(client: Any, dog: bytes) -> None:
    good, bad = predict(client, uri(dog), "http://example.org/x.jpg").json()["results"]
    assert good["result"] and bad["result"] == [] and "never fetched" in bad["error"]


@pytest.mark.parametrize(
    "configuration",
    ["", "<View", "<View/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><View/>", "<View><Choices name='a' toName='b'/></View>"],
)
def test_a_configuration_without_a_place_for_it_is_422(client: Any, dog: bytes, configuration: str) -> None:
    assert predict(client, uri(dog), configuration=configuration).status_code == 422


def test_a_token_as_basic_password_lets_label_studio_in(serve: Serve) -> None:
    client = serve(token="abc")
    assert client.post("/setup", json={"project": "1.1"}).status_code == 401
    assert client.post("/setup", json={"project": "1.1"}, auth=("label-studio", "abc")).is_success
