"""Makes the rows in which searches find datasets and jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.dataset import DatasetRegisters
from service.domain.ids import namespace_id
from service.domain.job_entry import JobEntry
from service.domain.search import fold, search_words
from service.domain.tags import present
from service.lineage.stored import pack
from service.payloads.dataset_state import state_of

JOB, DATASET = 0, 1


class SearchEntry(NamedTuple):
    """A row of runfold.search_entries."""

    id: UUID
    kind: int
    namespace_id: UUID
    namespace: str
    name: str
    folded: str
    words: str
    hidden: bool
    created_at: datetime
    updated_at: datetime
    position: int
    registers: bytes | None


def dataset_entry(
    identity: UUID, dataset: DatasetRegisters, aliases: Iterable[str] = (), *, hidden: bool = False
) -> SearchEntry:
    """Return the entry of a dataset under its primary name; `dataset`: merged of all of its names."""
    state = state_of(dataset)
    tags = {*present(dataset.tags), *(tag for tags in dataset.field_tags.values() for tag in present(tags))}
    columns = [field.name for field in state.fields]
    words = search_words(
        dataset.name, dataset.namespace, state.description, aliases=aliases, tags=tags, columns=columns
    )
    return SearchEntry(
        identity,
        DATASET,
        namespace_id(dataset.namespace),
        dataset.namespace,
        dataset.name,
        fold(dataset.name),
        words,
        hidden or dataset.hidden,
        state.created_at,
        dataset.updated_at,
        dataset.seen,
        None,
    )


_WORD_FACETS = ("schema", "documentation")


def has_same_words(before: DatasetRegisters, after: DatasetRegisters) -> bool:
    """Return whether a dataset is found by the same words as before, and is as much hidden; most events change none."""
    return (
        before.hidden == after.hidden
        and before.first_seen == after.first_seen
        and before.definition == after.definition
        and before.description == after.description
        and ((not after.tags and not after.field_tags) or _names(before) == _names(after))
        and all(_value(before, name) == _value(after, name) for name in _WORD_FACETS)
    )


def _names(dataset: DatasetRegisters) -> tuple[object, object]:
    return (
        {tag: change.added for tag, change in dataset.tags.items()},
        {field: {tag: change.added for tag, change in tags.items()} for field, tags in dataset.field_tags.items()},
    )


def _value(dataset: DatasetRegisters, name: str) -> bytes | None:
    facet = dataset.facets.get(name) or dataset.read_facets.get(name)
    return None if facet is None else facet.value


def job_entry(identity: UUID, job: JobEntry) -> SearchEntry:
    """Return the entry of a job."""
    description = None if job.description is None else job.description.text
    return SearchEntry(
        identity,
        JOB,
        namespace_id(job.namespace),
        job.namespace,
        job.name,
        fold(job.name),
        search_words(job.name, job.namespace, description, tags=present(job.tags)),
        job.hidden,
        job.created_at,
        job.updated_at,
        job.seen,
        pack(job),
    )
