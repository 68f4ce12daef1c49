"""Small files in the exact forms of the benchmarks, and where the real ones lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from semreg.data.records import Record

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CONCEPTS = ("airport", "animal", "beach")


def real(name: str) -> Path:
    """A real file or folder; the test is skipped where it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path


def short(records: Sequence[Record]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """What a test compares of records."""
    return [(r.file_name, r.split, r.tags, r.captions) for r in records]


def put(path: Path, content: str | bytes | dict | list) -> Path:
    """Write a file with the folders it needs: text, bytes, or JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8", newline="")
    return path


def picture(path: Path) -> Path:
    """A file in a picture's place; readers do not open it."""
    return put(path, b"\xff\xd8")


def instances(part: str = "train2014") -> dict:
    """instances_*.json with two pictures, three categories and four objects, with the fields that COCO has."""
    box = {"segmentation": [[1.5, 2.0]], "area": 3.0, "iscrowd": 0, "bbox": [0, 0, 1, 1]}
    name = f"COCO_{part}_%012d.jpg"
    return {
        "info": {"description": "COCO", "year": 2014},
        "licenses": [{"url": "", "id": 1, "name": "A"}],
        "images": [
            {"license": 1, "file_name": name % 9, "coco_url": "", "height": 480, "width": 640, "id": 9},
            {"license": 1, "file_name": name % 25, "coco_url": "", "height": 426, "width": 640, "id": 25},
            {"license": 1, "file_name": name % 30, "coco_url": "", "height": 426, "width": 640, "id": 30},
        ],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person"},
            {"supercategory": "vehicle", "id": 3, "name": "car"},
            {"supercategory": "animal", "id": 25, "name": "giraffe"},
        ],
        "annotations": [
            {**box, "image_id": 25, "category_id": 25, "id": 1},
            {**box, "image_id": 25, "category_id": 1, "id": 2},
            {**box, "image_id": 25, "category_id": 25, "id": 3},
            {**box, "image_id": 9, "category_id": 3, "id": 4},
        ],
    }


def captions(part: str = "train2014") -> dict:
    """captions_*.json for the same pictures."""
    table = instances(part)
    del table["categories"]
    texts = ((9, "A car. \n"), (9, "A parked car."), (25, "A giraffe and a man."), (30, "An empty room."))
    table["annotations"] = [{"image_id": n, "id": 100 + i, "caption": text} for i, (n, text) in enumerate(texts)]
    return table


def karpathy() -> dict:
    """dataset_coco.json with a picture of each split."""
    images = []
    for number, (split, part) in enumerate(
        (("test", "val"), ("train", "train"), ("restval", "val"), ("val", "val")),
    ):
        raw = [f"Picture {number}.", f"Again  picture {number}"]
        sentences = [
            {"tokens": ["picture", str(number)], "raw": text, "imgid": number, "sentid": 2 * number + i}
            for i, text in enumerate(raw)
        ]
        images.append(
            {
                "filepath": f"{part}2014",
                "sentids": [2 * number, 2 * number + 1],
                "filename": f"COCO_{part}2014_{number:012}.jpg",
                "imgid": number,
                "split": split,
                "sentences": sentences,
                "cocoid": number,
            }
        )
    return {"images": images, "dataset": "coco"}


def nuswide(folder: Path, *, truth: str = "Groundtruth/TrainTestLabels") -> Path:
    """The official files of NUS-WIDE, with three concepts and Windows' line ends and slashes."""
    rows = {
        "Train": {"actor\\0001_2124494179.jpg": "010", "zoo\\0002_1.jpg": "101", "zoo\\0003_2.jpg": "000"},
        "Test": {"actor\\0004_3.jpg": "001", "beach\\0005_4.jpg": "000"},
    }
    order = [
        "actor\\0001_2124494179.jpg",
        "actor\\0004_3.jpg",
        "beach\\0005_4.jpg",
        "zoo\\0002_1.jpg",
        "zoo\\0003_2.jpg",
    ]
    put(folder / "Concepts81.txt", "".join(f"{concept}\r\n" for concept in CONCEPTS))
    put(folder / "ImageList/Imagelist.txt", "".join(f"{name}\r\n" for name in order))
    flags = {name: value for part in rows.values() for name, value in part.items()}
    for part, pictures in rows.items():
        put(folder / f"ImageList/{part}Imagelist.txt", "".join(f"{name}\r\n" for name in pictures))
    for column, concept in enumerate(CONCEPTS):
        if truth.endswith("AllLabels"):
            put(folder / truth / f"Labels_{concept}.txt", "".join(f"{flags[name][column]}\n" for name in order))
        else:
            for part, pictures in rows.items():
                text = "".join(f"{value[column]}\n" for value in pictures.values())
                put(folder / truth / f"Labels_{concept}_{part}.txt", text)
    return folder


def voc(devkit: Path, year: int = 2007, parts: Sequence[str] = ("train", "val", "test")) -> Path:
    """A VOCdevkit with two pictures a part; the second has only a difficult chair beside its dog."""
    folder = devkit / f"VOC{year}"
    for number, part in enumerate(parts):
        first, second = f"{2 * number + 5:06}", f"{2 * number + 6:06}"
        put(folder / "ImageSets/Main" / f"{part}.txt", f"{first}\n{second}\n")
        put(folder / "ImageSets/Main" / f"dog_{part}.txt", f"{first} -1\n{second}  1\n")
        put(folder / "ImageSets/Main" / f"chair_{part}.txt", f"{first}  1\n{second}  0\n")
        put(folder / "Annotations" / f"{first}.xml", voc_xml(first, ("chair", 0), ("chair", 0)))
        put(folder / "Annotations" / f"{second}.xml", voc_xml(second, ("dog", 0), ("chair", 1)))
    return devkit


def voc_xml(number: str, *objects: tuple[str, int]) -> str:
    """An annotation of VOC, with a part that has a name of its own within a person."""
    body = "".join(
        f"<object>\n\t\t<name>{name}</name>\n\t\t<pose>Rear</pose>\n\t\t<truncated>0</truncated>\n"
        f"\t\t<difficult>{difficult}</difficult>\n"
        "\t\t<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>\n"
        "\t\t<part><name>head</name></part>\n\t</object>\n"
        for name, difficult in objects
    )
    return f"<annotation>\n\t<folder>VOC2007</folder>\n\t<filename>{number}.jpg</filename>\n{body}</annotation>\n"
