"""Annotations in the import forms of other programs: Label Studio, FiftyOne, COCO, Hugging Face; see writers.py."""

from semreg.interchange.writers import FORMS, Export, write_export

__all__ = ["FORMS", "Export", "write_export"]
