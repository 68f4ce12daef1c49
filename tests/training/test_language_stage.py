"""The language stage: captions without pictures teach the caption decoder, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from test_stages import Bench, parts

from semreg.data.vocabulary import PADDING, START, STOP
from semreg.errors import SemregError
from semreg.model_folder import read_config
from semreg.training.recipe import load_recipe, save_recipe
from semreg.training.run import train

SENTENCES = ["A red circle.", "A blue square on paper.", "The paper is here.", "A green circle on zebra paper."]


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join([*SENTENCES, "Ein roter Kreis auf Papier."]), encoding="utf-8")
    return path


def stage_of(path: Path) -> str:
    return f"{{kind: language, epochs: 2, batch: 4, captions: [{json.dumps(str(path))}]}}"


def test_the_caption_decoder_learns_and_nothing_else(recipe_file: Path, tmp_path: Path, sentences: Path) -> None:
    assert parts(Bench(recipe_file, tmp_path, stage_of(sentences)).changed()) == {"decoders.caption"}


def test_paths_are_the_captions_with_one_unknown_word_at_most(
    recipe_file: Path, tmp_path: Path, sentences: Path
) -> None:
    bench = Bench(recipe_file, tmp_path, stage_of(sentences))
    assert bench.stage.examples() == 3  # "is here" are two unknown words, and the last is another language
    encoding, paths = next(iter(bench.stage.batches(0, [[0, 1, 2]])))
    words = bench.setting.words["caption"]
    told = [[words[t - 4] if t > 3 else t for t in row] for row in paths["caption"].tolist()]
    assert told[0] == [START, "a", "red", "circle", STOP, PADDING, PADDING, PADDING]
    assert told[2][4:6] == ["on", 3]
    names = bench.setting.concepts.index
    assert encoding.concepts.shape == (3, len(names))


def test_what_is_imagined_has_the_concepts_that_the_caption_names(
    recipe_file: Path, tmp_path: Path, sentences: Path, model_folder: Path
) -> None:
    bench = Bench(recipe_file, tmp_path, stage_of(sentences), f"init={model_folder}")
    truth, names = bench.setting.train.truth, bench.setting.concepts.index
    stage = bench.stage
    rows = [stage.imagination.like[0, 0].item(), stage.imagination.like[1, 0].item()]  # type: ignore[attr-defined]
    assert truth[rows[0], [names["red"], names["circle"]]].tolist() == [1, 1]
    assert truth[rows[1], [names["blue"], names["square"]]].tolist() == [1, 1]


def test_captions_that_teach_nothing_are_refused(recipe_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("Ein roter Kreis auf Papier.\n", encoding="utf-8")
    with pytest.raises(SemregError, match="none speaks of the model's concepts"):
        Bench(recipe_file, tmp_path, stage_of(path))


def test_a_missing_file_is_refused_before_anything_is_learnt(recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file, [f"stages=[{{kind: concepts, epochs: 1}}, {stage_of(tmp_path / 'no.txt')}]"])
    with pytest.raises(SemregError, match=r"no\.txt does not exist"):
        train(recipe, tmp_path / "run")


def test_it_needs_a_caption_decoder(recipe_file: Path, sentences: Path) -> None:
    with pytest.raises(SemregError, match=r"stages\.0\.forms names caption: add it to forms"):
        load_recipe(recipe_file, ["forms=[tags]", f"stages=[{stage_of(sentences)}]"])


def test_a_whole_run_learns_from_them_and_its_model_keeps_no_paths(
    recipe_file: Path, tmp_path: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stages = (
        "[{kind: concepts, epochs: 1, batch: 4, freeze: 8}, "
        "{kind: language, epochs: 20, batch: 4, learning_rate: 0.05, captions: [sentences.txt]}, "
        "{kind: relations, epochs: 1, batch: 4}]"
    )
    folder = train(load_recipe(recipe_file, [f"stages={stages}"]), tmp_path / "run")
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["captions"] for event in events if event["event"] == "captions alone"] == [3]
    losses = [e["loss"] for e in events if e["event"] == "epoch" and e["stage"] == "2-language" and e["epoch"]]
    assert losses[-1] < losses[0] - 1
    assert str(sentences) in save_recipe(load_recipe(tmp_path / "run/recipe.yaml"))  # found from anywhere on resuming
    training = read_config(folder).training
    assert training["recipe"]["stages"][1]["kind"] == "language"
    assert "sentences" not in json.dumps(training)
    assert "5 captions without pictures" in (folder / "README.md").read_text(encoding="utf-8")
    assert torch.isfinite(torch.tensor(losses)).all()
