"""The model card: what a model was trained on, how, what it reaches and what it does not know, as Markdown."""

from __future__ import annotations

from typing import Any

import yaml

from semreg.model_config import ModelConfig
from semreg.training.recipe import Recipe

TAG_FIGURES = ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")
FORM_NAMES = {"tags": "tags", "caption": "a caption"}


def model_card(recipe: Recipe, config: ModelConfig, result: dict[str, Any] | None) -> str:
    """Write the card.

    Args:
        recipe: of the run.
        config: of the finished model.
        result: of `evaluate` on the test split, or None where there was none.
    """
    training, asked, judges = config.training, config.neighbours, config.consensus
    forms = " and ".join(FORM_NAMES[form] for form in config.decoders)
    interfaces = ", ".join(sorted({decoder.interface for decoder in config.decoders.values()}))
    lines = [
        "---",
        *yaml.safe_dump(_metadata(recipe, result), sort_keys=False, allow_unicode=True).splitlines(),
        "---",
        "",
        f"# {recipe.name}",
        "",
        f"Writes {forms} for photographs, through a layer of {len(config.concepts)} named concepts.",
        "Load it with `semreg.load(FOLDER)`; `config.json` holds preprocessing, vocabularies and thresholds.",
        "",
        "## What it is",
        "",
        f"- Trunk: {config.trunk.name} at {config.preprocessing.size} pixels, from ImageNet weights."
        if recipe.trunk.pretrained
        else f"- Trunk: {config.trunk.name} at {config.preprocessing.size} pixels, from random weights.",
        *([f"- Beside it, as ImageNet made them: {', '.join(config.trunk.beside)}."] if config.trunk.beside else []),
        *(
            [f"- Captions are judged by those of {judges.pictures} training pictures, which it holds."]
            if judges
            else []
        ),
        *(
            ["- Of those found, captions are preferred that name what is seen, and imply nothing that is not."]
            if config.grounding
            else []
        ),
        *(f"- Not to guess, {general.sentence()}." for general in config.general),
        *(
            [
                f"- Neighbours: {asked.pictures} training pictures, {asked.size} numbers and concepts of each, "
                f"and {asked.strangers} pictures of nothing."
            ]
            if asked
            else []
        ),
        f"- Interface between CNN and RNN: {interfaces}.",
        *(f"- {form}: LSTM {d.hidden}, {len(d.words)} words or labels." for form, d in config.decoders.items()),
        "",
        "## What it was trained on",
        "",
        f"- Data set: {recipe.data.folder.name}, split `{recipe.data.train}`, {training['pictures']} pictures; "
        f"{training['validation_pictures']} others chose epochs and thresholds.",
        *(
            [f"- {training['captions_alone']} captions without pictures: the caption decoder's language."]
            if "captions_alone" in training
            else []
        ),
        f"- {training['updates']} updates in {training['minutes']} minutes; stages: "
        f"{', '.join(stage.kind for stage in recipe.stages)}; seed {recipe.seed}.",
        "",
    ]
    if result is not None:
        lines += ["## What it reaches", "", *_figures(recipe, result), ""]
    lines += [
        "## What it does not know",
        "",
        "- Nothing but its vocabulary: what is none of its labels, concepts and words it cannot name.",
        "- Its training data's world and habits, with their gaps and biases, are all that it has seen.",
        "- Scores are calibrated on pictures like the training data; elsewhere they say less.",
        "",
    ]
    return "\n".join(lines)


def _metadata(recipe: Recipe, result: dict[str, Any] | None) -> dict[str, Any]:
    """What heads the card, in the Hugging Face Hub's terms; `semreg info` reads the figures from here."""
    facts: dict[str, Any] = {"library_name": "semreg", "license": "apache-2.0", "pipeline_tag": "image-to-text"}
    if result is None:
        return facts
    figures: dict[str, float] = {}
    if "tags" in result:
        own = result["tags"]["sets"]["own"]
        figures |= {"C-F1": own["C-F1"], "O-F1": own["O-F1"], "mAP": result["tags"]["mAP"]}
    if "captions" in result:
        figures |= {name: result["captions"][name] for name in ("Bleu_4", "CIDEr-D")}
    data = recipe.data.folder.name
    found = {
        "task": {"type": "image-to-text"},
        "dataset": {"type": data, "name": data, "split": recipe.data.test},
        "metrics": [{"type": name, "value": round(value, 4)} for name, value in figures.items()],
    }
    return {**facts, "model-index": [{"name": recipe.name, "results": [found]}]}


def _figures(recipe: Recipe, result: dict[str, Any]) -> list[str]:
    lines = [f"On split `{recipe.data.test}` ({result['pictures']} pictures), {_search(result)}:", ""]
    if "tags" in result:
        lines += ["| tags, percent | " + " | ".join(TAG_FIGURES) + " |", "|---|" + "---|" * len(TAG_FIGURES)]
        for name, row in result["tags"]["sets"].items():
            cells = (f"{row[key]:.0f}" if key == "N+" else f"{100 * row[key]:.1f}" for key in TAG_FIGURES)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        rest = {key: value for key, value in result["tags"].items() if key != "sets"}
        lines += ["", ", ".join(f"{key} {_number(value)}" for key, value in rest.items()) + ".", ""]
    if "captions" in result:
        lines += ["| captions | |", "|---|---|"]
        lines += [f"| {key} | {_number(value)} |" for key, value in result["captions"].items()]
    return lines


def _number(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _search(result: dict[str, Any]) -> str:
    wider = result["candidates"] != result["beams"]
    return f"beam {result['beams']}" + (f", {result['candidates']} for captions" if wider else "")
