"""Splits bodies and byte streams into events: the lines of NDJSON, or the elements of a JSON array."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Raw

from service.errors import Malformed, TooLarge
from service.payloads import raw_json
from service.payloads.raw_json import MAX_DEPTH

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
        if not self._parts_size and not piece.strip(b"\n"):  # a bomb of line breaks takes no time
            self._number += len(piece)
            return []
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

    @property
    def held_bytes(self) -> int:
        """Bytes of the line that has not ended yet."""
        return self._parts_size if self._parts else 0

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

# Within an element only brackets count. _BRACKET skips whole strings and nested values of up to _SKIPPED_LEVELS levels
# at once, up to a bracket (group 1), a string that the piece does not end, or the end of the piece. It scans a byte
# once for each of those levels at most.
_SKIPPED_LEVELS = 3
_TEXT = rb'[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(levels: int) -> bytes:
    if not levels:
        return _TEXT
    inner = _nested(levels - 1)
    return rb"%b|\[(?:%b)*+\]|\{(?:%b)*+\}" % (_TEXT, inner, inner)


_BRACKET = re.compile(rb"(?:%b)*+([\[\]{}])?" % _nested(_SKIPPED_LEVELS), re.DOTALL)
_SPACE = b" \t\r\n"


class ArraySplitter:
    """Splits a stream into the elements of a JSON array; their numbers count from 1.

    Raises Malformed where the stream is not an array, or is nested deeper than MAX_DEPTH. It does not check that the
    elements are JSON. Its time is linear in the stream's length.
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
        self._beginning: bytes | None = b""
        self._ended = False

    def feed(self, piece: bytes) -> list[RawEvent]:
        """Return the elements that end in this piece of the stream."""
        if self._beginning is not None:
            self._beginning += piece
            if len(self._beginning) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(self._beginning):
                return []
            piece, self._beginning = self._beginning.removeprefix(BYTE_ORDER_MARK), None
        data = self._partial_escape + piece
        self._partial_escape = b""
        events: list[RawEvent] = []
        start = at = 0
        while True:
            if self._depth > 1 and not self._in_string and (match := _BRACKET.match(data, at)):
                at = match.end()
                if match[1] is not None:
                    start = self._take_sign(data, start, at - 1, events)
                    continue
            match = (_IN_STRING.match if self._in_string else _SIGN.search)(data, at)
            if match is None:
                break
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
            if depth > MAX_DEPTH:
                raise Malformed(f"the array is nested deeper than {MAX_DEPTH} levels")
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


_decode = msgspec.json.Decoder(Raw).decode


class CheckedArray:
    """The elements of a JSON array, which are collected until the array has ended: a broken one has none."""

    def __init__(self, max_bytes: int, max_elements: int) -> None:
        """Take the maximum length of an element, in bytes, and of the array."""
        self._splitter = ArraySplitter(max_bytes)
        self._max_elements = max_elements
        self._elements: deque[bytes | None] = deque()

    def feed(self, piece: bytes) -> None:
        """Take a piece of the array. Raises Malformed where it is broken, and TooLarge for too many elements."""
        for number, text in self._splitter.feed(piece):
            if text is not None:
                _check_json(number, text)
            self._elements.append(text)
        if len(self._elements) > self._max_elements:
            raise TooLarge(f"the array has more than {self._max_elements} events")

    def end(self) -> None:
        """End the array. Raises Malformed unless it is complete."""
        self._splitter.end()

    def take(self) -> Iterator[RawEvent]:
        """Yield the elements, without numbers, and free each; None stands for one that is longer than the limit."""
        while self._elements:
            yield RawEvent(None, self._elements.popleft())


def _check_json(number: int | None, text: bytes) -> None:
    """Raise Malformed for an element that is not JSON: where it ends, and the next one begins, is not certain.

    The end of an element with NaN or Infinity is certain: it alone is refused, when it is read as an event. msgspec
    also refuses half a surrogate pair, which is JSON.
    """
    try:
        _decode(text)
    except msgspec.DecodeError:
        try:
            raw_json.check_end(text.decode())
        except UnicodeDecodeError as error:
            place = f"{error.reason} at its byte {error.start}"
            raise Malformed(f"element {number} of the batch is not UTF-8: {place}") from None
        except ValueError as error:
            raise Malformed(f"a batch is a JSON array of events; element {number} is not JSON: {error}") from None
