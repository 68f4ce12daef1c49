"""Predictions of any tagger or captioner, read from files and scored against references from files."""
