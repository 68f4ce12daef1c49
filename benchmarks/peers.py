"""Captions a second beside well-known captioners of transformers, in one run: same pictures, beams, length and batch.

    python benchmarks/peers.py demo/pictures

ViT-GPT2, BLIP-base and GIT-base are built from their configurations with random weights of their real sizes: speed
needs no trained ones. All write exactly LENGTH tokens (no stop before, so that nobody is lucky), from pictures in
memory that are already of the size each wants. semreg writes tags beside its caption. With ResNet-50 (transformers'
own, random) in place of the small CNN, the share that is left for the LSTM is measured too. Needs transformers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import semreg
from semreg import Annotator, Options
from semreg.bench.measure import Case, measure, peak_memory, ratio, surroundings
from semreg.bench.plain import picture_by_picture
from semreg.bench.run import modelling
from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.folders.walk import find_pictures
from semreg.memory import keep_freed_memory, leave_loaded_objects_alone
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_folder import build_model
from semreg.terminal import print_rows

BATCH, BEAMS, LENGTH = 32, 3, 12
OUTPUT = Path(__file__).with_name("results") / "speed" / "peers.json"


def vit_gpt2() -> nn.Module:
    from transformers import GPT2Config, VisionEncoderDecoderConfig, VisionEncoderDecoderModel, ViTConfig

    parts = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), GPT2Config())
    model = VisionEncoderDecoderModel(config=parts)
    model.config.decoder_start_token_id = model.config.pad_token_id = model.config.eos_token_id = 50256
    return model


def blip_base() -> nn.Module:
    from transformers import BlipConfig, BlipForConditionalGeneration

    return BlipForConditionalGeneration(BlipConfig())


def git_base() -> nn.Module:
    from transformers import GitConfig, GitForCausalLM

    return GitForCausalLM(GitConfig())


PEERS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "ViT-GPT2": (vit_gpt2, 224),
    "BLIP-base": (blip_base, 384),
    "GIT-base": (git_base, 224),
}


class ResNet50(nn.Module):
    """transformers' ResNet-50 as a trunk; random weights."""

    feature_size, image_size = 2048, 224

    def __init__(self) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        self.network = ResNetModel(ResNetConfig()).to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        x = ((pictures.float() - 127) / 60).contiguous(memory_format=torch.channels_last)
        pooled: Tensor = self.network(x).pooler_output
        return pooled.flatten(1)


def quiet() -> None:
    """Keep transformers from warning of masks that captions do not need."""
    from transformers.utils import logging

    logging.set_verbosity_error()


def generate(model: nn.Module, size: int, pictures: Tensor) -> Callable[[], Any]:
    pixels = nn.functional.interpolate(pictures.float() / 127.5 - 1, (size, size), mode="bilinear")
    options = {"num_beams": BEAMS, "min_new_tokens": LENGTH, "max_new_tokens": LENGTH, "do_sample": False}

    @torch.inference_mode()
    def work() -> Any:
        told = model.generate(pixel_values=pixels, **options)
        assert told.shape[0] == len(pixels) and told.shape[1] >= LENGTH, told.shape
        return told

    return work


def ours(annotator: Annotator, pictures: Tensor) -> Callable[[], Any]:
    """Tags as usual, and a caption of exactly LENGTH tokens."""

    @torch.inference_mode()
    def work() -> None:
        encoding = annotator.encode(pictures)
        caption_only = search_for(
            "caption", max_length=LENGTH, min_length=LENGTH, never=NEVER_PRODUCED, beams=BEAMS, no_repeat_ngram=0
        )
        generator = annotator.engine.generator("caption")
        found = beam_search(generator, encoding, caption_only, start=START, stop=STOP, padding=PADDING)
        assert bool((found.lengths == LENGTH).all())
        annotator._tags(encoding, Options(beams=BEAMS), annotator._wording(Options())["tags"], ())

    return work


def with_resnet(annotator: Annotator) -> Annotator:
    """The default model's decoders behind a ResNet-50, random weights."""
    torch.manual_seed(0)
    shaped = build_model(annotator.config)
    model = CnnRnn(ResNet50(), len(annotator.config.concepts), {k: shaped.decoder(k) for k in shaped.decoders})  # type: ignore[arg-type]
    return Annotator(model.eval(), annotator.config, "resnet-50")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("--engine", action="append", help="engines of ours; default torch")
    parser.add_argument("--peer", action="append", choices=[*PEERS, "none"], help="default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-batch", type=int, default=BATCH, help="pictures in one go of a peer")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    keep_freed_memory()
    quiet()
    engines = arguments.engine or ["torch"]
    annotators = {name: semreg.load(engine=name) for name in engines}
    first = annotators[engines[0]]
    found = [each.path for each in find_pictures(arguments.photographs)]
    pictures = torch.stack([first.read_one((found * BATCH)[i]) for i in range(BATCH)])
    cases = []
    for name, annotator in annotators.items():
        cases.append(Case(f"semreg, {name}", BATCH, ours(annotator, pictures)))
    few = pictures[: BATCH // 4]
    cases.append(Case("semreg, picture by picture", len(few), lambda: picture_by_picture(first, few, BEAMS)))
    for name in arguments.peer or PEERS:
        if name in PEERS:
            build, size = PEERS[name]
            torch.manual_seed(0)
            work = generate(build().eval(), size, pictures[: arguments.peer_batch])
            cases.append(replace(Case(name, arguments.peer_batch, work), most=300.0))
    resnet = with_resnet(first)
    cases += modelling("ResNet-50", resnet, pictures, beams=(1, BEAMS), groups=2)
    leave_loaded_objects_alone()
    measured = measure(cases, arguments.rounds, warm=1)
    ratios = {}
    for engine in engines:
        for name in measured:
            if name in PEERS or name == "semreg, picture by picture":
                ratios[f"semreg, {engine} / {name}"] = ratio(measured, f"semreg, {engine}", name)
    for beams in (1, BEAMS):
        ratios[f"ResNet-50: all, beam {beams} / trunk"] = ratio(
            measured, f"ResNet-50: all, beam {beams}", "ResNet-50: trunk"
        )
    command = "python benchmarks/peers.py PHOTOGRAPHS " + " ".join(f"--engine {name}" for name in engines)
    command += f" --rounds {arguments.rounds} --peer-batch {arguments.peer_batch}"
    result = {
        **surroundings(command),
        "threads": torch.get_num_threads(),
        "batch": BATCH,
        "beams": BEAMS,
        "tokens": LENGTH,
        "cases": measured,
        "ratios": ratios,
        "memory": peak_memory(),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    rows = [[name, f"{row['rate']:.2f}", f"{row['seconds']['median']:.2f}"] for name, row in measured.items()]
    print_rows("captions", ["who", "pictures a second", "seconds"], rows)
    print_rows("ratios", ["ratio", "times"], [[name, f"{value:.2f}"] for name, value in ratios.items()])


if __name__ == "__main__":
    main()
