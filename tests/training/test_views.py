"""Views: what a fixed part of the trunk makes of augmented pictures, computed once, is what it would make each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from semreg.data.augmentation import Augmentation
from semreg.data.images import Preprocessing
from semreg.data.loader import picture_batches
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.decoder import Decoder
from semreg.model.interfaces import SemanticInterface
from semreg.model.trunks import TimmTrunk, build_trunk
from semreg.model_folder import load_model
from semreg.training import run
from semreg.training.log import RunLog
from semreg.training.recipe import load_recipe
from semreg.training.views import Views

SIZE, SEED = 48, 3


@pytest.fixture(scope="module")
def model() -> CnnRnn:
    torch.manual_seed(0)
    return CnnRnn(
        build_trunk("lite0", pretrained=True, folded=True), 4, {"tags": Decoder(SemanticInterface(4, 5, 6), 8, 5, 6)}
    )


def views(model: CnnRnn, data: Path, folder: Path, count: int = 2, parts: int = 6, **options: object) -> Views:
    log = RunLog(folder, quiet=True)
    paths = sorted(data.glob("*.jpg"))
    return Views(model, parts, count, paths, Preprocessing(SIZE), Augmentation(), seed=SEED, log=log, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("parts", [0, 1, 4, 8, 9])
def test_both_halves_of_a_trunk_are_the_whole(model: CnnRnn, parts: int) -> None:
    pictures = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8)
    model.eval()
    with torch.no_grad():
        whole = model.trunk(pictures)
        assert torch.equal(model.trunk.upper(model.trunk.lower(pictures, parts), parts), whole)


@pytest.mark.parametrize(("parts", "height"), [(6, 3), (9, 1)])  # of a trunk that is fixed as a whole, features alone
def test_a_view_is_what_the_epoch_would_have_seen(
    model: CnnRnn, data: Path, tmp_path: Path, parts: int, height: int
) -> None:
    kept = views(model, data, tmp_path, parts=parts)
    assert kept.batch(0, [0]).grid.shape[2:] == (height, height)
    rows = [5, 0, 17]
    model.eval()
    for epoch in (0, 1):
        keys = [[(epoch, row) for row in rows]]
        pictures = next(picture_batches(kept.paths, keys, Preprocessing(SIZE), augmentation=Augmentation(), seed=SEED))
        with torch.no_grad():
            expected = model.encode(pictures)
            found = model.encode(kept.batch(epoch, rows).to(torch.device("cpu")))
        torch.testing.assert_close(found.features, expected.features, atol=0.02, rtol=0.02)
        assert not torch.equal(kept.batch(0, rows).grid, kept.batch(1, rows).grid)
    assert torch.equal(kept.batch(2, rows).grid, kept.batch(0, rows).grid)


def test_views_on_disk_are_those_in_memory_and_serve_the_next_run(
    model: CnnRnn, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = views(model, data, tmp_path).batch(1, range(24)).grid
    folder = tmp_path / "kept"
    assert torch.equal(views(model, data, tmp_path, cache=folder).batch(1, range(24)).grid, in_memory)
    files = list(folder.iterdir())
    assert [path.suffix for path in files] == [".npy"]
    monkeypatch.setattr(Views, "_look", lambda *_: pytest.fail("looked at the pictures again"))
    assert torch.equal(views(model, data, tmp_path, cache=folder).batch(1, range(24)).grid, in_memory)
    with pytest.raises(pytest.fail.Exception):  # another fixed part: another view
        views(model, data, tmp_path, parts=5, cache=folder).batch(1, [0])


def test_a_view_that_is_not_finished_leaves_no_file(
    model: CnnRnn, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Views, "_look", fail)
    with pytest.raises(KeyboardInterrupt):
        views(model, data, tmp_path, cache=tmp_path / "kept").batch(0, [0])
    assert list((tmp_path / "kept").iterdir()) == []


def test_training_with_views_in_memory_and_on_disk_ends_with_the_same_bits(recipe_file: Path, tmp_path: Path) -> None:
    results = []
    for name, cache in (("memory", "null"), ("disk", json.dumps(str(tmp_path / "kept")))):
        stages = (
            "stages=[{kind: concepts, epochs: 3, batch: 4, freeze: 7, views: 2}, "
            "{kind: joint, epochs: 1, batch: 4, freeze: 7, views: 1}]"
        )
        run.train(load_recipe(recipe_file, [stages, f"data.cache={cache}", "data.test=null"]), tmp_path / name)
        model, _ = load_model(tmp_path / name / "model")
        results.append({key: value.numpy().tobytes() for key, value in model.state_dict().items()})
    assert results[0] == results[1]


def test_views_of_a_part_that_changes_are_refused(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match=r"stages\.0\.views needs parts that stay as they are: set trunk\.batchnorm"):
        load_recipe(recipe_file, ["stages.0.views=2", "trunk.batchnorm=trained"])


def test_a_timm_trunk_has_no_halves() -> None:
    with pytest.raises(SemregError, match="set views: 0 for a timm trunk"):
        TimmTrunk.lower(object(), torch.zeros(1), 3)  # type: ignore[arg-type]
