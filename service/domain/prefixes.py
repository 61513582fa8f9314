"""Ranges of texts that begin alike, in the order of characters' numbers, as indexes on beginnings of names have."""

from __future__ import annotations

_LAST, _BEFORE_SURROGATES, _AFTER_SURROGATES = "\U0010ffff", "\ud7ff", "\ue000"


def range_of_prefix(prefix: str, indexed: int) -> tuple[str, str | None]:
    """Return the first text that begins with a prefix, and the first one beyond these; None: there is none.

    `indexed`: the number of characters of each text that the index has.
    """
    first = prefix[:indexed]
    rest = first.rstrip(_LAST)
    if not rest:
        return first, None
    last = rest[-1]
    following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1)
    return first, rest[:-1] + following
