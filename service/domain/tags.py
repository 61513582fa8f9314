"""Tags of jobs, of datasets and of their fields: for each tag, whether its last change added or removed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MAX_TAGS = 1_000
"""Different tags that a job or a dataset may ever have had."""

MAX_FIELD_TAGS = 20_000
"""Pairs of a field and a tag that a dataset may ever have had."""


class TagChange(NamedTuple):
    """A tag that an event adds to its subject or removes from it; `field`: of this field of the dataset."""

    tag: str
    added: bool
    field: str | None = None


class StampedTag(NamedTuple):
    """The last change of a tag; the one at the higher position wins."""

    position: int
    added: bool


Tags = Mapping[str, StampedTag]
"""By tag."""

FieldTags = Mapping[str, Tags]
"""By field, then by tag."""


def stamped_tags(position: int, changes: Iterable[TagChange]) -> Tags:
    """Return the tags that an event changes of its subject itself."""
    return _first({change.tag: StampedTag(position, change.added) for change in changes if change.field is None})


def stamped_field_tags(position: int, changes: Iterable[TagChange]) -> FieldTags:
    """Return the tags that an event changes of fields."""
    pairs = {(change.field, change.tag): StampedTag(position, change.added) for change in changes if change.field}
    return _nested(pairs)


def merge_tags(a: Tags, b: Tags) -> Tags:
    """Return the last change of each tag; of more than MAX_TAGS, of the first ones in alphabetical order.

    Names are only added, so what is left out once stays left out, whatever else is merged.
    """
    if not a or not b:
        return a or b
    merged = dict(a)
    for tag, change in b.items():
        current = merged.get(tag)
        if current is None or change > current:
            merged[tag] = change
    return _first(merged)


def merge_field_tags(a: FieldTags, b: FieldTags) -> FieldTags:
    """Return the last change of each tag of each field; of more than MAX_FIELD_TAGS pairs, of the first ones."""
    if not a or not b:
        return a or b
    merged = _flat(a)
    for pair, change in _flat(b).items():
        current = merged.get(pair)
        if current is None or change > current:
            merged[pair] = change
    return _nested(merged)


def count_field_tags(tags: FieldTags) -> int:
    """Return the number of pairs of a field and a tag."""
    return sum(map(len, tags.values()))


def present(tags: Tags) -> list[str]:
    """Return the tags whose last change added them, in alphabetical order."""
    return sorted(tag for tag, change in tags.items() if change.added)


def has_tag(tags: Tags, tag: str) -> bool:
    """Return whether the last change of a tag added it."""
    change = tags.get(tag)
    return change is not None and change.added


def _first(tags: dict[str, StampedTag]) -> dict[str, StampedTag]:
    return tags if len(tags) <= MAX_TAGS else {tag: tags[tag] for tag in sorted(tags)[:MAX_TAGS]}


def _flat(tags: FieldTags) -> dict[tuple[str, str], StampedTag]:
    return {(field, tag): change for field, changes in tags.items() for tag, change in changes.items()}


def _nested(pairs: Mapping[tuple[str, str], StampedTag]) -> dict[str, dict[str, StampedTag]]:
    nested: dict[str, dict[str, StampedTag]] = {}
    for field, tag in sorted(pairs)[:MAX_FIELD_TAGS]:
        nested.setdefault(field, {})[tag] = pairs[field, tag]
    return nested
