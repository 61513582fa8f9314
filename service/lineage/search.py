"""Finds jobs and datasets by words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from service.catalog.queries import EVERY, Slice, condition
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.search import fold

MAX_WORDS = 16
"""Words that are searched for at once."""


class SearchOrder(StrEnum):
    """The order of what is found."""

    RANK = "rank"
    NAME = "name"
    UPDATE = "update_at"


_UNUSED = ":whole::text is not null and :standing::text[] is not null and :patterns::text[] is not null"
"""Names the parameters of a rank in a statement without one."""

_KEYS: Mapping[SearchOrder, tuple[str, str]] = {
    SearchOrder.RANK: (load_text("search_rank"), "asc"),
    SearchOrder.NAME: (_UNUSED, "asc"),
    SearchOrder.UPDATE: (f"case when {_UNUSED} then e.updated_at end", "desc"),
}
"""What each order is by besides the name, and its direction."""

_INDEXED: Mapping[bool, str] = {True: "e.words like :longest", False: ":longest::text is not null"}
"""By whether the index on trigrams can find the longest word. The other condition holds always."""

_BOUND: Mapping[bool, str] = {True: load_text("within", namespace="e.namespace"), False: EVERY}
_SEARCH = {
    (order, indexed, bound): load("search", key=key, direction=direction, indexed=comparison, within=within)
    for order, (key, direction) in _KEYS.items()
    for indexed, comparison in _INDEXED.items()
    for bound, within in _BOUND.items()
}

_TRIGRAM = re.compile(r"[^\W_]{3}")
"""Characters of which the index has an entry."""


class FoundKind(StrEnum):
    """What a search finds."""

    JOB = "job"
    DATASET = "dataset"


_KINDS = (FoundKind.JOB, FoundKind.DATASET)
"""By the number that stands for each in the table."""


class SearchQuery(NamedTuple):
    """What to find; a filter that is None finds all. `after` and `before` bound the time of the last event."""

    text: str
    kind: FoundKind | None
    namespace: str | None
    after: datetime | None
    before: datetime | None
    order: SearchOrder


class FoundName(NamedTuple):
    """A job or dataset that was found."""

    kind: FoundKind
    namespace: str
    name: str
    updated_at: datetime


class Search:
    """Finds jobs and datasets. Raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def find(self, query: SearchQuery, slice_: Slice, binding: Binding | None) -> tuple[list[FoundName], int]:
        """Return a slice of what has all words of the text, and the number of all: within the binding of an API key.

        The text has a word at least, and MAX_WORDS at most.
        """
        words = words_of(query.text)
        longest = max(words, key=len)
        indexed = _TRIGRAM.search(longest) is not None
        rows = await self._connections.fetch(
            _SEARCH[query.order, indexed, binding is not None],
            [like_pattern(word) for word in words],
            like_pattern(longest),
            [like_pattern(word) for word in words if word != longest or not indexed],
            " ".join(words),
            [standing_alone(word) for word in words],
            None if query.kind is None else _KINDS.index(query.kind),
            query.namespace,
            query.after,
            query.before,
            *slice_,
            *condition(binding),
        )
        found = [
            FoundName(_KINDS[row["kind"]], row["namespace"], row["name"], row["updated_at"])
            for row in rows
            if row["kind"] is not None
        ]
        return found, rows[0]["total"]


def words_of(text: str) -> list[str]:
    """Return the folded words of a text."""
    return list(dict.fromkeys(fold(text).split()))


def like_pattern(word: str) -> str:
    """Return a pattern of LIKE that finds a word anywhere."""
    literal = re.sub(r"([%_\\])", r"\\\1", word)
    return f"%{literal}%"


def standing_alone(word: str) -> str:
    """Return a regular expression of PostgreSQL that finds a word where no letter or digit precedes or follows it."""
    literal = "".join(character if character.isalnum() else f"\\U{ord(character):08x}" for character in word)
    return f"(^|[^[:alnum:]]){literal}([^[:alnum:]]|$)"
