"""Splits bodies and streams of bytes into events: lines, or the elements of a JSON array."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec
from msgspec import Raw

from service.errors import Malformed
from service.payloads import raw_json
from service.payloads.raw_json import MAX_DEPTH, too_deep


class RawEvent(NamedTuple):
    """A line that is not blank: its number, from 1, and its text without the white space around it.

    The text is None where the line was longer than is taken; it was skipped. An element of an array has no number.
    """

    number: int | None
    text: bytes | None


class LineSplitter:
    """Takes pieces of the stream and gives the lines they complete."""

    def __init__(self, max_bytes: int) -> None:
        """Take how long a line may be."""
        self._max = max_bytes
        self._begun: list[bytes] = []
        self._begun_size = 0
        self._number = 0

    def feed(self, piece: bytes) -> list[RawEvent]:
        """Return the lines that this piece completes."""
        first, *others = piece.split(b"\n")
        self._hold(first)
        if not others:
            return []
        found = self.end()
        last = others.pop()
        for text in others:
            self._add(text, found)
        self._hold(last)
        return found

    def end(self) -> list[RawEvent]:
        """Return the last line, which need not end with a newline."""
        found: list[RawEvent] = []
        if self._begun_size <= self._max:
            self._add(b"".join(self._begun), found)
        else:
            self._number += 1
            found.append(RawEvent(self._number, None))
        self._begun.clear()
        self._begun_size = 0
        return found

    def _hold(self, part: bytes) -> None:
        """Keep the begin of a line; of one that has become too long, only its length."""
        self._begun_size += len(part)
        if self._begun_size <= self._max:
            self._begun.append(part)
        else:
            self._begun.clear()

    def _add(self, text: bytes, found: list[RawEvent]) -> None:
        self._number += 1
        if len(text) > self._max:
            found.append(RawEvent(self._number, None))
        elif text := text.strip():
            found.append(RawEvent(self._number, text))


# Possessive, so that a long string leaves nothing to come back to. Group 1: the string ends here; group 2: the piece
# does, perhaps after half an escape.
_REST = rb'[^"\\]*+(?:\\.[^"\\]*+)*+(?:(")|(\\?)\Z)'


_IN_STRING = re.compile(_REST, re.DOTALL)


_SIGN = re.compile(rb'[\[\]{},]|"' + _REST, re.DOTALL)


_SPACE = b" \t\r\n"


class ArraySplitter:
    """Takes pieces of the stream and gives the elements they complete; `number` is an element's place, from 1.

    Raises Malformed where the stream is no array. Whether the elements are JSON is for their reader to say.
    """

    def __init__(self, max_bytes: int) -> None:
        """Take how long an element may be."""
        self._max = max_bytes
        self._begun: list[bytes] = []
        self._size = 0
        self._number = 0
        self._depth = 0
        self._in_string = False
        self._carried = b""
        self._ended = False

    def feed(self, piece: bytes) -> list[RawEvent]:
        """Return the elements that this piece completes."""
        data = self._carried + piece
        self._carried = b""
        found: list[RawEvent] = []
        start = at = 0
        while match := (_IN_STRING.match if self._in_string else _SIGN.search)(data, at):
            at = match.end()
            if match[1] is not None:
                self._in_string = False
            elif match[2] is not None:
                self._in_string = True
                self._carried = match[2]
                break
            else:
                start = self._take_sign(data, start, match.start(), found)
        self._hold(data[start : len(data) - len(self._carried)])
        return found

    def end(self) -> list[RawEvent]:
        """Raise Malformed unless the array has ended."""
        if not self._ended:
            raise Malformed("the array breaks off")
        return []

    def _take_sign(self, data: bytes, start: int, at: int, found: list[RawEvent]) -> int:
        """Count a bracket or comma. Returns where the element that is under way begins in this piece."""
        sign = data[at : at + 1]
        if self._depth == 0:
            self._hold(data[start:at])
            if sign != b"[" or self._ended:
                raise Malformed("one JSON array was expected")
            self._depth, self._size = 1, 0
            self._begun.clear()
            return at + 1
        depth = self._depth + (sign in b"[{") - (sign in b"]}")
        if depth > 1 or (depth == 1 and sign != b","):
            self._depth = depth
            return start
        if sign == b"}":
            raise Malformed("one JSON array was expected")
        self._hold(data[start:at])
        self._depth, self._ended = depth, depth == 0
        self._complete(found)
        return at + 1

    def _complete(self, found: list[RawEvent]) -> None:
        text, fits = b"".join(self._begun).strip(_SPACE), self._size <= self._max
        self._begun.clear()
        self._size = 0
        if fits and not text:
            if self._ended and self._number == 0:
                return
            raise Malformed(f"the array has a comma and nothing after element {self._number}")
        self._number += 1
        found.append(RawEvent(self._number, text if fits else None))

    def _hold(self, part: bytes) -> None:
        if self._depth == 0 and part.strip(_SPACE):
            raise Malformed("one JSON array was expected")
        self._size += len(part)
        if self._size <= self._max:
            self._begun.append(part)
        else:
            self._begun.clear()


_decode = msgspec.json.Decoder(list[Raw]).decode


def split_array(body: bytes) -> list[bytes]:
    """Return the elements of an array. Raises Malformed for whatever is none."""
    if too_deep(body):
        raise Malformed(f"the batch is nested deeper than {MAX_DEPTH} levels")
    try:
        return [bytes(raw) for raw in _decode(body)]
    except msgspec.DecodeError:
        return _sliced(body)


def _sliced(body: bytes) -> list[bytes]:
    """Take apart what msgspec refuses: half a surrogate pair somewhere in it, or no array."""
    try:
        return [one.encode() for one in raw_json.elements(body.decode())]
    except UnicodeDecodeError as error:
        raise Malformed(f"the batch is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise Malformed(f"a batch is a JSON array of events: {error}") from None
