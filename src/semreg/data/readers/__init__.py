"""Readers of the formats that data sets come in: a file a format, each giving the records that `metadata.jsonl` holds.

A reader takes the pictures' folder and the set's own files, opens no picture, and gives one record a picture, with
file names relative to that folder. What is wrong in a file is named by file and line, or by its place in the JSON.
"""

from __future__ import annotations

from collections.abc import Callable

from semreg.data.readers.beside import read_beside
from semreg.data.readers.coco import read_coco
from semreg.data.readers.corel5k import read_corel5k
from semreg.data.readers.flickr8k import read_flickr8k
from semreg.data.readers.karpathy import read_karpathy
from semreg.data.readers.nuswide import read_nuswide
from semreg.data.readers.table import read_table
from semreg.data.readers.voc import read_voc
from semreg.data.records import Record

READERS: dict[str, Callable[..., list[Record]]] = {
    "coco": read_coco,
    "karpathy": read_karpathy,
    "nuswide": read_nuswide,
    "voc": read_voc,
    "flickr8k": read_flickr8k,
    "corel5k": read_corel5k,
    "csv": read_table,
    "txt": read_beside,
}

__all__ = [
    "READERS",
    "read_beside",
    "read_coco",
    "read_corel5k",
    "read_flickr8k",
    "read_karpathy",
    "read_nuswide",
    "read_table",
    "read_voc",
]
