"""The whole benchmark: what is measured, on which engines, and the ratios that matter."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semreg.annotator import TOLD_TOGETHER, Annotator
from semreg.bench.measure import Case, measure, peak_memory, ratio, surroundings
from semreg.bench.pictures import make_files
from semreg.bench.plain import PlainTrunk, picture_by_picture, plain_annotate, plain_read
from semreg.bench.start import cold_start
from semreg.errors import SemregError
from semreg.evaluation import caption_scores
from semreg.memory import leave_loaded_objects_alone
from semreg.model.interfaces import Encoding
from semreg.model.losses import binary_cross_entropy, relational_loss
from semreg.model.trunks import build_trunk, freeze
from semreg.options import Options
from semreg.streams import in_streams, in_two_steps

BEAMS = (1, 3, 5)
GROUPS = 4  # of pictures told about together, for each stream
PARTS = ("decode", "model", "files", "training", "metrics", "start")


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        photographs: real pictures that the files are made from.
        engines: names; the first is the one that ratios within an engine are best known for.
        model: folder of the model, None for the default one.
        batch: pictures that go through the model together.
        small: small files.
        large: 12-megapixel files.
        rounds: goes of each case.
        parts: which of `PARTS`.
    """

    photographs: Sequence[Path]
    engines: tuple[str, ...] = ("torch",)
    model: str | None = None
    batch: int = 32
    small: int = 64
    large: int = 6
    rounds: int = 7
    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        if unknown := [part for part in self.parts if part not in PARTS]:
            raise SemregError(f"parts must be of {', '.join(PARTS)}, is {unknown[0]!r}")
        if not self.photographs:
            raise SemregError("there is no photograph to measure with: name a folder with some")


def run(plan: Plan, command: str, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Measure everything in the plan.

    Returns:
        `surroundings`, the `name` of the model, and for each part its cases (see `measure`); `ratios`; `memory`, the
        run's peak in MB.
    """
    annotators = {name: Annotator.load(plan.model, engine=name, say=say) for name in plan.engines}
    leave_loaded_objects_alone()  # as `semreg annotate` does
    result: dict[str, Any] = {
        **surroundings(command),
        "name": next(iter(annotators.values())).name,
        "batch": plan.batch,
        "threads": torch.get_num_threads(),
        "engines": {name: annotator.engine.name for name, annotator in annotators.items()},
    }
    with tempfile.TemporaryDirectory(prefix="semreg-bench-") as folder:
        say("making the files")
        files = make_files(plan.photographs, Path(folder), plan.small, plan.large)
        for part in plan.parts:
            say(f"measuring: {part}")
            if part == "start":
                result[part] = {name: cold_start(files["small jpg"][0], plan.model, name) for name in plan.engines}
                continue
            cases = _cases(part, plan, annotators, files)
            result[part] = measure(cases, plan.rounds)
    result["ratios"] = _ratios(result, plan)
    result["memory"] = peak_memory()
    return result


def _cases(part: str, plan: Plan, annotators: dict[str, Annotator], files: dict[str, list[Path]]) -> list[Case]:
    first = next(iter(annotators.values()))
    if part == "decode":
        return decoding(first, files)
    if part == "model":
        paths = (files["small jpg"] * plan.batch)[: plan.batch]
        pictures = torch.stack([first.read_one(path) for path in paths])
        plain = PlainTrunk(first.model.trunk)
        cases = [Case("plain: trunk", plan.batch, torch.inference_mode()(lambda: plain(pictures)))]
        cases += [case for name, annotator in annotators.items() for case in modelling(name, annotator, pictures)]
        few = pictures[: max(1, plan.batch // 4)]
        alone = Case("plain: beam 3, picture by picture", len(few), lambda: picture_by_picture(first, few, 3))
        return [*cases, alone] if "caption" in first.config.decoders else cases
    if part == "files":
        return from_files(annotators, files, plan.batch)
    return training(plan.batch) if part == "training" else metrics()


def decoding(annotator: Annotator, files: dict[str, list[Path]]) -> list[Case]:
    """Files to the model's input, one after the other: as we do it, and with Pillow alone."""
    size, cases = annotator.config.preprocessing.size, []
    for kind, paths in files.items():
        cases.append(Case(kind, len(paths), lambda paths=paths: [annotator.read_one(path) for path in paths]))  # type: ignore[misc]
        plain = lambda paths=paths: [plain_read(path, size) for path in paths]  # noqa: E731
        cases.append(Case(f"plain: {kind}", len(paths), plain))
    return cases


def modelling(
    name: str, annotator: Annotator, pictures: Tensor, beams: Sequence[int] = BEAMS, groups: int = GROUPS
) -> list[Case]:
    """Batches that were read already, to features, concepts, and tags with captions.

    As many at a time, and as many told together, as in a long run (`Annotator.annotate`).

    Args:
        name: of the engine.
        annotator: what is measured.
        pictures: a batch.
        beams: widths of the search.
        groups: that each stream has to tell of; the more, the less the last one counts, which is told of alone.
    """
    streams, most = annotator.engine.streams, max(1, TOLD_TOGETHER // len(pictures))
    batches = [pictures] * (groups * most * max(2, streams))
    seen_groups = [Encoding.join([annotator.encode(pictures)] * most)] * (len(batches) // most)

    def tell(options: Options, seen: list[Encoding]) -> Any:
        return annotator.predict(Encoding.join(seen), options)

    def case(part: str, run: Callable[[], Iterator[Any]]) -> Case:
        return Case(f"{name}: {part}", len(pictures) * len(batches), lambda: list(run()))

    cases = [case("concepts", lambda: in_streams(annotator.encode, batches, streams, most))]
    if annotator.engine.name.startswith("torch:fp32"):
        trunk = torch.inference_mode()(annotator.model.trunk.__call__)
        cases.append(case("trunk", lambda: in_streams(trunk, batches, streams, most)))
    for width in beams:
        told = partial(tell, Options(beams=width))
        telling = partial(in_streams, told, [[group] for group in seen_groups], streams)
        whole = partial(in_two_steps, annotator.encode, told, batches, streams, most)
        cases += [case(f"telling, beam {width}", telling), case(f"all, beam {width}", whole)]
    return cases


def from_files(annotators: dict[str, Annotator], files: dict[str, list[Path]], batch: int) -> list[Case]:
    """Files to annotations, as the command does it; and the plain way."""
    first, cases = next(iter(annotators.values())), []
    for kind, paths in files.items():
        plain = lambda paths=paths: plain_annotate(first, paths, batch, 3)  # noqa: E731
        cases.append(Case(f"plain: {kind}", len(paths), plain))
        for name, annotator in annotators.items():
            options = Options(beams=3, batch_size=batch)
            work = lambda paths=paths, annotator=annotator, options=options: list(annotator.annotate(paths, options))  # noqa: E731
            cases.append(Case(f"{name}: {kind}", len(paths), work))
    return cases


def training(batch: int) -> list[Case]:
    """An update of the CNN with its first four parts fixed, and of a caption decoder on features that are known."""
    from semreg.model.decoder import Decoder
    from semreg.model.interfaces import SemanticInterface

    trunk = build_trunk("lite0", folded=True)
    freeze(trunk, 4)
    head = torch.nn.Linear(trunk.feature_size, 200)
    pictures = torch.randint(0, 256, (batch, 3, 224, 224), dtype=torch.uint8)
    truth = (torch.rand(batch, 200) < 0.02).float()
    decoder = Decoder(SemanticInterface(200, 512, 512, True), 5000)
    logits = torch.randn(batch, 200)
    encoding = Encoding(logits[:, :0], logits, logits.sigmoid())
    paths = torch.randint(4, 5000, (batch, 14))

    def concepts() -> None:
        torch.autograd.backward(binary_cross_entropy(head(trunk(pictures)), truth))

    def relations() -> None:
        torch.autograd.backward(relational_loss(decoder(encoding, paths[:, :-1]), paths[:, 1:], 0))

    return [Case("update of the CNN, 4 parts fixed", batch, concepts), Case("update of the decoder", batch, relations)]


def metrics() -> list[Case]:
    """Caption metrics of made-up sentences, 5 references each."""
    words = [
        "a",
        "man",
        "dog",
        "on",
        "the",
        "grass",
        "with",
        "red",
        "ball",
        "street",
        "cat",
        "sits",
        "of",
        "two",
        "people",
        "water",
        "and",
        "boat",
        "near",
        "tree",
    ]
    picked = torch.randint(len(words), (6, 1000, 10), generator=torch.Generator().manual_seed(0)).tolist()
    told, *others = [[" ".join(words[i] for i in row) for row in rows] for rows in picked]
    references = [list(row) for row in zip(*others, strict=True)]
    return [Case("caption metrics", 1000, lambda: caption_scores(told, references))]


def _ratios(result: dict[str, Any], plan: Plan) -> dict[str, float]:
    """The figures that the whole is judged by."""
    found: dict[str, float] = {}
    if "model" in result:
        cases = result["model"]
        for name in plan.engines:
            trunk = f"{name}: trunk" if f"{name}: trunk" in cases else f"{name}: concepts"
            for beams in BEAMS:
                found[f"{name}: all, beam {beams} / trunk"] = ratio(cases, f"{name}: all, beam {beams}", trunk)
            alone = "plain: beam 3, picture by picture"
            if alone in cases:
                found[f"{name}: all, beam 3 / picture by picture"] = ratio(cases, f"{name}: all, beam 3", alone)
    if "files" in result:
        for name in plan.engines:
            for kind in ("small jpg", "large jpg"):
                key = f"{name}: files, {kind} / plain"
                found[key] = ratio(result["files"], f"{name}: {kind}", f"plain: {kind}")
    return found
