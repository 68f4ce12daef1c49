"""Options that several verbs share, as one record: each field becomes an option of the verb."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints


def spread(record: type, parameter: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the fields of a dataclass as options, in place of its parameter of that type.

    Args:
        record: a dataclass whose fields are annotated as typer's options are, each with a default.
        parameter: the name of the verb's parameter that gets the filled record.
    """
    hints = get_type_hints(record, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(record)
    ]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        @wraps(verb)
        def command(**given: Any) -> None:
            own = {option.name: given.pop(option.name) for option in options}
            verb(**given, **{parameter: record(**own)})

        kept = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if p.name != parameter]
        command.__signature__ = inspect.Signature([*(p.replace(kind=p.KEYWORD_ONLY) for p in kept), *options])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*kept, *options)}
        return command

    return decorate
