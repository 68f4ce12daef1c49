"""Learning from corrections: what was wrong becomes right, what nobody corrected stays to the bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from semreg.cli import app
from semreg.errors import SemregError
from semreg.model_folder import load_model
from semreg.training.corrections import Corrected, corrected, learn, learn_corrections
from semreg.training.replay import read_replay


def test_a_corrected_concept_moves_towards_the_truth_and_the_others_stay() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 5)
    before = [weight.clone() for weight in (layer.weight, layer.bias)]
    features, replay = torch.randn(6, 8), torch.randn(200, 8)
    with torch.no_grad():
        said, old = layer(features).sigmoid(), layer(replay).sigmoid()
    truth = (said >= 0.5).float()
    truth[:, 2] = 1 - truth[:, 2]
    what = corrected(features, said, truth, torch.full((5,), 0.5), torch.zeros_like(said))
    assert what.wrong.sum() == 6 and what.wrong[:, 2].all()
    learn(layer, what, replay)
    others = [0, 1, 3, 4]
    assert torch.equal(layer.weight[others], before[0][others])
    assert torch.equal(layer.bias[others], before[1][others])
    with torch.no_grad():
        now, kept = layer(features).sigmoid(), layer(replay).sigmoid()
    assert ((now - truth).abs() < (said - truth).abs())[:, 2].all()
    assert (kept - old).abs().mean() < (now - said)[:, 2].abs().mean()


def test_nothing_corrected_is_nothing_learnt() -> None:
    layer = torch.nn.Linear(3, 2)
    before = layer.weight.clone()
    features = torch.randn(4, 3)
    learn(
        layer,
        Corrected(features, torch.zeros(4, 2), torch.zeros(4, 2, dtype=torch.bool), torch.zeros(4, 2)),
        torch.randn(5, 3),
    )
    assert torch.equal(layer.weight, before)


@pytest.fixture
def corrections(data: Path, tmp_path: Path) -> Path:
    """Some pictures of which people say that they are blue, though they are not."""
    folder = tmp_path / "corrections"
    folder.mkdir()
    lines = []
    for name in ("00.jpg", "03.jpg", "06.jpg", "09.jpg"):
        shutil.copy(data / name, folder)
        lines.append(json.dumps({"file_name": name, "tags": ["blue", "circle"]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_command_makes_a_model_that_sees_more_of_what_was_corrected(
    model_folder: Path, corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    app(
        ["train", "--init", str(model_folder), "--data", str(corrections), "--output", str(output)],
        standalone_mode=False,
    )
    assert capsys.readouterr().out.strip() == str(output / "model")
    old, config = load_model(model_folder)
    new, same = load_model(output / "model")
    assert same.concepts == config.concepts and same.training["corrections"] > 0
    assert torch.equal(read_replay(model_folder), read_replay(output / "model"))
    blue = config.concepts.index("blue")
    features = read_replay(model_folder)
    assert not torch.equal(old.semantic.weight[blue], new.semantic.weight[blue])
    for name, value in old.decoders.state_dict().items():
        assert torch.equal(value, new.decoders.state_dict()[name])
    assert features.shape[1] == old.semantic.in_features
    with pytest.raises(SemregError, match="holds a model already"):
        learn_corrections(model_folder, corrections, output)


def test_a_model_without_memories_says_so(model_folder: Path, corrections: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(model_folder, bare)
    (bare / "replay.safetensors").unlink()
    with pytest.raises(SemregError, match="keeps no features of old pictures"):
        learn_corrections(bare, corrections, tmp_path / "run")
