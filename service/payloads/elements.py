"""Cuts a stream of bytes that is one JSON array into its elements, without holding more than one of them."""

from __future__ import annotations

import re

from service.errors import Malformed
from service.payloads.lines import Line

# Possessive, so that a long string leaves nothing to come back to. Group 1: the string ends here; group 2: the piece
# does, perhaps after half an escape.
_REST = rb'[^"\\]*+(?:\\.[^"\\]*+)*+(?:(")|(\\?)\Z)'
_IN_STRING = re.compile(_REST, re.DOTALL)
_SIGN = re.compile(rb'[\[\]{},]|"' + _REST, re.DOTALL)
_SPACE = b" \t\r\n"


class Elements:
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

    def feed(self, piece: bytes) -> list[Line]:
        """Return the elements that this piece completes."""
        data = self._carried + piece
        self._carried = b""
        found: list[Line] = []
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

    def end(self) -> list[Line]:
        """Raise Malformed unless the array has ended."""
        if not self._ended:
            raise Malformed("the array breaks off")
        return []

    def _take_sign(self, data: bytes, start: int, at: int, found: list[Line]) -> int:
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

    def _complete(self, found: list[Line]) -> None:
        text, fits = b"".join(self._begun).strip(_SPACE), self._size <= self._max
        self._begun.clear()
        self._size = 0
        if fits and not text:
            if self._ended and self._number == 0:
                return
            raise Malformed(f"the array has a comma and nothing after element {self._number}")
        self._number += 1
        found.append(Line(self._number, text if fits else None))

    def _hold(self, part: bytes) -> None:
        if self._depth == 0 and part.strip(_SPACE):
            raise Malformed("one JSON array was expected")
        self._size += len(part)
        if self._size <= self._max:
            self._begun.append(part)
        else:
            self._begun.clear()
