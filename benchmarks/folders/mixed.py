"""A tree of 3,000 pictures of every kind with 100 broken ones: what is annotated, what is named, and the exit status.

    python benchmarks/folders/mixed.py

Whoever manages the system may read and write everything. So if that is who runs this, the command itself runs without
the rights to pass over permissions (`setpriv`, of util-linux).
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from PIL import Image

from semreg.metadata import MetadataError, embeds, read

SAMPLES = Path(__file__).parents[2] / "demo" / "pictures"
GOOD = ("jpg", "png", "webp", "tif", "bmp", "gif", "jp2", "ppm", "jpeg", "JPG")
SCRIPTS = (
    "Übung é",
    "日本の写真",
    "صورة",
    "фото",
    "תמונה",
    "चित्र",
    "två\nrader",
    "a 'quote\" & <b>",
    "emoji 🐈",
    "  blanks",
)


def crops(count: int):
    draw = random.Random(0)
    samples = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    for number in range(count):
        sample, size = samples[number % len(samples)], draw.randrange(40, 100)
        left, top = draw.randrange(sample.width - size), draw.randrange(sample.height - size)
        yield sample.crop((left, top, left + size, top + size))


def special(folder: Path, crop: Image.Image) -> list[Path]:
    """Good pictures of kinds that programs stumble over."""
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [crop, crop.rotate(90), crop.rotate(180)]
    kinds: dict[str, Callable[[Path], None]] = {
        "1x1.png": lambda path: crop.resize((1, 1)).save(path),
        "cmyk.jpg": lambda path: crop.convert("CMYK").save(path),
        "16 bit.png": lambda path: Image.new("I;16", (40, 40), 30_000).save(path),
        "16 bit.tif": lambda path: Image.new("I;16", (40, 40), 30_000).save(path),
        "animated.gif": lambda path: crop.save(path, save_all=True, append_images=frames),
        "animated.webp": lambda path: crop.save(path, save_all=True, append_images=frames),
        "pages.tif": lambda path: crop.save(path, save_all=True, append_images=frames),
        "turned.jpg": lambda path: crop.save(path, exif=exif),
        "a png really.jpg": lambda path: crop.save(path, "PNG"),
        "a webp really.png": lambda path: crop.save(path, "WEBP"),
        "grey.jpg": lambda path: crop.convert("L").save(path),
        "palette.png": lambda path: crop.convert("P").save(path),
        "see-through.png": lambda path: crop.convert("RGBA").save(path),
    }
    made = []
    for name, save in kinds.items():
        save(folder / name)
        made.append(folder / name)
    return made


def without_width(png: bytes) -> bytes:
    """The same PNG, said to be 0 pixels wide, with the right checksum."""
    header = png[12:16] + bytes(4) + png[20:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def without_height(crop: Image.Image) -> bytes:
    stream = io.BytesIO()
    crop.save(stream, "BMP")
    return stream.getvalue()[:22] + bytes(4) + stream.getvalue()[26:]


def broken(folder: Path, crop: Image.Image, count: int) -> list[Path]:
    """Files that are no pictures or no whole ones."""
    whole = {}
    for kind, form in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
        stream = io.BytesIO()
        crop.save(stream, form)
        whole[kind] = stream.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.jpg", whole["jpg"])
    contents = [(f"cut off {kind}", kind, data[: len(data) // 2]) for kind, data in whole.items()]
    contents += [("header only", kind, data[:20]) for kind, data in whole.items()]
    contents += [
        ("no width", "png", without_width(whole["png"])),
        ("no height", "bmp", without_height(crop)),
        ("empty", "jpg", b""),
        ("text", "jpg", b"Dear all"),
        ("zip", "png", packed.getvalue()),
        ("nulls", "webp", bytes(999)),
    ]
    made = []
    for number in range(count):
        what, kind, data = contents[number % len(contents)]
        path = folder / f"{what} {number}.{kind}"
        path.write_bytes(data)
        made.append(path)
    return made


def make_tree(root: Path, count: int, bad: int) -> tuple[list[Path], list[Path]]:
    good = []
    images = list(crops(count))
    for number, image in enumerate(images):
        folder = root / SCRIPTS[number // 100 % len(SCRIPTS)] / f"{number // 1000}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{SCRIPTS[number % len(SCRIPTS)]} {number}.{GOOD[number % len(GOOD)]}"
        image.save(path)
        good.append(path)
    for name in ("special", "broken", "folder.jpg", ".hidden", "@eaDir"):
        (root / name).mkdir()
    good += special(root / "special", images[0])
    images[1].save(root / "folder.jpg" / "inside.jpg")
    good.append(root / "folder.jpg" / "inside.jpg")
    for name in (".hidden", "@eaDir"):
        images[2].save(root / name / "never.jpg")
    Image.new("1", (20_000, 20_000), 1).save(root / "broken" / "large 20000x20000.png")  # more than are read
    (root / "broken" / "loop").symlink_to(root)
    (root / "broken" / "circle.jpg").symlink_to("circle.jpg")
    wrong = [*forbidden(root / "broken", images[4]), root / "broken" / "large 20000x20000.png"]
    return good, wrong + broken(root / "broken", images[3], bad - len(wrong))


def forbidden(folder: Path, crop: Image.Image) -> list[Path]:
    """Good pictures that may not be read, or not written."""
    made = [(folder / "locked.jpg", 0o000), (folder / "locked.png", 0o000), (folder / "read-only.jpg", 0o444)]
    for path, mode in made:
        crop.save(path)
        path.chmod(mode)
    return [path for path, _ in made]


def unprivileged() -> list[str]:
    """What to put before a command so that permissions count for it."""
    rights = "-dac_override,-dac_read_search,-fowner"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []


def tagged(path: Path) -> bool:
    sidecar = path.with_name(f"{path.name}.xmp")
    try:
        data = path.read_bytes()
        return read(data if embeds(data) else sidecar.read_bytes()).machine is not None
    except (OSError, MetadataError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2886)
    parser.add_argument("--broken", type=int, default=100)
    parser.add_argument("--model", help="without it the default model")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "folders" / "mixed.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve() / "tree"
        root.mkdir()
        good, wrong = make_tree(root, arguments.pictures, arguments.broken)
        before = {path: path.read_bytes() for path in wrong if path.stat().st_mode & 0o400 or os.geteuid() == 0}
        began = time.monotonic()
        command = [
            *unprivileged(),
            sys.executable,
            "-m",
            "semreg",
            "annotate",
            str(root),
            "--format",
            "xmp",
            "--beam",
            "1",
        ]
        command += ["--model", arguments.model] if arguments.model else []
        done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape")
        seconds = time.monotonic() - began
        named = [line for line in done.stderr.splitlines() if str(root) in line and "undo" not in line]
        result = {
            "command": "python benchmarks/folders/mixed.py" + (" --model TINY" if arguments.model else ""),
            "python": platform.python_version(),
            "torch": version("torch"),
            "pillow": version("pillow"),
            "permissions count": True,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
            "good pictures": len(good),
            "of them with tags afterwards": sum(map(tagged, good)),
            "good pictures without": [path.name for path in good if not tagged(path)][:10],
            "broken pictures": len(wrong),
            "of them named with one sentence": sum(sum(str(path) in line for line in named) == 1 for path in wrong),
            "broken pictures changed": sum(path.read_bytes() != data for path, data in before.items()),
            "sentences": dict(collections.Counter(line.split("/broken/")[-1].split(" ")[0] for line in named)),
            "examples": sorted({line.split("/broken/")[-1] for line in named})[::8],
            "lines that name something else": [
                line.replace(str(root), "TREE") for line in named if "/broken/" not in line
            ],
            "traceback": "Traceback" in done.stderr,
            "exit status": done.returncode,
            "seconds": round(seconds),
        }
        result["told at the end"] = [line for line in done.stderr.splitlines() if str(root) not in line]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
