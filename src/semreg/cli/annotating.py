"""What `semreg annotate` and `semreg watch` share: their options, and the way from options to work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.cli.options import load_annotator
from semreg.errors import SemregError

if TYPE_CHECKING:
    from semreg.annotator import Annotator
    from semreg.folders.journal import Journal
    from semreg.folders.labels import Labels
    from semreg.folders.library import Library
    from semreg.folders.settings import Settings
    from semreg.folders.targets import Target
    from semreg.options import Options

_CHOICE, _FILES = "Which tags", "What is written into folders"


@dataclass(frozen=True)
class Shared:
    """Options of both verbs; None is what was not given, so that `semreg.toml` may say it."""

    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model folder, or hf:OWNER/NAME.", show_default="the package's own"),
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="table, jsonl, csv, parquet, txt, or xmp: into the pictures, or into sidecars beside them.",
            show_default="table on a terminal, else jsonl; watch: jsonl",
        ),
    ] = None
    beam: Annotated[
        int | None,
        typer.Option("--beam", min=1, max=100, help="Width of the search; 1 is greedy. The model has its own."),
    ] = None
    captions: Annotated[
        int | None, typer.Option("--captions", min=1, help="Captions for each picture, best first.", show_default="1")
    ] = None
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Pictures that go through the model together.", show_default="16"),
    ] = None
    device: Annotated[
        str | None, typer.Option("--device", help="Where to compute: cpu, cuda, ...", show_default="cpu")
    ] = None
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="What computes: auto, torch, onnx or openvino, also with a precision, as in openvino:bf16.",
            show_default="torch",
        ),
    ] = None
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0,
            max=1,
            help="Tell tags from this probability on.",
            show_default="the model's own",
            rich_help_panel=_CHOICE,
        ),
    ] = None
    max_tags: Annotated[
        int | None,
        typer.Option(
            "--max-tags", min=0, help="Tell at most so many tags.", show_default="all", rich_help_panel=_CHOICE
        ),
    ] = None
    only: Annotated[
        Path | None,
        typer.Option("--only", help="File with the labels that may be told, one a line.", rich_help_panel=_CHOICE),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="WORD", help="Never tell this label.", rich_help_panel=_CHOICE),
    ] = None
    must: Annotated[
        list[str] | None,
        typer.Option(
            "--must", metavar="WORD", help="Say this word for certain, in caption and tags.", rich_help_panel=_CHOICE
        ),
    ] = None
    never: Annotated[
        list[str] | None,
        typer.Option(
            "--never",
            metavar="WORD",
            help="Never say this word in any of its forms; the caption goes round it.",
            rich_help_panel=_CHOICE,
        ),
    ] = None
    rename: Annotated[
        Path | None,
        typer.Option(
            "--rename",
            help="CSV file with the columns label, name, synonyms, parent: other names, translations, hierarchy.",
            rich_help_panel=_CHOICE,
        ),
    ] = None
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Put this before each tag, as in ai:dog.", rich_help_panel=_CHOICE)
    ] = None
    always: Annotated[
        list[str] | None,
        typer.Option("--always", metavar="TAG", help="Give every picture this tag as well.", rich_help_panel=_CHOICE),
    ] = None
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="PATTERN", help="Of folders take only what matches, as in '2024/**/*.jpg'."),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="PATTERN", help="Of folders leave out what matches, as .gitignore does."),
    ] = None
    existing: Annotated[
        str | None,
        typer.Option(
            "--existing",
            help="keep, merge or replace-machine: what happens where a human has written tags or a caption.",
            show_default="merge",
            rich_help_panel=_FILES,
        ),
    ] = None
    sidecar: Annotated[
        str | None,
        typer.Option(
            "--sidecar",
            help="Names of XMP sidecars: darktable (x.nef.xmp) or lightroom (x.xmp).",
            show_default="darktable",
            rich_help_panel=_FILES,
        ),
    ] = None
    sidecar_only: Annotated[
        bool | None,
        typer.Option(
            "--sidecar-only/--in-place",
            help="Write XMP beside every picture, never into it.",
            show_default="in-place",
            rich_help_panel=_FILES,
        ),
    ] = None
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            help="What a .txt beside a picture holds: tags or caption.",
            show_default="tags",
            rich_help_panel=_FILES,
        ),
    ] = None
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            help="Keep the journal in this file. [default: FOLDER/.semreg, once something is written into the folder]",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh",
            help="Write again what was written with another model or other settings.",
            rich_help_panel=_FILES,
        ),
    ] = False

    def settings(self, folder: Path) -> Settings:
        """These options joined with the `semreg.toml` of the folder, or of the nearest one above."""
        from semreg.folders.settings import find_settings, read_settings

        given = asdict(self)
        del given["journal"], given["refresh"]
        return read_settings(find_settings(folder), given)


@dataclass(frozen=True)
class Work:
    """Everything that is known before a picture is looked at."""

    settings: Settings
    labels: Labels
    annotator: Annotator
    options: Options

    @classmethod
    def prepared(cls, settings: Settings) -> Work:
        """Read the label files and load the model; words that the model does not know are named on stderr."""
        labels = settings.labels()
        annotator = load_annotator(settings.model, settings.device, settings.engine)
        from semreg.options import Options

        strangers = labels.unknown(annotator.labels)
        if strangers:
            typer.echo(f"the model has no label {', '.join(map(repr, strangers[:5]))}: check the spelling", err=True)
        options = Options(
            beams=None if settings.beam is None else max(settings.beam, settings.captions),
            n_best=settings.captions,
            min_score=settings.min_score,
            batch_size=settings.batch,
            must=settings.must,
            never=settings.never,
        )
        return cls(settings, labels, annotator, options)

    def library(self, journal: Journal, target: Target | None, *, refresh: bool) -> Library:
        """The folder that the journal is of, with this work to be done in it."""
        from semreg.folders.library import Library

        beams, candidates = self.annotator.beams(self.options), self.annotator.candidates(self.options)
        wider = None if candidates == beams else candidates
        return Library(
            journal=journal,
            target=target,
            labels=self.labels,
            model=self.annotator.name,
            computing=computing(replace(self.options, beams=beams), self.annotator.engine.name, wider),
            refresh=refresh,
            note=lambda sentence: typer.echo(sentence, err=True),
        )


def computing(options: Options, engine: str, candidates: int | None = None) -> str:
    """What annotations depend on beside the model, as text: where it is another one, they are stale.

    Of engines those count that compute in less than single precision: all others say the same, to the last digits of a
    score, and one may take the other's place on another machine.
    """
    parts = [f"beams={options.beams}", f"captions={options.n_best}", f"min_score={options.min_score}"]
    if candidates is not None:
        parts.append(f"candidates={candidates}")
    parts += [f"must={word}" for word in options.must]
    parts += [f"never={word}" for word in options.never]
    if engine.endswith((":bf16", ":int8")):
        parts.append(f"engine={engine}")
    return " ".join(parts)


def target_of(settings: Settings, output: Path | None, base: Path | None) -> Target | None:
    """How annotations are written into the folder itself, or None where they go elsewhere.

    Args:
        settings: with the format.
        output: where the user wants them.
        base: the one folder that is annotated, if it is one.

    Raises:
        SemregError: XMP cannot go to `output`.
    """
    if settings.format == "xmp":
        if output is not None:
            raise SemregError(f"xmp is written into the pictures or beside them: leave out --output {output}")
        from semreg.folders.targets import XmpTarget

        return XmpTarget(settings.existing, settings.sidecar, settings.sidecar_only)
    if settings.format == "txt" and output is not None and base is not None and output.resolve() == base.resolve():
        from semreg.folders.targets import TextTarget

        return TextTarget(settings.text)
    return None


def common_folder(paths: list[Path]) -> Path:
    """The one folder that is named, or the nearest one that all paths are in."""
    import os

    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath([folder.absolute() for folder in folders])) if len(folders) > 1 else folders[0]
    except ValueError:  # on different drives
        return folders[0]


@contextmanager
def continuing() -> Iterator[None]:
    """Tell somebody who stops the work that nothing of it is lost."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped: the same command continues where it was", err=True)
        raise


def journal_file(folder: Path, named: Path | None) -> Path:
    """The journal that is named, or that of the folder or the nearest one above; else where the folder's will be."""
    from semreg.folders.database import HIDDEN, NAME, find_journal

    return named or find_journal(folder) or folder / HIDDEN / NAME
