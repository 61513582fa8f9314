"""The texts in which GET /search looks: how they are folded, and of what they consist."""

from __future__ import annotations

from collections.abc import Iterable

MAX_WORDS_LENGTH = 20_000
"""Characters of a job or dataset in which a search looks; a dataset may have thousands of columns."""

_SEPARATOR = "\n"


def fold(text: str) -> str:
    """Return a text without the difference between upper and lower case.

    Each character is folded by itself, whatever stands beside it: a part of a text is a part of the folded text, too.
    """
    return text.casefold()


def search_words(
    name: str,
    namespace: str,
    description: str | None = None,
    *,
    aliases: Iterable[str] = (),
    tags: Iterable[str] = (),
    columns: Iterable[str] = (),
) -> str:
    """Return the folded text in which a job or dataset is found; the column `words` of runfold.search_entries.

    `aliases`: other names of a dataset. `tags`: also those of columns. `columns` come last, because the text is cut off
    where it becomes too long.
    """
    parts = [name, namespace, *sorted(set(aliases)), *sorted(set(tags)), description or "", *columns]
    return fold(_SEPARATOR.join(part for part in parts if part))[:MAX_WORDS_LENGTH]
