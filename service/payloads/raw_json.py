"""Takes JSON apart without changing a byte of its values.

Slower than msgspec, and takes all that JSON's grammar allows: msgspec refuses half a surrogate pair, which is valid
JSON; an event that has one is recorded all the same.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import accumulate
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


MAX_DEPTH = 2_000
"""Brackets within brackets. Events of real schedulers stay below 30."""


_CALLS = 1_000
"""What Python allows for calls alone."""

# The readers (msgspec, json) count their own recursion against Python's limit, a level each. Measured on CPython 3.11
# (x86-64): 3,000 levels take less than 512 KiB of C stack, of which a main thread has 8 MiB; PostgreSQL 18 reads 10,000
# within the 2 MiB of its default max_stack_depth.
sys.setrecursionlimit(max(sys.getrecursionlimit(), MAX_DEPTH + _CALLS))

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def too_deep(body: bytes) -> bool:
    """Tell whether JSON is nested deeper than MAX_DEPTH. Most texts have not even as many brackets."""
    if len(body) <= MAX_DEPTH or body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH
