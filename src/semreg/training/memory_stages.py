"""The stages that teach the decoders alone, from memory: `relations` on L_r, `self-critical` on the metric itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding.constraints import Constraints
from semreg.decoding.sampling import sample
from semreg.evaluation import CiderD
from semreg.model.cnn_rnn import CnnRnn, Taught
from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding
from semreg.model.prepared import PreparedDecoder
from semreg.training.examples import padded
from semreg.training.path_loss import path_loss
from semreg.training.recipe_stages import MemoryStage, RelationsStage, SelfCriticalStage
from semreg.training.setting import Setting, encode
from semreg.training.validation import validate_forms


class FromMemory:
    """What the stages that leave the CNN as it is share: what it sees is computed once."""

    def __init__(self, name: str, settings: MemoryStage, setting: Setting, model: CnnRnn, forms: Sequence[str]) -> None:
        self.name, self.setting, self.model, self.forms = name, setting, model, forms
        model.trunk.requires_grad_(False)
        model.semantic.requires_grad_(False)
        for form in setting.recipe.forms:
            model.decoder(form).requires_grad_(form in self.forms)
        self.views = _seen_held_out(setting, settings) or _seen(model, setting, settings)
        self.seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)

    def _some_views(self, pictures: Sequence[int]) -> Encoding:
        """What is seen in some training pictures, each in one of its views, at random."""
        device = self.setting.device
        rows = torch.tensor(pictures, device=device)
        mixed = torch.randint(len(self.views), (len(pictures), 1), device=device)
        return Encoding(*(_pick(values, rows, mixed) for values in zip(*map(_fields, self.views), strict=True)))

    def begin(self) -> None:
        """Nothing to change."""

    def measure(self) -> None:
        """Give the interfaces the scale of what is seen in the training pictures."""
        for form in self.forms:
            interface = self.model.decoder(form).interface
            interface.standardise.fit(interface.embedding(_join(self.views)))

    def validate(self) -> tuple[float, dict[str, float]]:
        """Greedy decoding: F1 of tags, CIDEr-D of captions."""
        self.model.eval()
        return validate_forms(
            self.model,
            self.seen,
            self.setting.validation,
            self.setting.max_lengths,
            self.setting.words,
            self.forms,
        )


class Relations(FromMemory):
    """Stage 2: the decoders on L_r, from memory, with the CNN as it is."""

    def __init__(self, name: str, settings: RelationsStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model, settings.forms or setting.recipe.forms)
        self.settings = settings
        if settings.concepts == "true":
            truth = setting.train.truth.to(setting.device)
            self.views = [Encoding(view.features, view.logits, truth) for view in self.views]
        self.pairs = setting.train.pairs(self.forms)
        self.measure()

    def examples(self) -> int:
        """One a caption, or a picture."""
        return len(self.pairs)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Encodings, each of a view at random, and paths."""
        for indices in chosen:
            pairs = [self.pairs[index] for index in indices]
            encoding = self._some_views([picture for picture, _ in pairs])
            yield encoding, {f: self.setting.train.batch(f, pairs).to(self.setting.device) for f in self.forms}

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """L_r, summed over the forms."""
        encoding, paths = batch
        return path_loss(model(encoding, paths, False, self.setting.arrange), self.setting, self.settings.smoothing)


class SelfCritical(FromMemory):
    """After stage 2: the caption decoder on CIDEr-D itself, from memory, with the CNN as it is.

    Several captions are drawn for each picture. Those that score better than the others become likelier, those that
    score worse less likely: the policy gradient with the mean reward of a picture's other captions as its baseline
    (Rennie et al., CVPR 2017; Luo, arXiv:2003.09971). The stop token counts as a word, so that a caption that breaks
    off does not score.
    """

    def __init__(self, name: str, settings: SelfCriticalStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model, ("caption",))
        self.settings = settings
        told = setting.train.tokens["caption"]
        self.pictures = [picture for picture, paths in enumerate(told) if paths]
        self.reward = CiderD([[path[1:] for path in told[picture]] for picture in self.pictures])
        self.constraints = Constraints(max_length=setting.max_lengths["caption"], forbidden=NEVER_PRODUCED)

    def examples(self) -> int:
        """One a picture that has captions."""
        return len(self.pictures)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Encodings, each of a view at random, and which references are theirs."""
        for indices in chosen:
            yield self._some_views([self.pictures[index] for index in indices]), list(indices)

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Minus the captions' log-likelihood, weighted by how much better they are than the picture's others."""
        encoding, pictures = batch
        repeats = self.settings.samples
        encoding = Encoding(*(values.repeat_interleave(repeats, 0) for values in _fields(encoding)))
        decoder = self.model.decoder("caption")
        with without_dropout(decoder):
            ready = PreparedDecoder(decoder, packed=True)
            drawn = sample(ready, encoding, self.constraints, start=START, stop=STOP, padding=PADDING)
            paths = [[START, *row[0]] for row in drawn.lists()]
            for path, ended in zip(paths, drawn.ended[:, 0].tolist(), strict=True):
                path += [STOP] if ended else []
            rewards = self.reward.score([path[1:] for path in paths], [p for p in pictures for _ in range(repeats)])
            tokens = padded(paths, PADDING).to(encoding.concepts.device)
            taught: Taught = model(encoding, {"caption": tokens}, False)
        better = advantages(torch.from_numpy(rewards).float(), repeats).to(tokens.device)  # (B samples,)
        targets = tokens[:, 1:]
        surprise = F.cross_entropy(
            taught.logits["caption"].float().flatten(0, 1), targets.flatten(), ignore_index=PADDING, reduction="none"
        ).view_as(targets)
        loss = (better[:, None] * surprise).sum() / (targets != PADDING).sum()
        return loss, {"reward": float(rewards.mean())}


def advantages(rewards: Tensor, samples: int) -> Tensor:
    """How much better each sample is than the mean of the picture's others: (B samples,), of a picture side by side."""
    of_picture = rewards.view(-1, samples)
    others = (of_picture.sum(1, keepdim=True) - of_picture) / (samples - 1)
    return (of_picture - others).flatten()


@contextmanager
def without_dropout(decoder: Decoder) -> Iterator[None]:
    """The decoder as it is when it is used, though it learns: what was drawn and what is taught are then one policy."""
    before, decoder.dropout.p = decoder.dropout.p, 0.0
    try:
        yield
    finally:
        decoder.dropout.p = before


def _seen(model: CnnRnn, setting: Setting, settings: MemoryStage) -> list[Encoding]:
    """What the CNN sees in the training pictures, in each of the views that the stage asks for."""
    views = [encode(model, setting.train, setting, "the training pictures", False, keep=True)]
    if settings.mirror:
        views.append(encode(model, setting.train, setting, "their mirror images", True, keep=True))
    for number in range(settings.views):
        view = (settings.augmentation.build(), number)
        what = f"augmented view {number + 1} of {settings.views}"
        views.append(encode(model, setting.train, setting, what, False, keep=True, augmented=view))
    return views


def _seen_held_out(setting: Setting, settings: MemoryStage) -> list[Encoding]:
    """The same by CNNs that have not learnt from these pictures, without features; empty without cross-fitting."""
    chosen = setting.held_out if settings.mirror else setting.held_out[:1]
    return [Encoding(logits[:, :0], logits, logits.sigmoid()) for logits in chosen]


def _fields(encoding: Encoding) -> tuple[Tensor, Tensor, Tensor]:
    return encoding.features, encoding.logits, encoding.concepts


def _join(views: Sequence[Encoding]) -> Encoding:
    return Encoding(*(torch.cat(values) for values in zip(*map(_fields, views), strict=True)))


def _pick(values: Sequence[Tensor], rows: Tensor, mixed: Tensor) -> Tensor:
    """Rows of one of several views each: (B, ...)."""
    picked = values[0][rows]
    for number, view in enumerate(values[1:], 1):
        picked = torch.where(mixed == number, view[rows], picked)
    return picked
