"""Splits bodies and byte streams into events: the lines of NDJSON, or the elements of a JSON array."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
from msgspec import Raw

from service.errors import Malformed
from service.payloads import raw_json
from service.payloads.raw_json import MAX_DEPTH, too_deep

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some programs write it before UTF-8. It is skipped: JSON must not begin with it (RFC 8259, 8.1)."""


class RawEvent(NamedTuple):
    """The bytes of an event, without white space around them, and its number: of its line or array element, from 1.

    `text` is None for an event that is longer than the limit; it was skipped. `number` is None where it is not known.
    """

    number: int | None
    text: bytes | None


class LineSplitter:
    """Splits a stream into lines that are not blank."""

    def __init__(self, max_bytes: int) -> None:
        """Take the maximum length of a line, in bytes."""
        self._max = max_bytes
        self._parts: list[bytes] = []
        self._parts_size = 0
        self._number = 0

    def feed(self, piece: bytes) -> list[RawEvent]:
        """Return the lines that end in this piece of the stream."""
        first, *others = piece.split(b"\n")
        self._append_part(first)
        if not others:
            return []
        events = self.end()
        last = others.pop()
        for text in others:
            self._add(text, events)
        self._append_part(last)
        return events

    def end(self) -> list[RawEvent]:
        """End the stream and return its last line, which need not end with a newline."""
        events: list[RawEvent] = []
        if self._parts_size <= self._max:
            self._add(b"".join(self._parts), events)
        else:
            self._number += 1
            events.append(RawEvent(self._number, None))
        self._parts.clear()
        self._parts_size = 0
        return events

    def _append_part(self, part: bytes) -> None:
        """Keep the beginning of a line; of a line that is too long, only its length."""
        self._parts_size += len(part)
        if self._parts_size <= self._max:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _add(self, text: bytes, events: list[RawEvent]) -> None:
        self._number += 1
        if text[:1] == b"\xef":
            text = text.removeprefix(BYTE_ORDER_MARK)
        if len(text) > self._max:
            events.append(RawEvent(self._number, None))
        elif text := text.strip():
            events.append(RawEvent(self._number, text))


# Possessive, so that a long string leaves no states to backtrack to. Group 1: the string ends here. Group 2: the piece
# ends within the string, perhaps after half an escape.
_REST = rb'[^"\\]*+(?:\\.[^"\\]*+)*+(?:(")|(\\?)\Z)'
_IN_STRING = re.compile(_REST, re.DOTALL)
_SIGN = re.compile(rb'[\[\]{},]|"' + _REST, re.DOTALL)
_SPACE = b" \t\r\n"


class ArraySplitter:
    """Splits a stream into the elements of a JSON array; their numbers count from 1.

    Raises Malformed where the stream is not an array. It does not check that the elements are JSON.
    """

    def __init__(self, max_bytes: int) -> None:
        """Take the maximum length of an element, in bytes."""
        self._max = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._number = 0
        self._depth = 0
        self._in_string = False
        self._partial_escape = b""
        self._ended = False

    def feed(self, piece: bytes) -> list[RawEvent]:
        """Return the elements that end in this piece of the stream."""
        data = self._partial_escape + piece
        self._partial_escape = b""
        events: list[RawEvent] = []
        start = at = 0
        while match := (_IN_STRING.match if self._in_string else _SIGN.search)(data, at):
            at = match.end()
            if match[1] is not None:
                self._in_string = False
            elif match[2] is not None:
                self._in_string = True
                self._partial_escape = match[2]
                break
            else:
                start = self._take_sign(data, start, match.start(), events)
        self._append_part(data[start : len(data) - len(self._partial_escape)])
        return events

    def end(self) -> list[RawEvent]:
        """Raise Malformed unless the array has ended."""
        if not self._ended:
            raise Malformed("the array breaks off")
        return []

    def _take_sign(self, data: bytes, start: int, at: int, events: list[RawEvent]) -> int:
        """Handle a bracket or comma. Return where the current element begins in this piece."""
        sign = data[at : at + 1]
        if self._depth == 0:
            self._append_part(data[start:at])
            if sign != b"[" or self._ended:
                raise Malformed("one JSON array was expected")
            self._depth, self._size = 1, 0
            self._parts.clear()
            return at + 1
        depth = self._depth + (sign in b"[{") - (sign in b"]}")
        if depth > 1 or (depth == 1 and sign != b","):
            self._depth = depth
            return start
        if sign == b"}":
            raise Malformed("one JSON array was expected")
        self._append_part(data[start:at])
        self._depth, self._ended = depth, depth == 0
        self._complete(events)
        return at + 1

    def _complete(self, events: list[RawEvent]) -> None:
        text, fits = b"".join(self._parts).strip(_SPACE), self._size <= self._max
        self._parts.clear()
        self._size = 0
        if fits and not text:
            if self._ended and self._number == 0:
                return
            raise Malformed(f"the array has a comma and nothing after element {self._number}")
        self._number += 1
        events.append(RawEvent(self._number, text if fits else None))

    def _append_part(self, part: bytes) -> None:
        if self._depth == 0 and part.strip(_SPACE):
            raise Malformed("one JSON array was expected")
        self._size += len(part)
        if self._size <= self._max:
            self._parts.append(part)
        else:
            self._parts.clear()


_decode = msgspec.json.Decoder(list[Raw]).decode


def split_array(body: bytes) -> list[bytes]:
    """Return the elements of a JSON array. Raises Malformed for any other body."""
    if too_deep(body):
        raise Malformed(f"the batch is nested deeper than {MAX_DEPTH} levels")
    try:
        return [bytes(raw) for raw in _decode(body)]
    except msgspec.DecodeError:
        return _split_by_slices(body)


def _split_by_slices(body: bytes) -> list[bytes]:
    """Split a body that msgspec refuses: it has half a surrogate pair, or it is not an array."""
    try:
        return [element.encode() for element in raw_json.elements(body.decode())]
    except UnicodeDecodeError as error:
        raise Malformed(f"the batch is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise Malformed(f"a batch is a JSON array of events: {error}") from None
