"""Commands on datasets, sources and tags record nothing where they change nothing."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import dataset_decisions as module
from service.domain.dataset import DatasetFacts, Role, dataset_registers_of, merge_datasets
from service.domain.dataset_decisions import ChangeTag, DefineDataset, DefineSource, DefineTag
from service.domain.dataset_definitions import DatasetDefinition, DatasetField, TagDefinition, define_source
from service.domain.decisions import Decision
from service.domain.event import DatasetName, Event, Kind, Subject
from service.domain.job import job_registers_of, merge_jobs
from service.domain.sources_and_tags import merge_sources, source_registers_of, tag_registers_of
from service.domain.tags import TagChange

APPEND, UNCHANGED, FULL = Decision.APPEND, Decision.UNCHANGED, Decision.FULL
NAME = DatasetName("ns", "d")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
DEFINED = DatasetDefinition(NOON, b"x", "DB_TABLE", "p", "s", (DatasetField("id", "INT"),), "about it")
PII = (TagChange("PII", added=True), TagChange("PII", added=True, field="id"))


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def event(position, subject, kind, minutes=0.0, source="api"):
    return Event(
        position, subject, UUID(int=1), kind, None, at(minutes), at(minutes), "ns", None, None, source, None,
        b"%16d" % position, None, b"%d" % position,
    )  # fmt: skip


def defined(position=1, definition=DEFINED, tags=PII):
    return dataset_registers_of(
        event(position, Subject.DATASET, Kind.DEFINED), NAME, Role.COMMAND, definition=definition, tags=tags
    )


def written(position, minutes, **facts):
    return dataset_registers_of(
        event(position, Subject.RUN, Kind.FACTS, minutes, "openlineage"), NAME, Role.WRITTEN, DatasetFacts(**facts)
    )


def untagged(position, *changes):
    return dataset_registers_of(event(position, Subject.DATASET, Kind.UNTAGGED), NAME, Role.COMMAND, tags=changes)


def deleted(position):
    return dataset_registers_of(event(position, Subject.DATASET, Kind.DELETED), NAME, Role.COMMAND)


AGAIN = DEFINED._replace(at=at(9), digest=b"y")
AFTERWARDS = {
    "nothing": ([], UNCHANGED),
    "a read": ([dataset_registers_of(event(2, "run", "facts", 1, "openlineage"), NAME, Role.READ)], UNCHANGED),
    "a write that tells nothing": ([written(2, 1)], UNCHANGED),
    "an earlier schema that came late": ([written(2, -5, facets={"schema": b"{}"})], UNCHANGED),
    "another facet": ([written(2, 1, facets={"ownership": b"{}"})], UNCHANGED),
    "a later schema": ([written(2, 1, facets={"schema": b"{}"})], APPEND),
    "a later description": ([written(2, 1, facets={"documentation": b"{}"})], APPEND),
    "a later source": ([written(2, 1, facets={"dataSource": b"{}"})], APPEND),
    "it was dropped": ([written(2, 1, lifecycle="DROP")], APPEND),
    "it was deleted": ([deleted(2)], APPEND),
    "it was deleted and named again": ([deleted(2), written(3, 1)], UNCHANGED),
    "the tag was removed": ([untagged(2, TagChange("PII", added=False))], APPEND),
    "the tag of a field was removed": ([untagged(2, TagChange("PII", added=False, field="id"))], APPEND),
    "another definition": ([defined(2, DEFINED._replace(at=at(1), physical_name="other"))], APPEND),
    "another definition without a description": ([defined(2, AGAIN._replace(at=at(1), description=None))], UNCHANGED),
    "another description": ([defined(2, AGAIN._replace(at=at(1), description="else"))], APPEND),
}


@pytest.mark.parametrize("what", AFTERWARDS)
def test_a_definition_again_records_nothing_unless_the_dataset_is_shown_otherwise(what):
    history, expected = AFTERWARDS[what]
    assert DefineDataset(AGAIN, PII).decide(reduce(merge_datasets, history, defined())) is expected


@pytest.mark.parametrize(
    "change",
    [
        {"type": "STREAM"},
        {"physical_name": "x"},
        {"source": "x"},
        {"fields": ()},
        {"fields": (DatasetField("id", "INT", "the id"),)},
        {"schema_location": "http://x"},
        {"run": UUID(int=7)},
        {"description": "x"},
    ],
    ids=str,
)
def test_any_other_definition_is_recorded(change):
    assert DefineDataset(AGAIN._replace(**change)).decide(defined()) is APPEND
    assert DefineDataset(AGAIN._replace(description=None)).decide(defined()) is UNCHANGED
    assert DefineDataset(AGAIN).decide(None) is APPEND


def source_history(*parts):
    return reduce(merge_sources, parts)


def a_source(position, url="postgres://u:secret@h/db", description=None, minutes=0.0):
    definition = define_source(at(minutes), b"%d" % position, "s", "PG", url, description)
    return source_registers_of(event(position, Subject.SOURCE, Kind.DEFINED, minutes), "s", definition)


def told(position, url, minutes):
    return source_registers_of(event(position, Subject.RUN, Kind.FACTS, minutes, "openlineage"), "s", told_url=url)


def test_a_source_is_recorded_again_when_something_of_it_changes_also_a_password_that_is_not_shown():
    first = a_source(1)
    again = DefineSource(a_source(9).definition)
    assert again.decide(None) is APPEND
    assert again.decide(first) is UNCHANGED
    assert DefineSource(a_source(9, "postgres://u:changed@h/db").definition).decide(first) is APPEND
    assert DefineSource(a_source(9, description="d").definition).decide(first) is APPEND
    assert again.decide(source_history(first, told(2, "postgres://u:***@h/db", 1))) is UNCHANGED
    assert again.decide(source_history(first, told(2, "postgres://elsewhere/db", 1))) is APPEND
    assert again.decide(source_history(first, told(2, "postgres://elsewhere/db", -1))) is UNCHANGED
    assert again.decide(told(1, "postgres://u:***@h/db", 0)) is APPEND


def test_a_tag_is_recorded_again_when_its_description_changes():
    tag = tag_registers_of(event(1, Subject.TAG, Kind.DEFINED), "t", TagDefinition(NOON, b"1", "t", "d"))
    used = tag_registers_of(event(1, Subject.DATASET, Kind.TAGGED), "t")
    assert [DefineTag(None).decide(state) for state in (None, used, tag)] == [APPEND, UNCHANGED, UNCHANGED]
    assert [DefineTag("d").decide(state) for state in (None, used, tag)] == [APPEND, APPEND, UNCHANGED]
    assert DefineTag("e").decide(tag) is APPEND


changes = st.builds(
    TagChange, st.sampled_from(["PII", "pii", "ü"]), st.booleans(), st.none() | st.sampled_from(["id", "email"])
)


@given(st.lists(changes, max_size=8))
def test_a_tag_that_is_there_or_gone_already_is_not_recorded(history):
    """Also for jobs, which have no fields."""
    dataset, job = None, None
    there: set[tuple[str | None, str]] = set()
    for position, change in enumerate(history, 1):
        expected = UNCHANGED if ((change.field, change.tag) in there) is change.added else APPEND
        assert ChangeTag(change).decide(dataset) is expected
        if change.field is None:
            assert ChangeTag(change).decide(job) is expected
        (there.add if change.added else there.discard)((change.field, change.tag))
        kind = Kind.TAGGED if change.added else Kind.UNTAGGED
        part = dataset_registers_of(event(position, Subject.DATASET, kind), NAME, Role.COMMAND, tags=(change,))
        dataset = part if dataset is None else merge_datasets(dataset, part)
        job_part = job_registers_of(event(position, Subject.JOB, kind), tags=(change,))
        job = job_part if job is None else merge_jobs(job, job_part)


def test_more_tags_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_TAGS", 2)
    monkeypatch.setattr(module, "MAX_FIELD_TAGS", 1)
    state = defined(tags=(TagChange("a", added=True), TagChange("b", added=False), PII[1]))
    assert ChangeTag(TagChange("c", added=True)).decide(state) is FULL
    assert ChangeTag(TagChange("c", added=False)).decide(state) is UNCHANGED
    assert ChangeTag(TagChange("b", added=True)).decide(state) is APPEND
    assert ChangeTag(TagChange("PII", added=True, field="email")).decide(state) is FULL
    assert ChangeTag(TagChange("PII", added=False, field="id")).decide(state) is APPEND
    assert DefineDataset(AGAIN, (TagChange("c", added=True),)).decide(state) is FULL
    assert DefineDataset(AGAIN, (TagChange("x", added=True), *PII)).decide(None) is APPEND
    assert DefineDataset(AGAIN, tuple(TagChange(tag, added=True) for tag in "abc")).decide(None) is FULL
