"""Cuts a stream of bytes into lines without ever holding more than one line that is too long."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """A line that is not blank: its number, from 1, and its text without the white space around it.

    The text is None where the line was longer than is taken; it was skipped. An element of an array has no number.
    """

    number: int | None
    text: bytes | None


class Lines:
    """Takes pieces of the stream and gives the lines they complete."""

    def __init__(self, max_bytes: int) -> None:
        """Take how long a line may be."""
        self._max = max_bytes
        self._begun: list[bytes] = []
        self._begun_size = 0
        self._number = 0

    def feed(self, piece: bytes) -> list[Line]:
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

    def end(self) -> list[Line]:
        """Return the last line, which need not end with a newline."""
        found: list[Line] = []
        if self._begun_size <= self._max:
            self._add(b"".join(self._begun), found)
        else:
            self._number += 1
            found.append(Line(self._number, None))
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

    def _add(self, text: bytes, found: list[Line]) -> None:
        self._number += 1
        if len(text) > self._max:
            found.append(Line(self._number, None))
        elif text := text.strip():
            found.append(Line(self._number, text))
