"""Cuts a stream of bytes into lines without ever holding more than one line that is too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """A line that is not blank: its number, from 1, and its text without the white space around it.

    The text is None where the line was longer than is taken; it was skipped.
    """

    number: int
    text: bytes | None


class Lines:
    """Takes pieces of the stream and gives the lines they complete."""

    def __init__(self, max_bytes: int) -> None:
        """Take how long a line may be."""
        self._max = max_bytes
        self._begun: list[bytes] = []
        self._begun_size = 0
        self._number = 0

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Yield the lines that this piece completes."""
        first, *others = piece.split(b"\n")
        self._hold(first)
        if not others:
            return
        yield from self._complete()
        last = others.pop()
        for text in others:
            yield from self._line(text)
        self._hold(last)

    def end(self) -> Iterator[Line]:
        """Yield the last line, which need not end with a newline."""
        yield from self._complete()

    def _hold(self, part: bytes) -> None:
        """Keep the begin of a line; of one that has become too long, only its length."""
        self._begun_size += len(part)
        if self._begun_size <= self._max:
            self._begun.append(part)
        else:
            self._begun.clear()

    def _complete(self) -> Iterator[Line]:
        size, text = self._begun_size, b"".join(self._begun)
        self._begun.clear()
        self._begun_size = 0
        if size <= self._max:
            yield from self._line(text)
        else:
            self._number += 1
            yield Line(self._number, None)

    def _line(self, text: bytes) -> Iterator[Line]:
        self._number += 1
        text = text.strip()
        if len(text) > self._max:
            yield Line(self._number, None)
        elif text:
            yield Line(self._number, text)
