"""JSON from disk into records: a value of another type than its field declares is refused."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or lists lie in lists deeper than anybody writes them.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("its lists are nested too deep") from None


def record_from(kind: type[_Record], raw: Any) -> _Record:
    """An instance of the dataclass `kind` from parsed JSON; lists become tuples where the field is
    one.

    Raises:
        ValueError: it is no object, or a value is missing, unknown or of another type.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"it holds {type(raw).__name__}, not an object")
    hints = _hints(kind)  # type: ignore[arg-type]
    values = {}
    for key, value in raw.items():
        if key not in hints:
            raise ValueError(f"it has an unknown key {key!r}")
        if not _fits(value, hints[key]):
            raise ValueError(f"{key} is {str(value)[:40]!r}, which is no {_name(hints[key])}")
        values[key] = tuple(value) if get_origin(hints[key]) is tuple else value
    missing = [
        field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"it has no {missing[0]!r}")
    return kind(**values)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    origin, of = get_origin(hint) or hint, get_args(hint)
    if origin is Any:
        return True
    if origin is Literal:
        return value in of
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in of)
    if origin in (dict, Mapping, collections.abc.Mapping):
        return isinstance(value, dict) and all(_fits(each, of[1]) for each in value.values())
    if origin in (list, tuple):
        return isinstance(value, list) and all(_fits(each, of[0]) for each in value)
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin)


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint))
