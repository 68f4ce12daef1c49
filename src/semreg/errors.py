"""Errors that a user can mend: one sentence each, saying the rule, the value and the remedy."""

from __future__ import annotations


class SemregError(Exception):
    """A mistake outside the program: the command prints its sentence and exits with status 2, without a traceback."""


class PictureError(SemregError):
    """One picture cannot be read; the sentence names the file. Work on other pictures goes on."""
