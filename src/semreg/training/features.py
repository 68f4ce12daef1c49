"""What the CNN sees in a whole split: features in one go, kept on disk for other runs where a folder is named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from semreg.data.augmentation import Augmentation
from semreg.data.images import Preprocessing
from semreg.data.loader import in_order, picture_batches
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.training.log import RunLog

BATCH = 64


@torch.no_grad()
def look(
    model: CnnRnn,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    log: RunLog,
    what: str,
    *,
    mirror: bool = False,
    augmentation: Augmentation | None = None,
    view: int = 0,
    seed: int = 0,
    workers: int = 0,
    cache: Path | None = None,
    memory: dict[str, Tensor] | None = None,
    together: bool = False,
) -> Tensor:
    """Features phi(I) of N pictures, (N, D), as the model stands.

    Args:
        model: set to evaluation mode.
        paths: the pictures.
        preprocessing: how they become the model's input.
        log: for its progress bar.
        what: they are, for people.
        mirror: look at their mirror images instead.
        augmentation: what happens to them at random, or None for the plain resize.
        view: which of the augmented views.
        seed: of the augmentation.
        workers: processes that decode.
        cache: a folder; what was seen with the same weights in the same files is read from it, or put there.
        memory: what this run has seen already, by the same facts; what is new is added to it.
        together: all processes of a run call this; each looks at its share of the pictures, and has all features.
    """
    model.eval()
    shared = together and torch.distributed.is_available() and torch.distributed.is_initialized()
    rank, processes = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if shared else (0, 1)
    device = next(model.parameters()).device
    facts = () if augmentation is None else (augmentation, view, seed)
    name = fingerprint([model.trunk], paths, preprocessing, mirror, *facts)
    if memory is not None and name in memory:
        return memory[name]
    kept = None if cache is None else cache / f"features-{name}.safetensors"
    known = None if kept is None else _read(kept)
    if kept is not None and shared and not _all(known is not None, device):
        known = None  # written by another run just now: all look, or none does
    if known is not None:
        return _remembered(known.to(device), name, memory)
    keys = [[(view, index) for _, index in batch] for batch in in_order(len(paths), BATCH)][rank::processes]
    log.start_bar(f"looking at {what}", sum(map(len, keys)))
    features = torch.zeros(len(paths), model.trunk.feature_size, device=device)
    read = picture_batches(paths, keys, preprocessing, augmentation=augmentation, seed=seed, workers=workers)
    for batch, pictures in zip(keys, read, strict=True):
        seen = model.trunk((pictures.flip(3) if mirror else pictures).to(device)).float()
        features[[index for _, index in batch]] = seen
        log.advance(len(pictures))
    log.end_bar()
    if shared:
        torch.distributed.all_reduce(features)  # the rows of the others are zero
    if kept is not None and rank == 0:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept, binary=True) as file:
            file.write(save({"features": features.cpu()}))
    return _remembered(features, name, memory)


def _remembered(features: Tensor, name: str, memory: dict[str, Tensor] | None) -> Tensor:
    if memory is not None:
        memory[name] = features
    return features


def _all(here: bool, device: torch.device) -> bool:
    """Whether something holds in every process."""
    everywhere = torch.tensor(int(here), device=device)
    torch.distributed.all_reduce(everywhere, torch.distributed.ReduceOp.MIN)
    return bool(everywhere)


def _read(path: Path) -> Tensor | None:
    """The features in a file; None where there is none, or a damaged one, which is then written anew."""
    try:
        return load_file(path)["features"]
    except (OSError, KeyError, SafetensorError):
        return None


def fingerprint(modules: Iterable[nn.Module], paths: Sequence[Path], *facts: object) -> str:
    """Follows from all that decides what is seen: weights, pictures (by name, size and time), and other facts."""
    digest = hashlib.sha256(repr(facts).encode())
    for number, module in enumerate(modules):
        for name, value in module.state_dict().items():
            digest.update(f"{number}.{name}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    for path in paths:
        status = path.stat()
        digest.update(f"{path.absolute()} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:20]
