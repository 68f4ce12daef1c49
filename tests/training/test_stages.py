"""What each stage learns, and what it must leave alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from semreg.data.records import read_records
from semreg.data.vocabulary import PADDING, START, STOP
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_folder import build_model
from semreg.training.checkpoint import Progress, snapshot
from semreg.training.log import RunLog
from semreg.training.loop import Learner, Trainer, make_schedule, shares
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import load_recipe
from semreg.training.setting import Setting, encode
from semreg.training.stages import Stage, prepare_stage
from semreg.training.validation import validate_concepts

CONCEPTS = "{kind: concepts, epochs: 1, batch: 4, freeze: 8}"


class Bench:
    """A model and its data, with any stage ready to be tried."""

    def __init__(self, recipe_file: Path, folder: Path, stage: str, *changes: str) -> None:
        self.recipe = load_recipe(recipe_file, [*changes, f"stages=[{stage}]"])
        parts = split_records(read_records(self.recipe.data.folder), self.recipe)
        config, train, validation = prepare_data(self.recipe, *parts)
        torch.manual_seed(0)
        self.model: CnnRnn = build_model(config, pretrained=True)
        self.log = RunLog(folder, quiet=True)
        lengths = {form: decoder.max_length for form, decoder in config.decoders.items()}
        words = {form: decoder.words for form, decoder in config.decoders.items()}
        concepts = config.concept_vocabulary()
        self.setting = Setting(self.recipe, train, validation, lengths, words, concepts, self.log, torch.device("cpu"))
        self.stage: Stage = prepare_stage(0, self.setting, self.model)

    def first_batch(self) -> object:
        return next(iter(self.stage.batches(0, [[0, 1, 2, 3]])))

    def changed(self) -> set[str]:
        """The weights and buffers that one run of the stage changes, whatever its validation says of it."""
        before = snapshot(self.model)
        metric = iter(range(9))
        self.stage.validate = lambda: (float(next(metric)), {})  # type: ignore[method-assign]
        trainer = Trainer(
            self.model,
            Accelerator(),
            seed=0,
            train_norm=self.recipe.trunk.batchnorm == "trained",
            log=self.log,
            save=lambda *_: None,
            stop_asked=lambda: False,
        )
        trainer.run(self.stage, Progress(), {})
        return {name for name, value in self.model.state_dict().items() if not torch.equal(value, before[name])}


def parts(names: set[str]) -> set[str]:
    return {".".join(name.split(".")[: 2 if name.startswith(("decoders", "trunk")) else 1]) for name in names}


@pytest.mark.parametrize(
    ("stage", "changes", "learns"),
    [
        (CONCEPTS, (), {"semantic", "trunk.head"}),
        ("{kind: concepts, epochs: 1, batch: 4, freeze: 7}", (), {"semantic", "trunk.head", "trunk.stages"}),
        ("{kind: concepts, epochs: 1, batch: 4, freeze: 9}", (), {"semantic"}),
        (CONCEPTS, ("trunk.batchnorm=frozen",), {"semantic", "trunk.head"}),
        ("{kind: relations, epochs: 1, batch: 4}", (), {"decoders.tags", "decoders.caption"}),
        ("{kind: relations, epochs: 1, batch: 4, forms: [tags]}", (), {"decoders.tags"}),
        ("{kind: relations, epochs: 1, batch: 4, forms: [caption], concepts: true}", (), {"decoders.caption"}),
        (
            "{kind: joint, epochs: 1, batch: 4, freeze: 8, forms: [caption]}",
            (),
            {"decoders.caption", "semantic", "trunk.head"},
        ),
    ],
)
def test_a_stage_changes_its_own_parts_and_no_others(
    recipe_file: Path, tmp_path: Path, stage: str, changes: tuple[str, ...], learns: set[str]
) -> None:
    stage = stage.replace("concepts: true", "concepts: 'true'")
    found = Bench(recipe_file, tmp_path, stage, *changes).changed()
    assert parts(found) == learns
    if "trunk.stages" in learns:
        assert {name.split(".")[2] for name in found if name.startswith("trunk.stages")} == {"6"}
    if changes:
        assert not any("running" in name or "num_batches" in name for name in found)


def test_normalisation_learns_only_where_it_is_asked_to(recipe_file: Path, tmp_path: Path) -> None:
    found = Bench(recipe_file, tmp_path, CONCEPTS, "trunk.batchnorm=trained").changed()
    assert any("running_mean" in name for name in found)


def test_batches_hold_what_they_were_asked_for_in_that_order(recipe_file: Path, tmp_path: Path) -> None:
    bench = Bench(recipe_file, tmp_path, CONCEPTS)
    chosen = [[5, 0, 11], [7]]
    for indices, (pictures, truth) in zip(chosen, bench.stage.batches(0, chosen), strict=True):
        assert torch.equal(truth, bench.setting.train.truth[indices])
        assert pictures.shape == (len(indices), 3, 48, 48) and pictures.dtype == torch.uint8


def test_the_true_concepts_replace_the_predicted_ones_in_relations(recipe_file: Path, tmp_path: Path) -> None:
    for concepts in ("true", "predicted"):
        stage = f"{{kind: relations, epochs: 1, batch: 4, concepts: '{concepts}'}}"
        bench = Bench(recipe_file, tmp_path, stage)
        encoding, _ = bench.first_batch()
        assert torch.equal(encoding.concepts, bench.setting.train.truth[:4]) is (concepts == "true")


def test_relations_sees_every_picture_and_its_mirror_image(recipe_file: Path, tmp_path: Path) -> None:
    for mirror, views in ((True, 2), (False, 1)):
        bench = Bench(recipe_file, tmp_path, f"{{kind: relations, epochs: 1, batch: 4, mirror: {mirror}}}")
        seen = {bench.first_batch()[0].features[0].numpy().tobytes() for _ in range(20)}
        assert len(seen) == views


def test_relations_sees_augmented_views_that_are_kept(recipe_file: Path, tmp_path: Path) -> None:
    stage = "{{kind: relations, epochs: 1, batch: 4, mirror: false, views: {}, augmentation: {}}}"
    cache = f"data.cache={json.dumps(str(tmp_path / 'kept'))}"

    def seen(views: int, augmentation: str) -> set[bytes]:
        bench = Bench(recipe_file, tmp_path, stage.format(views, augmentation), cache)
        return {bench.first_batch()[0].features[0].numpy().tobytes() for _ in range(40)}

    plain, views = seen(0, "{}"), seen(3, "{crop: 0.4}")
    assert len(plain) == 1 and len(views) == 4 and plain < views
    assert seen(3, "{crop: 0.4}") == views  # read from the folder
    assert len(seen(3, "{crop: 0.6}") & views) == 1  # other views, the same picture


@pytest.mark.parametrize("stage", ["{kind: relations, epochs: 1, mirror: false}", "{kind: joint, epochs: 1}"])
@pytest.mark.parametrize("interface", ["state", "semantic"])
def test_the_interface_is_standardised_on_the_training_pictures(
    recipe_file: Path, tmp_path: Path, stage: str, interface: str
) -> None:
    bench = Bench(recipe_file, tmp_path, stage, f"decoder.interface={interface}")
    seen = encode(bench.model, bench.setting.train, bench.setting, "the training pictures")
    for form in ("tags", "caption"):
        chosen = bench.model.decoder(form).interface
        x = chosen.standardise(chosen.embedding(seen))
        assert x.mean(0).abs().max() < 1e-3
        varies = chosen.embedding(seen).std(0) > 2e-3  # what hardly varies is not blown up
        assert varies.any() and (x.std(0, correction=0)[varies] - 1).abs().max() < 1e-3


@pytest.mark.parametrize(("stages", "follows"), [("", True), ("{kind: relations, epochs: 1}, ", False)])
def test_the_scale_follows_the_cnn_where_it_learns_from_the_start(
    recipe_file: Path, tmp_path: Path, stages: str, follows: bool
) -> None:
    bench = Bench(recipe_file, tmp_path, stages + "{kind: joint, epochs: 1, batch: 4}")
    if stages:
        bench.stage = prepare_stage(1, bench.setting, bench.model)
    bench.model.train()
    scale = bench.model.decoder("tags").interface.standardise
    before = scale.mean.clone()
    bench.stage.loss(bench.model, bench.first_batch())
    assert torch.equal(scale.mean, before) is not follows


def test_paths_begin_with_start_and_end_with_stop_and_rare_labels_come_first(recipe_file: Path, tmp_path: Path) -> None:
    bench = Bench(recipe_file, tmp_path, CONCEPTS)
    train = bench.setting.train
    for form in ("tags", "caption"):
        batch = train.batch(form, train.pairs([form]))
        assert (batch[:, 0] == START).all() and ((batch == STOP).sum(1) == 1).all()
        assert all(set(row[row.tolist().index(STOP) + 1 :].tolist()) <= {PADDING} for row in batch)
    words = bench.setting.words["tags"]
    counts = train.labels.sum(0)
    for path in train.batch("tags", train.pairs(["tags"])).tolist():
        order = [counts[token - 4].item() for token in path[1 : path.index(STOP)]]
        assert order == sorted(order) and len(order) == 2, words


def test_a_random_order_is_another_one_at_every_update(recipe_file: Path, tmp_path: Path) -> None:
    bench = Bench(recipe_file, tmp_path, "{kind: relations, epochs: 1, batch: 4}", "tags.order=random")
    encoding, paths = bench.first_batch()  # type: ignore[misc]
    taught = [bench.model(encoding, paths, False, bench.setting.arrange).paths for _ in range(20)]
    assert len({path["tags"].numpy().tobytes() for path in taught}) > 5
    assert all(torch.equal(path["caption"], paths["caption"]) for path in taught)


@pytest.mark.parametrize("stage", ["{kind: relations, epochs: 1, batch: 4}", "{kind: joint, epochs: 1, batch: 4}"])
@pytest.mark.parametrize("order", ["frequent-first", "alphabetical", "random", "predicted", "minimal-loss", "any"])
def test_every_order_teaches_the_tag_decoder(recipe_file: Path, tmp_path: Path, stage: str, order: str) -> None:
    bench = Bench(recipe_file, tmp_path, stage, f"tags.order={order}")
    batch = bench.first_batch()
    loss, figures = bench.stage.loss(bench.model, batch)
    loss.backward()
    assert figures["L_r tags"] > 0
    assert bench.model.decoder("tags").embed.weight.grad is not None


def test_any_label_that_is_left_is_right_where_the_order_is_free(recipe_file: Path, tmp_path: Path) -> None:
    losses = {}
    for order in ("any", "rare-first"):
        bench = Bench(
            recipe_file, tmp_path, "{kind: relations, epochs: 1, batch: 4, mirror: false}", f"tags.order={order}"
        )
        bench.model.eval()
        losses[order] = bench.stage.loss(bench.model, bench.first_batch())[1]["L_r tags"]
    assert losses["any"] < losses["rare-first"] - 0.1


def test_pictures_without_tags_or_captions_teach_what_they_have(recipe_file: Path, data: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["file_name"] = str(data / row["file_name"])
        if row["split"] == "train":
            row.pop(("tags", "captions")[number % 2])
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for kind in ("relations", "joint"):
        stage = f"{{kind: {kind}, epochs: 1, batch: 4}}"
        bench = Bench(recipe_file, tmp_path, stage, f"data.folder={json.dumps(str(tmp_path))}")
        assert {"decoders.tags", "decoders.caption"} <= parts(bench.changed())


@pytest.mark.parametrize(
    ("what", "drop"), [("captions", ("captions",)), ("tags", ("tags",)), ("concepts", ("tags", "captions"))]
)
def test_validation_pictures_that_cannot_validate_are_found_out_before_training(
    recipe_file: Path, data: Path, tmp_path: Path, what: str, drop: tuple[str, ...]
) -> None:
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["file_name"] = str(data / row["file_name"])
        if row["split"] == "val":
            for key in drop:
                row.pop(key)
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(SemregError, match=rf"the validation pictures have no {what}.*data\.validation"):
        Bench(recipe_file, tmp_path, CONCEPTS, f"data.folder={json.dumps(str(tmp_path))}")


def test_held_weights_stay_near_where_they_began(recipe_file: Path, tmp_path: Path) -> None:
    moved = {}
    for hold in (0, 1, 100):
        stage = f"{{kind: concepts, epochs: 5, batch: 4, freeze: 9, learning_rate: 0.01, keep: last, hold: {hold}}}"
        bench = Bench(recipe_file, tmp_path, stage)
        before = bench.model.semantic.weight.detach().clone()
        bench.changed()
        moved[hold] = (bench.model.semantic.weight - before).norm().item()
    assert 0 < 2 * moved[100] < moved[1] < moved[0]


def test_the_hold_is_the_gradient_of_the_squared_distance(recipe_file: Path, tmp_path: Path) -> None:
    bench = Bench(recipe_file, tmp_path, "{kind: concepts, epochs: 1, freeze: 9, hold: 0.25}")
    weight, bias = bench.model.semantic.weight, bench.model.semantic.bias
    learner, before = Learner(bench.model, bench.stage.settings, 1), weight.detach().clone()
    with torch.no_grad():
        weight += torch.randn_like(weight)
    weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
    learner.pull_back(bench.model)
    torch.testing.assert_close(weight.grad, 0.25 * (weight - before).detach())
    assert not bias.grad.any()


def test_through_a_fixed_trunk_the_validation_pictures_are_seen_once(recipe_file: Path, tmp_path: Path) -> None:
    """And validated as if they were seen anew: only the concept layer has changed."""
    bench = Bench(recipe_file, tmp_path, "{kind: concepts, epochs: 1, freeze: 9}")
    first = bench.stage.validate()
    torch.nn.init.normal_(bench.model.semantic.weight, generator=torch.Generator().manual_seed(1))
    again = bench.stage.validate()
    seen = encode(bench.model, bench.setting.validation, bench.setting, "them")
    assert first != again == validate_concepts(seen, bench.setting.validation)


def test_an_epoch_has_every_example_once_and_its_rest_is_what_is_left_of_it(recipe_file: Path, tmp_path: Path) -> None:
    bench = Bench(recipe_file, tmp_path, CONCEPTS)
    accelerator = Accelerator()
    for batch, accumulate in ((4, 1), (4, 3), (5, 2), (12, 1)):
        whole = shares(bench.stage, 0, Progress(), batch, accelerator, accumulate)
        examples = [index for update in whole for part in update for index in part]
        assert len(examples) == len(set(examples)) == 12 // batch * batch
        rest = shares(bench.stage, 0, Progress(step=1), batch, accelerator, accumulate)
        assert rest == whole[1:]
    orders = [
        shares(bench.stage, *key, 4, accelerator, 1)
        for key in ((0, Progress()), (1, Progress()), (0, Progress(epoch=1)))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


@pytest.mark.parametrize("updates", [1, 2, 7, 100])
def test_the_rate_warms_up_and_then_only_falls(updates: int) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = make_schedule(optimizer, updates)
    rates = []
    for _ in range(updates):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.1) and top <= max(1, updates // 10)
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert min(rates) > 0


def test_freezing_more_parts_than_there_are_is_refused(recipe_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"freeze must lie in 0\.\.9"):
        Bench(recipe_file, tmp_path, "{kind: concepts, epochs: 1, freeze: 10}")
