"""Decides what commands on datasets, sources and tags add to their histories: nothing where they change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from service.domain.dataset import DatasetRegisters
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition
from service.domain.decisions import Decision, KnownEvent
from service.domain.job import JobRegisters
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.domain.tags import (
    MAX_FIELD_TAGS,
    MAX_TAGS,
    FieldTags,
    TagChange,
    Tags,
    count_field_tags,
    has_tag,
)

_DEFINING_FACETS = ("schema", "documentation", "dataSource")
"""Facets whose content a definition has, too: the later one is shown."""


class DefineDataset(NamedTuple):
    """Defines a dataset, and adds tags to it and to its fields. A repeated definition records nothing."""

    definition: DatasetDefinition
    tags: tuple[TagChange, ...] = ()

    def decide(self, dataset: DatasetRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the dataset is shown as the definition says, and its tags are there."""
        if _are_too_many(dataset, self.tags):
            return Decision.FULL
        if dataset is None or dataset.hidden or dataset.is_dropped or not self._is_shown(dataset):
            return Decision.APPEND
        missing = any(not _is_there(dataset, change) for change in self.tags)
        return Decision.APPEND if missing else Decision.UNCHANGED

    def _is_shown(self, dataset: DatasetRegisters) -> bool:
        """Return whether this is the definition that stands, and no later event tells anything else."""
        current, wanted = dataset.definition, self.definition
        if current is None or _content(current) != _content(wanted):
            return False
        if any((facet := dataset.facets.get(name)) is not None and facet.at > current.at for name in _DEFINING_FACETS):
            return False
        shown = dataset.description.text if dataset.description else None
        return wanted.description is None or wanted.description == shown


def _content(definition: DatasetDefinition) -> tuple[object, ...]:
    """Return what a definition says, without the description, of which the last one stays."""
    return definition._replace(description=None)[2:]


class DefineSource(NamedTuple):
    """Defines a source. A repeated definition records nothing."""

    definition: SourceDefinition

    def decide(self, source: SourceRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the source is shown as the definition says, and its URL has the same password."""
        current, wanted = source.definition if source else None, self.definition
        if source is None or current is None or current[2:] != wanted[2:]:
            return Decision.APPEND
        return Decision.UNCHANGED if source.connection_url == wanted.connection_url else Decision.APPEND


class DefineTag(NamedTuple):
    """Defines a tag. Without a description, the one that it has stays."""

    description: str | None

    def decide(self, tag: TagRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the tag is known, and its description is not another one."""
        if tag is None:
            return Decision.APPEND
        shown = tag.description.text if tag.description else None
        return Decision.UNCHANGED if self.description in (None, shown) else Decision.APPEND


class ChangeTag(NamedTuple):
    """Adds a tag to a job, a dataset or a field of one, or removes it."""

    change: TagChange

    def decide(self, state: JobRegisters | DatasetRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the tag is there, or is not there, already."""
        if _is_there(state, self.change) is self.change.added:
            return Decision.UNCHANGED
        return Decision.FULL if _are_too_many(state, (self.change,)) else Decision.APPEND


def _tags_of(state: JobRegisters | DatasetRegisters | None) -> tuple[Tags, FieldTags]:
    if state is None:
        return {}, {}
    return state.tags, state.field_tags if isinstance(state, DatasetRegisters) else {}


def _is_there(state: JobRegisters | DatasetRegisters | None, change: TagChange) -> bool:
    tags, field_tags = _tags_of(state)
    return has_tag(tags if change.field is None else field_tags.get(change.field, {}), change.tag)


def _are_too_many(state: JobRegisters | DatasetRegisters | None, changes: Iterable[TagChange]) -> bool:
    """Return whether changes exceed the limits; tags that were removed count, too, so that late events find them."""
    tags, field_tags = _tags_of(state)
    added = {change.tag for change in changes if change.field is None and change.tag not in tags}
    of_fields = {
        (change.field, change.tag)
        for change in changes
        if change.field is not None and change.tag not in field_tags.get(change.field, {})
    }
    return bool(
        (added and len(tags) + len(added) > MAX_TAGS)
        or (of_fields and count_field_tags(field_tags) + len(of_fields) > MAX_FIELD_TAGS)
    )
