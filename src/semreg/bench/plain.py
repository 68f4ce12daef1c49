"""The plain way that everything else is compared with: Pillow, torch as it comes, one thing after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F

from semreg.annotator import Annotator
from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.efficientnet_lite import EfficientNetLite


def plain_read(path: Path, size: int) -> Tensor:
    """Pillow decodes the whole picture and resizes it: uint8 (3, size, size)."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    resized = picture.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()


class PlainTrunk(nn.Module):
    """The trunk in torch's own memory layout (channels first), as a model comes from its author."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, pictures: Tensor) -> Tensor:
        """Features of uint8 pictures (B, 3, S, S)."""
        if not isinstance(self.trunk, EfficientNetLite):
            features: Tensor = self.trunk(pictures)
            return features
        x = (pictures.float() - self.trunk.mean) / self.trunk.deviation
        for part in self.trunk.parts():
            x = part(x)
        return x.mean(dim=(2, 3))


@torch.inference_mode()
def plain_annotate(annotator: Annotator, paths: Sequence[Path], batch: int, beams: int) -> list[list[list[list[int]]]]:
    """Files to tags and captions: read a batch, look, write with the decoders as they were taught; no overlap."""
    model: CnnRnn = annotator.model
    trunk, size = PlainTrunk(model.trunk), annotator.config.preprocessing.size
    told = []
    for first in range(0, len(paths), batch):
        pictures = torch.stack([plain_read(path, size) for path in paths[first : first + batch]])
        encoding = model.recognise(trunk(pictures))
        for form, decoder in annotator.config.decoders.items():
            search = search_for(form, max_length=decoder.max_length, never=NEVER_PRODUCED, beams=beams)
            found = beam_search(model.decoder(form), encoding, search, start=START, stop=STOP, padding=PADDING)
            told.append(found.lists())
    return told


@torch.inference_mode()
def picture_by_picture(annotator: Annotator, pictures: Tensor, beams: int) -> list[list[int]]:
    """Captions the way tutorials write it: for each picture a list of hypotheses, every one stepped by itself."""
    model, config = annotator.model, annotator.config.decoders["caption"]
    decoder, told = model.decoder("caption"), []
    trunk = PlainTrunk(model.trunk)
    for picture in pictures:
        encoding = model.recognise(trunk(picture[None]))
        going = [(0.0, [START], decoder.begin(encoding))]
        ended: list[tuple[float, list[int]]] = []
        for _ in range(config.max_length):
            candidates = []
            for total, tokens, state in going:
                logits, after = decoder.step(torch.tensor(tokens[-1:]), state)
                logits[:, list(NEVER_PRODUCED)] = -torch.inf
                values, words = F.log_softmax(logits[0], -1).topk(beams)
                for value, word in zip(values.tolist(), words.tolist(), strict=True):
                    candidates.append((total + value, [*tokens, word], after))
            candidates.sort(key=lambda candidate: -candidate[0])
            going = []
            for total, tokens, state in candidates[:beams]:
                if tokens[-1] == STOP:
                    ended.append((total / (len(tokens) - 1), tokens[1:-1]))
                else:
                    going.append((total, tokens, state))
            if len(ended) >= beams or not going:
                break
        ended += [(total / (len(tokens) - 1), tokens[1:]) for total, tokens, _ in going if not ended]
        told.append(max(ended)[1])
    return told
