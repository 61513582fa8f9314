"""Splits JSON into members and elements without changing a byte of their values.

Accepts all of JSON's grammar (RFC 8259). msgspec, which is tried first, refuses half a surrogate pair, which is valid
JSON, and an event that has one must be recorded; the standard library takes it, but makes objects of all values.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import accumulate
from typing import NoReturn, TypeVar

import msgspec

T = TypeVar("T")

_SPACE = re.compile(r"[ \t\n\r]*")


def _raise_not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode

# Numbers are kept as text: 1e400 and an integer of 5,000 digits are valid JSON, and the values are not needed here.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_raise_not_json)


def members(text: str) -> dict[str, str]:
    """Return an object's members, each value as its original text. Of members with the same name the last one counts.

    Raises ValueError for a text that is not a JSON object, RecursionError for one that is nested too deeply.
    """
    try:
        return {name: bytes(raw).decode() for name, raw in _decode_members(text).items()}
    except msgspec.DecodeError:
        return _members(text)


def _members(text: str) -> dict[str, str]:
    result: dict[str, str] = {}
    at = _skip_sign(text, 0, "{")
    if text[at : at + 1] == "}":
        return _check_end(text, at + 1, result)
    while True:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str) or text[at - 1] != '"':
            raise ValueError("an object's member has no name")
        start = _skip_sign(text, _skip_space(text, at), ":")
        _, end = _DECODER.raw_decode(text, start)
        result[name] = text[start:end]
        at = _skip_space(text, end)
        if text[at : at + 1] == "}":
            return _check_end(text, at + 1, result)
        at = _skip_sign(text, at, ",")


def elements(text: str) -> list[str]:
    """Return an array's elements, each as its original text. Raises ValueError for a text that is not a JSON array."""
    return list(each_element(text))


def each_element(text: str) -> Iterator[str]:
    """Yield an array's elements one by one; errors after the last element taken need not be noticed."""
    try:
        whole = _decode_elements(text)
    except msgspec.DecodeError:
        yield from _each_element(text)
        return
    for raw in whole:
        yield bytes(raw).decode()


def _each_element(text: str) -> Iterator[str]:
    at = _skip_sign(text, 0, "[")
    if text[at : at + 1] == "]":
        _check_end(text, at + 1, None)
        return
    while True:
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _skip_space(text, end)
        if text[at : at + 1] == "]":
            _check_end(text, at + 1, None)
            return
        at = _skip_sign(text, at, ",")


def check_end(text: str) -> None:
    """Raise ValueError for a text that is not JSON, unless only NaN, Infinity or -Infinity stand in it for values.

    Such a text ends where it seems to end, although it is not JSON: json.dumps of Python writes it.
    """
    json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def value(text: str) -> object:
    """Return a decoded value, with numbers as text. Raises ValueError for a text that is not JSON."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=_raise_not_json)


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _skip_sign(text: str, at: int, sign: str) -> int:
    at = _skip_space(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"{sign} expected at character {at}")
    return _skip_space(text, at + 1)


def _check_end(text: str, at: int, result: T) -> T:
    if _skip_space(text, at) != len(text):
        raise ValueError(f"unexpected text at character {at}")
    return result


MAX_DEPTH = 500
"""Levels of nested brackets. Events of real schedulers have fewer than 30.

An answer nests a facet a few levels deeper, and clients' readers end at 1,000 levels (Python's json, Jackson): one deep
event would make every list that contains it unreadable to them.
"""

_MAX_RECORDED_DEPTH = 2_000
"""The bound of earlier versions: events up to this depth may be recorded, and are still read."""

_CALLS = 1_000
"""Python's default recursion limit, left for the calls around a decoder.

An event is decoded when it is sent and again whenever it is projected, from another depth of calls. So brackets are
counted, rather than to find out where a decoder gives up.
"""

# The decoders (msgspec, json) count their own recursion against Python's limit, one call a level. Measured on CPython
# 3.11 (x86-64): 3,000 levels take less than 512 KiB of C stack, of which a main thread has 8 MiB; PostgreSQL 18 reads
# 10,000 within the 2 MiB of its default max_stack_depth.
sys.setrecursionlimit(max(sys.getrecursionlimit(), _MAX_RECORDED_DEPTH + _CALLS))

_NOT_SIGNS = bytes(set(range(256)) - set(b'[]{}"'))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}

_PART = 256
"""Brackets that are counted at once where the bound is far away."""


def too_deep(body: bytes) -> bool:
    """Return whether JSON is nested deeper than MAX_DEPTH. Most texts do not even have that many brackets.

    The time is linear: brackets are counted in parts, and one by one only in a part that may exceed the bound.
    """
    if len(body) <= MAX_DEPTH or body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A pair of quotes side by side changes nothing about which brackets lie within a string.
    signs = body.translate(None, _NOT_SIGNS).replace(b'""', b"")
    brackets = b"".join(signs.split(b'"')[::2]) if b'"' in signs else signs
    left = brackets.replace(b"{}", b"").replace(b"[]", b"")  # two levels less at most
    if left.count(b"[") + left.count(b"{") <= MAX_DEPTH - 2:
        return False
    depth = 0
    for start in range(0, len(brackets), _PART):
        part = brackets[start : start + _PART]
        opened = part.count(b"[") + part.count(b"{")
        if depth + opened > MAX_DEPTH and max(accumulate(map(_STEP.__getitem__, part), initial=depth)) > MAX_DEPTH:
            return True
        depth += 2 * opened - len(part)
    return False
