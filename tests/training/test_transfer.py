"""Starting from a finished model: what fits is carried over by name, and the new model tells as the old one did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig
from semreg.model_folder import build_model, load_model
from semreg.training import run
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import Recipe, load_recipe
from semreg.training.transfer import as_begun_with, carry_over


def fresh(recipe: Recipe) -> tuple[CnnRnn, ModelConfig]:
    """A new model for a recipe, with random decoders."""
    parts = split_records(read_records(recipe.data.folder), recipe)
    config = prepare_data(recipe, *parts)[0]
    torch.manual_seed(5)
    return build_model(config), config


def test_a_model_of_the_same_kind_is_carried_over_whole(recipe_file: Path, model_folder: Path) -> None:
    model, config = fresh(load_recipe(recipe_file))
    told = carry_over(model, config, model_folder)
    old, _ = load_model(model_folder)
    for name, value in old.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert "6 of 6 concepts" in told and "tags decoder with 5 of 5 words" in told


def test_a_concept_is_found_in_another_form(recipe_file: Path, model_folder: Path, tmp_path: Path) -> None:
    """A model whose data joined "circles" to "circle" gives what it knows of a circle to a label "circles"."""
    shutil.copytree(model_folder, tmp_path / "model")
    config_file = tmp_path / "model" / "config.json"
    told = json.loads(config_file.read_text(encoding="utf-8"))
    told["forms"] = {"circles": "circle", "reds": "nowhere"}
    config_file.write_text(json.dumps(told), encoding="utf-8")
    model, config = fresh(load_recipe(recipe_file))

    def plural(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple({"circle": "circles"}.get(word, word) for word in words)

    names = plural(config.concepts)
    decoders = {form: d.model_copy(update={"words": plural(d.words)}) for form, d in config.decoders.items()}
    changes = {"concepts": names, "decoders": decoders}
    told = carry_over(model, config.model_copy(update=changes), tmp_path / "model")
    assert "6 of 6 concepts" in told and "tags decoder with 5 of 5 words" in told
    count = len(config.decoders["caption"].words)
    assert f"caption decoder with {count - 1} of {count} words" in told  # there "circles" is another word than "circle"
    old, before = load_model(model_folder)
    row, at = names.index("circles"), before.concepts.index("circle")
    assert torch.equal(model.semantic.weight[row], old.semantic.weight[at])


def test_parts_are_found_by_their_names(recipe_file: Path, data: Path, model_folder: Path, tmp_path: Path) -> None:
    """New labels come in between: rows and columns of the others move with their names."""
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["file_name"] = str(data / row["file_name"])
        row["tags"].append(("amber", "puce")[number % 2])
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    model, config = fresh(load_recipe(recipe_file, [f"data.folder={json.dumps(str(tmp_path))}"]))
    random = {name: value.clone() for name, value in model.state_dict().items()}
    told = carry_over(model, config, model_folder)
    assert "6 of 8 concepts" in told
    old, before = load_model(model_folder)
    new, states = model.state_dict(), old.state_dict()
    for concept in config.concepts:
        row = config.concepts.index(concept)
        columns = "decoders.tags.interface.state.weight"
        if concept in before.concepts:
            at = before.concepts.index(concept)
            assert torch.equal(new["semantic.weight"][row], states["semantic.weight"][at])
            assert torch.equal(new[columns][:, row], states[columns][:, at])
        else:
            assert torch.equal(new["semantic.weight"][row], random["semantic.weight"][row])
            assert torch.equal(new[columns][:, row], random[columns][:, row])
    for word in before.decoders["tags"].words:
        token, at = (4 + c.decoders["tags"].words.index(word) for c in (config, before))
        assert torch.equal(new["decoders.tags.output.weight"][token], states["decoders.tags.output.weight"][at])
    assert torch.equal(new["decoders.caption.lstm.weight_hh_l0"], states["decoders.caption.lstm.weight_hh_l0"])


def test_another_interface_keeps_the_trunk_and_the_concepts_alone(recipe_file: Path, model_folder: Path) -> None:
    model, config = fresh(load_recipe(recipe_file, ["decoder.interface=fusion"]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told = carry_over(model, config, model_folder)
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"trunk", "semantic"} and "decoder" not in told


def test_decoders_may_be_left_out(recipe_file: Path, model_folder: Path) -> None:
    """So that in a comparison no interface begins with what another run has taught its decoder."""
    model, config = fresh(load_recipe(recipe_file))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told = carry_over(model, config, model_folder, decoders=False)
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"trunk", "semantic"} and "decoder" not in told


def test_another_trunk_is_refused(recipe_file: Path, model_folder: Path) -> None:
    model, config = fresh(load_recipe(recipe_file, ["trunk.batchnorm=frozen"]))
    with pytest.raises(SemregError, match=r"lite0 with batch normalisation.* has lite0: leave trunk"):
        carry_over(model, config, model_folder)


def test_half_of_a_trunk_lies_between_the_two(recipe_file: Path, model_folder: Path) -> None:
    model, config = fresh(load_recipe(recipe_file))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert "25% of tiny's trunk" in carry_over(model, config, model_folder, trunk=0.25)
    old, now = load_model(model_folder)[0].state_dict(), model.state_dict()
    for name in (name for name in now if name.startswith("trunk.")):
        torch.testing.assert_close(now[name], 0.75 * before[name] + 0.25 * old[name])
    assert torch.equal(now["semantic.weight"], old["semantic.weight"])


def test_a_recipe_without_a_trunk_takes_the_one_of_the_model_that_it_starts_from(
    recipe_file: Path, model_folder: Path, tmp_path: Path
) -> None:
    """And the size of its pictures; what the recipe says itself stays."""
    shutil.copytree(model_folder, tmp_path / "model")
    config_file = tmp_path / "model" / "config.json"
    told = json.loads(config_file.read_text(encoding="utf-8"))
    told["trunk"] = {"name": "lite2", "folded": False}
    told["decoders"]["tags"] |= {"hidden": 24, "evidence": False}
    told["preprocessing"] = {"size": 260, "resize": "crop", "mirror": True}
    config_file.write_text(json.dumps(told), encoding="utf-8")
    init = f"init={json.dumps(str(tmp_path / 'model'))}"
    recipe = as_begun_with(load_recipe(recipe_file, [init, "trunk={dropout: 0.4}", "preprocessing={resize: pad}"]))
    assert recipe.trunk.model_dump() == {"name": "lite2", "pretrained": True, "dropout": 0.4, "batchnorm": "frozen"}
    assert recipe.preprocessing.model_dump() == {"size": 260, "resize": "pad", "mirror": True}
    assert (recipe.decoder.hidden, recipe.decoder.embedding, recipe.decoder.evidence) == (16, 16, False)
    open_ = as_begun_with(load_recipe(recipe_file, [init, "decoder={dropout: 0.1}"]))
    assert (open_.decoder.hidden, open_.decoder.dropout) == (24, 0.1)
    own = load_recipe(recipe_file, [init])
    assert as_begun_with(own).trunk.name == "lite0" and as_begun_with(own).preprocessing.size == 48
    alone = load_recipe(recipe_file, ["trunk={}"])
    assert as_begun_with(alone) == alone


def test_a_run_starts_from_it_and_resumes(recipe_file: Path, model_folder: Path, tmp_path: Path) -> None:
    """One gentle epoch from a finished model: its concepts are still known, and kept features change nothing."""
    results = {}
    for name, cache in (("plain", "null"), ("first", "kept"), ("second", "kept")):
        kept = "null" if cache == "null" else json.dumps(str(tmp_path / cache))
        changes = [
            f"init={json.dumps(str(model_folder))}",
            "stages=[{kind: relations, epochs: 1, batch: 4}]",
            f"data.cache={kept}",
        ]
        run.train(load_recipe(recipe_file, changes), tmp_path / name)
        model, config = load_model(tmp_path / name / "model")
        assert config.supervised
        results[name] = {k: v.numpy().tobytes() for k, v in model.state_dict().items()}
    assert results["plain"] == results["first"] == results["second"]
    assert len(list((tmp_path / "kept").glob("features-*.safetensors"))) == 3  # training, mirrored, validation
