"""Values of the ledger as text for a terminal."""

from datetime import UTC, datetime


def time_of(at: datetime | None) -> str:
    """Return a time in UTC to the second, or an empty text."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def printable(text: str) -> str:
    """Return a text on one line, in which control characters are replaced: names come from callers."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
