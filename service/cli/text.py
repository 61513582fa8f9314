"""Values of the ledger as text for a terminal."""

import re
from datetime import UTC, datetime

_LONG_WORD = re.compile(r"(\S{100})\S{100,}")
_CONTROLS = re.compile(r"[^\S\t\n ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def time_of(at: datetime | None) -> str:
    """Return a time in UTC to the second, or an empty text."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def printable(text: str) -> str:
    """Return a text on one line, in which control characters are replaced: names come from callers."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def in_few_words(message: str) -> str:
    """Return a message without control characters, in which long values of the caller are cut; line breaks stay."""
    return _LONG_WORD.sub("\\1…", _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", message))
