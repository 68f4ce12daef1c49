"""The way through, for users: a picture in, an Annotation out, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from semreg.annotation import Annotation, Caption, Concept, Tag
from semreg.data.images import Source
from semreg.data.vocabulary import SPECIAL
from semreg.decoding import Hypotheses
from semreg.errors import SemregError
from semreg.explanation import Explanation
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model_config import ModelConfig
from semreg.model_folder import find_model, fingerprint, load_model
from semreg.options import Options
from semreg.prediction import Prediction, Predictor
from semreg.reading import Batch, Reader
from semreg.runtime.choose import Wanted, load_engine
from semreg.runtime.engine import Engine
from semreg.runtime.torch_engine import TorchEngine
from semreg.steering import (
    Explained,
    Switched,
    explain,
    given_labels,
    steerable,
    switch,
    to_encoding,
)
from semreg.streams import in_two_steps
from semreg.telling import tell_captions, tell_concepts, tell_tags

R = TypeVar("R")

TOLD_TOGETHER = 128  # pictures that are written about at the same time, where there are as many


class Annotator:
    """A model ready for use.

    Args:
        model: in evaluation mode.
        config: its description.
        name: NAME@HASH, written into every annotation.
        device: where to compute; pictures are decoded on the CPU.
        engine: what computes the model; None takes torch in single precision on `device`.
    """

    def __init__(
        self, model: CnnRnn, config: ModelConfig, name: str, device: str = "cpu", engine: Engine | None = None
    ) -> None:
        try:
            self.model = model.to(device).eval()
        except (RuntimeError, AssertionError) as error:  # an unknown name, or a device that is not there
            reason = str(error).split("\n")[0][:200]
            raise SemregError(f"cannot compute on the device {device!r} ({reason}): take cpu") from None
        self.config, self.name, self.device = config, name, torch.device(device)
        self.engine = engine or TorchEngine(self.model, mirror=config.preprocessing.mirror, device=self.device)
        self.concepts = config.concepts
        self.labels: tuple[str, ...] = config.decoders["tags"].words if "tags" in config.decoders else ()
        self._scale = config.scale()
        self._tag_thresholds = torch.tensor(config.tag_thresholds())
        self._predictor = Predictor(config, lambda form: self.engine.generator(form), self.model.consensus, self.device)
        self._reader = Reader(config.preprocessing.build())

    @classmethod
    def load(
        cls,
        folder: Path | str | None = None,
        device: str = "cpu",
        *,
        engine: str = "torch",
        say: Callable[[str], None] = lambda text: None,
    ) -> Annotator:
        """Load a model.

        Args:
            folder: a model folder, or "hf:OWNER/NAME" for one on the Hugging Face Hub; None takes the default model,
                which is part of the package.
            device: "cpu", "cuda", ...
            engine: what computes: "torch" is the model as it is; "auto" the fastest that is there and faithful to it;
                see `semreg.runtime.choose.load_engine`.
            say: told what takes a while.

        Raises:
            SemregError: the folder is no model, or there is no such engine.
        """
        path = find_model(folder)
        model, config = load_model(path)
        loaded = cls(model, config, f"{config.name}@{fingerprint(path)}", device)
        if engine != "torch":
            wanted = Wanted(loaded.model, config, loaded.name, path, loaded.device, say)
            loaded.engine = load_engine(engine, wanted)
        return loaded

    def __call__(self, source: Source, options: Options | None = None) -> Annotation:
        """Annotate one picture: a path, the bytes of a file, a Pillow picture or an array.

        Raises:
            PictureError: it cannot be read.
        """
        return self.annotate_read(self.read_one(source)[None], [_name(source)], options or Options())[0]

    def annotate(self, sources: Iterable[Source], options: Options | None = None) -> Iterator[Annotation]:
        """Annotate many pictures, one annotation each, in their order; reading runs beside the model.

        A picture that cannot be read gives an annotation whose `error` says why.
        """
        chosen = options or Options()

        def told(seen: Encoding, sources: list[Source]) -> list[Annotation]:
            return self.tell(seen, [_name(source) for source in sources], chosen)

        for read, found in self.in_groups(sources, chosen.batch_size, told):
            done = iter(found or [])
            for source, problem in read:
                yield next(done) if problem is None else Annotation.failed(_name(source), problem, self.name)

    def in_groups(
        self, sources: Iterable[Source], batch_size: int, work: Callable[[Encoding, list[Source]], R]
    ) -> Iterator[tuple[list[tuple[Source, str | None]], R | None]]:
        """Look at many pictures in batches, several side by side, and do something with what was seen in each group.

        Args:
            sources: of the pictures; reading runs beside the model.
            batch_size: how many the CNN looks at together.
            work: on what was seen in the pictures of a group, and where they came from; called in a thread.

        Yields:
            For each group, in order: its sources, each with the sentence that says why it cannot be read or None; and
            what `work` returned, None where none can be read.
        """

        def look(batch: Batch) -> tuple[Batch, Encoding | None]:
            return batch, self.encode(batch.pictures) if len(batch.pictures) else None

        def worked(group: list[tuple[Batch, Encoding | None]]) -> tuple[list[tuple[Source, str | None]], R | None]:
            read = [entry for batch, _ in group for entry in batch.sources]
            seen = [encoding for _, encoding in group if encoding is not None]
            good = [source for source, problem in read if problem is None]
            return read, work(Encoding.join(seen), good) if seen else None

        most = max(1, TOLD_TOGETHER // batch_size)
        yield from in_two_steps(look, worked, self.read(sources, batch_size), self.engine.streams, most)

    def read(self, sources: Iterable[Source], batch_size: int) -> Iterator[Batch]:
        """Read pictures into batches, ahead of their use; what cannot be read is named in its batch."""
        return self._reader.batches(sources, batch_size)

    @torch.inference_mode()
    def encode(self, pictures: Tensor) -> Encoding:
        """See: uint8 (B, 3, S, S), as `prepare` gives them, to what the CNN saw."""
        return self.engine.encode(pictures.to(self.device))

    def predict(self, encoding: Encoding, options: Options | None = None, given: Sequence[int] = ()) -> Prediction:
        """Tell: from what was seen, tags and captions in numbers. The pictures are not looked at again.

        Label paths hold the labels that are `given`.
        """
        return self._predictor.predict(encoding, options, given)

    def beams(self, options: Options) -> int:
        """How wide the search is: as the options say, or as the model has it."""
        return self._predictor.beams(options)

    def candidates(self, options: Options) -> int:
        """How many captions the best is chosen from."""
        return self._predictor.candidates(options)

    def annotate_read(self, pictures: Tensor, names: Sequence[str | None], options: Options) -> list[Annotation]:
        """Annotate pictures that were read already: uint8 (B, 3, S, S), as `read_one` gives them, and their names."""
        return self.tell(self.encode(pictures), names, options) if names else []

    def tell(
        self,
        encoding: Encoding,
        names: Sequence[str | None],
        options: Options | None = None,
        given: Sequence[int] = (),
    ) -> list[Annotation]:
        """Tell: from what was seen in B pictures, an annotation of each.

        Args:
            encoding: of the pictures.
            names: their file names.
            options: how to annotate.
            given: labels that all of them have.
        """
        options = options or Options()
        prediction = self.predict(encoding, options, given)
        scores = prediction.tag_scores
        tags = None if scores is None else self._told_tags(scores, options, given)
        captions = self._told_captions(prediction.captions)
        concepts = self._told_concepts(prediction.concepts)
        kept = prediction.concepts.float().cpu().tolist() if self.config.supervised else [()] * len(names)
        return [
            Annotation(
                file_name=name,
                tags=tags[row] if tags else (),
                caption=captions[row][0] if captions else None,
                captions=captions[row] if captions else (),
                concepts=concepts[row],
                model=self.name,
                concept_scores=tuple(kept[row]),
            )
            for row, name in enumerate(names)
        ]

    def _told_tags(self, scores: Tensor, options: Options, given: Sequence[int]) -> list[tuple[Tag, ...]]:
        scores = scores.float().cpu().clone()
        scores[:, list(given)] = 1.0
        rules = self._predictor.wording(options, "tags")
        lowest = options.min_score
        return tell_tags(
            scores,
            self.labels,
            self._tag_thresholds if lowest is None else torch.full(scores.shape[1:], float(lowest)),
            certain=[*([i] for i in given), *([t - len(SPECIAL) for (t,) in phrases] for phrases in rules.must)],
            never=[token - len(SPECIAL) for (token,) in rules.never],
            limit=options.max_tags,
        )

    def _told_captions(self, found: Hypotheses | None) -> list[tuple[Caption, ...]] | None:
        return None if found is None else tell_captions(found, self.config.vocabulary("caption"))

    def sentences(self, prediction: Prediction) -> list[str]:
        """The best caption of each picture, as text."""
        return [row[0].text for row in self._told_captions(prediction.captions) or []]

    def _told_concepts(self, concepts: Tensor) -> list[tuple[Concept, ...]]:
        if not self.config.supervised:  # nothing taught these outputs to mean what they are called
            return [()] * len(concepts)
        return tell_concepts(self._scale.shown(concepts.float().cpu()), self.concepts)

    def steer(
        self,
        annotation: Annotation,
        concepts: Mapping[str, float | None] | None = None,
        *,
        must: Sequence[str] = (),
        never: Sequence[str] = (),
        options: Options | None = None,
    ) -> Annotation:
        """Tell anew with some concepts set by hand; the picture is not needed.

        Args:
            annotation: of this model; one read back from JSON too (see `Annotation.to_json`). What was set in it before
                stays set.
            concepts: values in 0..1 by name: 1 where it is there, 0 where it is not; None takes back what was set.
            must: words that caption and tags hold for certain, beside `options.must`.
            never: words that they do not hold, beside `options.never`.
            options: how to annotate.

        Raises:
            SemregError: a model that does not tell from concepts, another model's annotation, or an unknown word.
        """
        options = options or Options()
        options = replace(options, must=(*options.must, *must), never=(*options.never, *never))
        return self.steer_many([annotation], [concepts or {}], options)[0]

    def steer_many(
        self,
        annotations: Sequence[Annotation],
        concepts: Sequence[Mapping[str, float | None]],
        options: Options | None = None,
    ) -> list[Annotation]:
        """`steer` for many annotations at once, each with its own concepts."""
        options = options or Options()
        if not annotations:
            return []
        switched = [
            switch(each, changes, self.config, self.name) for each, changes in zip(annotations, concepts, strict=True)
        ]
        return self._retell(switched, [annotation.file_name for annotation in annotations], options)

    def complete(self, source: Source | Annotation, tags: Sequence[str], options: Options | None = None) -> Annotation:
        """Take tags that a person gave for certain, and propose the others and a caption that go with them.

        The label paths hold the given tags, and where the model tells from its concepts these count as seen. Given tags
        are told with the score 1.

        Args:
            source: a picture, or an annotation of this model, which a model that tells from concepts can complete
                without the picture.
            tags: some of the picture's tags.
            options: how to annotate.

        Raises:
            PictureError: the picture cannot be read.
            SemregError: a tag that the model does not know, or as for `steer`.
        """
        options = options or Options()
        given = given_labels(tags, self.config)
        names = [self.labels[label] for label in given]
        places = self.config.concept_vocabulary().of_token(names)
        if isinstance(source, Annotation):
            named = dict.fromkeys((name for name, place in zip(names, places, strict=True) if place >= 0), 1.0)
            return self._retell([switch(source, named, self.config, self.name)], [source.file_name], options, given)[0]
        encoding = self.encode(self.read_one(source)[None])
        if not steerable(self.config):
            return self.tell(encoding, [_name(source)], options, given)[0]
        on = dict.fromkeys((place for place in places if place >= 0), 1.0)
        seen = Switched(encoding.concepts[0].float().cpu(), on, self._scale)
        return self._retell([seen], [_name(source)], options, given)[0]

    def explain(self, annotation: Annotation, options: Options | None = None) -> Explanation:
        """Say which concepts carried each tag and each content word of the caption, and where RNN and CNN disagree.

        Args:
            annotation: of this model, steered or not; see `steer`.
            options: how it was annotated.

        Raises:
            SemregError: as for `steer`.
        """
        options = options or Options()
        switched = switch(annotation, {}, self.config, self.name)
        encoding = to_encoding([switched], options.emphasis, self.device)
        paths = None
        if "tags" in self.config.decoders:
            with torch.inference_mode():
                paths = self._predictor.label_paths(encoding, options)
        what = Explained(annotation, switched, encoding.concepts[0], self.model, self.config, self.name)
        return explain(what, paths)

    def _retell(
        self,
        switched: Sequence[Switched],
        names: Sequence[str | None],
        options: Options,
        given: Sequence[int] = (),
    ) -> list[Annotation]:
        """Annotations of B pictures by their concepts, with what was set by hand shown as it was set."""
        told = self.tell(to_encoding(switched, options.emphasis, self.device), names, options, given)
        shown = self._told_concepts(torch.stack([each.set() for each in switched]))
        return [
            replace(
                annotation,
                concepts=shown[row],
                concept_scores=tuple(switched[row].seen.tolist()),
                steered=tuple(Concept(self.concepts[k], value) for k, value in switched[row].by_hand.items()),
            )
            for row, annotation in enumerate(told)
        ]

    def read_one(self, source: Source) -> Tensor:
        """Read one picture to the model's input, uint8 (3, S, S); safe to call from several threads.

        Raises:
            PictureError: it cannot be read.
        """
        return self._reader.one(source)


def _name(source: Source) -> str | None:
    return Path(source).as_posix() if isinstance(source, str | Path) else None
