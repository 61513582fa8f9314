"""Takes JSON apart without changing a byte of its values.

Slower than msgspec, and takes all that JSON's grammar allows: msgspec refuses half a surrogate pair, which is valid
JSON; an event that has one is recorded all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn, TypeVar

T = TypeVar("T")

_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Numbers stay text: an integer of 5,000 digits or 1e400 is valid JSON, and nothing here counts with it.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse)


def members(text: str) -> dict[str, str]:
    """Return an object's members, each value the very text it came as; of equal names the last counts.

    Raises ValueError for what is no JSON object, RecursionError for what is nested too deeply.
    """
    found: dict[str, str] = {}
    at = _after(text, 0, "{")
    if text[at : at + 1] == "}":
        return _ended(text, at + 1, found)
    while True:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str) or text[at - 1] != '"':
            raise ValueError("an object's member has no name")
        start = _after(text, _skip(text, at), ":")
        _, end = _DECODER.raw_decode(text, start)
        found[name] = text[start:end]
        at = _skip(text, end)
        if text[at : at + 1] == "}":
            return _ended(text, at + 1, found)
        at = _after(text, at, ",")


def elements(text: str) -> list[str]:
    """Return an array's elements, each the very text it came as."""
    return list(each_element(text))


def each_element(text: str) -> Iterator[str]:
    """Yield an array's elements one by one; what is wrong after the last one taken is not noticed."""
    at = _after(text, 0, "[")
    if text[at : at + 1] == "]":
        _ended(text, at + 1, None)
        return
    while True:
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            _ended(text, at + 1, None)
            return
        at = _after(text, at, ",")


def value(text: str) -> object:
    """Return a value, numbers as text."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _after(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} expected at character {at}")
    return _skip(text, at + 1)


def _ended(text: str, at: int, found: T) -> T:
    if _skip(text, at) != len(text):
        raise ValueError(f"unexpected text at character {at}")
    return found
