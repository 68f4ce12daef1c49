"""A tiny data set of coloured shapes, a tiny recipe for it, and a model trained on it: what most tests start from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220)}
SHAPES = ("circle", "square")

# ImageNet weights, for with random ones all pictures look alike; and enough updates to learn something.
RECIPE = """
name: tiny
forms: [tags, caption]
data: {folder: %s, validation: val, workers: 0}
preprocessing: {size: 48}
concepts: {source: both, minimum: 1}
captions: {minimum: 1, max_length: 8}
trunk: {name: lite0}
decoder: {hidden: 16, embedding: 16, dropout: 0.1}
stages:
  - {kind: concepts, epochs: 3, batch: 4, freeze: 8, average: 0.9, learning_rate: 0.002}
  - {kind: relations, epochs: 8, batch: 4, learning_rate: 0.05}
  - {kind: joint, epochs: 1, batch: 4, freeze: 8}
"""


def make_data(folder: Path, pictures: int = 24) -> Path:
    """Write a data set of coloured shapes with tags and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(pictures):
        colour, shape = list(COLOURS)[number % 3], SHAPES[number // 3 % 2]
        image = Image.new("RGB", (48, 40), (235, 235, 230))
        place = (6 + number % 5, 4, 36 + number % 5, 34)
        draw = ImageDraw.Draw(image)
        (draw.ellipse if shape == "circle" else draw.rectangle)(place, fill=COLOURS[colour])
        image.save(folder / f"{number:02}.jpg", quality=92)
        split = {0: "val", 1: "test"}.get(number // 3 % 4, "train")
        record = {"file_name": f"{number:02}.jpg", "split": split, "tags": [colour, shape]}
        lines.append(json.dumps({**record, "captions": [f"A {colour} {shape} on paper."]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)  # tiny tensors: threads only cost time


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set; not to be changed."""
    return make_data(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def recipe_file(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny recipe for it."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE % json.dumps(str(data)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run_folder(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of it."""
    from semreg.training.recipe import load_recipe
    from semreg.training.run import train

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(load_recipe(recipe_file), folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(run_folder: Path) -> Path:
    """The model that it made."""
    return run_folder / "model"
