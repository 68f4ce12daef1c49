"""Thresholds chosen again on known pictures: the metric asked for is the one that rises, and the model keeps them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from semreg.annotator import Annotator
from semreg.data.records import Record, of_split, read_records
from semreg.errors import SemregError
from semreg.model_config import GeneralConfig, KindConfig
from semreg.model_folder import read_config, save_config
from semreg.tuning import tune

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def semreg(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semreg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.fixture
def records(data: Path) -> list[Record]:
    return of_split(read_records(data), "train")


@pytest.mark.parametrize("per", ["all", "frequency", "class"])
@pytest.mark.parametrize("metric", ["O-F1", "C-F1", "mean"])
def test_the_metric_on_the_pictures_tuned_on_hardly_falls(
    model_folder: Path, records: list[Record], metric: str, per: str
) -> None:
    tuned = tune(Annotator.load(model_folder), records, records, wanted=metric, per=per)
    for name in ("tags", "concepts", "head"):
        keys = ("O-F1", "C-F1") if metric == "mean" else (metric,)
        before, after = (sum(figures[name][key] for key in keys) for figures in (tuned.before, tuned.after))
        # Chosen on draws of these few pictures, and a class's own drawn towards the common one: no optimum for them.
        assert per == "class" or after >= before - 0.05 * len(keys)
    threshold = tuned.config.tag_score.threshold  # type: ignore[union-attr]
    assert isinstance(threshold, float) is (per == "all")
    assert len(tuned.config.tag_thresholds()) == 5 and len(tuned.config.concept_thresholds()) == 6
    assert len(tuned.config.head_thresholds()) == 5


def test_kept_thresholds_stay_and_shown_probabilities_are_fitted(model_folder: Path, records: list[Record]) -> None:
    annotator = Annotator.load(model_folder)
    plain = annotator.config.model_copy(update={"concept_scale": None})
    older = Annotator(annotator.model, plain, "older")
    tuned = tune(older, records, records, keep=True)
    assert tuned.config.concept_scale is not None
    assert tuned.config.model_copy(update={"concept_scale": None}) == plain
    assert tuned.after["concepts"]["ECE"] < tuned.before["concepts"]["ECE"]


def test_pictures_without_a_known_tag_are_refused(model_folder: Path, records: list[Record]) -> None:
    bare = [Record(r.path, r.file_name, r.split, ("zebra",), ()) for r in records]
    with pytest.raises(SemregError, match=r"no tag or caption that tiny@.* knows: tune on others"):
        tune(Annotator.load(model_folder), bare, bare)


def test_the_command_saves_thresholds_that_annotate_uses(model_folder: Path, data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(model_folder, own)
    before = read_config(own)
    done = semreg("tune", "--model", own, "--data", data, "--per", "class", "--dry-run")
    assert done.returncode == 0 and "tags: C-F1" in done.stdout and "concepts: C-F1" in done.stdout
    assert read_config(own) == before
    assert semreg("tune", "--model", own, "--data", data, "--per", "class").returncode == 0
    after = read_config(own)
    assert len(after.tag_thresholds()) == 5 and isinstance(after.concept_threshold, tuple)
    chosen = {"tag_score": None, "concept_threshold": 0.5, "concept_scale": None}
    assert after.model_copy(update=chosen) == before.model_copy(update=chosen)
    assert {path.name for path in own.iterdir()} == {path.name for path in model_folder.iterdir()}
    picture = sorted(data.glob("*.jpg"))[0]
    annotation = Annotator.load(own)(picture)
    floors = dict(zip(after.decoders["tags"].words, after.tag_thresholds(), strict=True))
    assert all(tag.score >= floors[tag.label] for tag in annotation.tags)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the default model is part of the package"),
        (["--metric", "F2"], "--metric must be one of mean, O-F1"),
        (["--probability", "1.5"], "--probability must lie between 0 and 1, is 1.5"),
        (["--probability", "0.5", "--per", "frequency"], "take --per all or --per class"),
        (["--lift", "0.5"], "--lift must be at least 1, is 0.5"),
        (["--lift", "4", "--per", "class"], "--lift is for a given probability per class"),
        (["--general", "2"], "--general must lie in 0..1, is 2"),
        (["--per", "label"], "--per must be all, frequency or class, is 'label'"),
        (["--output", "."], "is there already: name a new folder"),
        (["--dry-run", "--split", "nowhere"], "has no split 'nowhere'"),
    ],
)
def test_mistakes_are_one_sentence(data: Path, arguments: list[str], sentence: str) -> None:
    done = semreg("tune", "--data", data, *arguments)
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_lift_raises_the_thresholds_of_what_most_pictures_have(model_folder: Path, records: list[Record]) -> None:
    annotator = Annotator.load(model_folder)
    plain, lifted = (
        tune(annotator, records, records, wanted=0.1, per="class", lift=lift).config.tag_thresholds()
        for lift in (1.0, 3.0)
    )
    assert all(after > before for before, after in zip(plain, lifted, strict=True))  # a third or half have each


def test_the_share_of_general_words_is_saved_and_told(model_folder: Path, data: Path, tmp_path: Path) -> None:
    own, new = tmp_path / "own", tmp_path / "new"
    shutil.copytree(model_folder, own)
    choose = ("tune", "--model", own, "--data", data, "--keep-thresholds", "--general", "0.9", "--output", new)
    done = semreg(*choose)
    assert done.returncode == 2 and "has no general words: leave --general out" in done.stderr and not new.exists()
    kinds = tuple(KindConfig(concepts=(colour,), words={colour: "square"}) for colour in ("red", "blue"))
    before = read_config(own).model_copy(update={"general": (GeneralConfig(share=0.8, kinds=kinds),)})
    save_config(before, own)
    assert semreg(*choose).returncode == 0
    assert read_config(new).general == (GeneralConfig(share=0.9, kinds=kinds),)
    assert "say square unless 90 percent sure of one of: red; blue" in semreg("info", "--model", new).stdout


def test_a_probability_moves_the_tags_thresholds_alone(model_folder: Path, records: list[Record]) -> None:
    annotator = Annotator.load(model_folder)
    config = annotator.config
    tuned = tune(annotator, records, records, wanted=0.7, per="class").config
    assert config.tag_score is not None and tuned.tag_score is not None
    assert tuned.concept_threshold == config.concept_threshold and tuned.tag_score.head == config.tag_score.head
    assert len(set(tuned.tag_thresholds())) > 1
    assert tune(annotator, records, records, wanted=0.7).config.tag_thresholds() == (0.7,) * len(annotator.labels)
