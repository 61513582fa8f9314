"""Datasets, their versions, what runs read and write, column mappings, sources and tags: registers like a run's."""

from datetime import datetime
from functools import reduce
from typing import NamedTuple

import msgspec
import pytest
from histories import RUN, at, facets, times
from hypothesis import given
from hypothesis import strategies as st

from service.domain import run_datasets
from service.domain.column_mapping import InputColumn, MappedColumn, MappedColumns, column_mapping_of, merge_mappings
from service.domain.dataset import (
    DatasetFacts,
    DatasetRegisters,
    Role,
    claim_of,
    dataset_registers_of,
    merge_datasets,
)
from service.domain.dataset_definitions import DatasetDefinition, DatasetField, TagDefinition, define_source
from service.domain.dataset_versions import (
    ToldVersion,
    dataset_version_id,
    job_version_id,
    merge_versions,
    schema_version_id,
    version_defined_by,
    version_told_by,
)
from service.domain.event import DatasetName, Event, JobName, RunState
from service.domain.registers import FACET_LIMITS, phase_of
from service.domain.run_datasets import (
    Moment,
    RunDatasets,
    RunMoment,
    merge_run_datasets,
    run_datasets_of,
)
from service.domain.sources_and_tags import (
    SourceRegisters,
    TagRegisters,
    merge_sources,
    merge_tag_registers,
    source_registers_of,
    tag_registers_of,
)
from service.domain.tags import TagChange, present

ORDERS = DatasetName("ds", "orders")
OTHERS = [ORDERS, DatasetName("ds", "customers"), DatasetName("a", "b:c")]
STATES = st.sampled_from([None, RunState.RUNNING, RunState.COMPLETED, RunState.FAILED])


class Told(NamedTuple):
    """An event, and what it tells of the dataset."""

    event: Event
    role: Role
    facts: DatasetFacts
    definition: DatasetDefinition | None = None
    tags: tuple[TagChange, ...] = ()

    def registers(self) -> DatasetRegisters:
        return dataset_registers_of(self.event, ORDERS, self.role, self.facts, self.definition, self.tags)


def run_dataset_of(event, facets, version):
    return RunMoment.of(event).dataset(facets, version)


fields = st.lists(
    st.builds(DatasetField, st.sampled_from("ab"), st.sampled_from([None, "int", "INT"]), st.none() | st.just("x")),
    max_size=2,
    unique_by=lambda field: field.name,
).map(tuple)
tag_changes = st.lists(
    st.builds(TagChange, st.sampled_from(["PII", "gold"]), st.booleans(), st.none() | st.sampled_from("ab")), max_size=2
).map(tuple)
column = st.builds(InputColumn, st.just("ds"), st.sampled_from(["orders", "raw"]), st.sampled_from("ab"))
mappings = st.builds(
    MappedColumns, st.dictionaries(st.sampled_from("ab"), st.builds(MappedColumn, st.tuples(column)), max_size=2)
)
facts = st.builds(
    DatasetFacts,
    facets=facets,
    fields=st.none() | fields,
    source=st.none() | st.sampled_from("st"),
    source_url=st.none() | st.just("s3://b"),
    description=st.none() | st.sampled_from("de"),
    lifecycle=st.sampled_from([None, "DROP", "CREATE"]),
    links=st.sampled_from([(), (OTHERS[1],)]),
    tags=tag_changes,
    mapping=st.none() | mappings,
)


def event(position, time, kind="transition", state=None, subject="run"):
    digest = repr((position, time)).encode()
    return Event(
        *(position, subject, RUN, kind, state, time, at(position), "etl", "load", None, "openlineage"),
        *(None, digest, None, digest),
    )


@st.composite
def one_event(draw, position):
    time = draw(times)
    kind = draw(st.sampled_from(["transition", "transition", "facts", "defined", "deleted", "tagged"]))
    if kind == "transition":
        role = draw(st.sampled_from([Role.READ, Role.WRITTEN, Role.READ | Role.WRITTEN]))
        return Told(event(position, time, state=draw(STATES)), role, draw(facts))
    if kind == "facts":
        return Told(event(position, time, kind, subject="dataset"), Role.DATASET_EVENT, draw(facts))
    own = event(position, time, kind, subject="dataset")
    definition = None
    if kind == "defined":
        text = st.none() | st.sampled_from("xy")
        definition = DatasetDefinition(time, own.fact, "DB_TABLE", "p", draw(st.sampled_from("st")), draw(fields))
        definition = definition._replace(description=draw(text), schema_location=draw(text))
    changes = draw(tag_changes) if kind == "tagged" else ()
    return Told(own, Role.COMMAND, DatasetFacts(), definition, changes)


@st.composite
def histories(draw):
    return [draw(one_event(position)) for position in range(1, draw(st.integers(1, 6)) + 1)]


def version_of(told):
    event = told.event  # as if all told the same version
    stamp = event.transitioned_at, phase_of(event), event.payload_digest or event.fact
    return ToldVersion(event.transitioned_at, event.position, stamp, ORDERS, event, told.definition or told.facts)


def run_of(told):
    found = run_dataset_of(told.event, told.facts.facets, version_told_by(ORDERS, told.facts))
    names = [name for name in OTHERS if len(name.name) % (1 + told.event.position) < 2] or OTHERS[:1]
    return run_datasets_of(told.event, dict.fromkeys(names, found), {ORDERS: found} if told.role & 2 else {}, "git://x")


def source_of(told):
    time, digest = told.event.transitioned_at, told.event.fact
    definition = define_source(time, digest, "s", "t", "url", None) if told.definition else None
    return source_registers_of(told.event, "s", definition, told.facts.source_url)


def tag_of(told):
    definition = told.definition and TagDefinition(
        told.definition.at, told.event.fact, "t", told.definition.description
    )
    return tag_registers_of(told.event, "t", definition)


REGISTERS = pytest.mark.parametrize(
    ("part", "merge", "type_"),
    [
        (Told.registers, merge_datasets, DatasetRegisters),
        (version_of, merge_versions, None),
        (run_of, merge_run_datasets, RunDatasets),
        (lambda told: column_mapping_of(told.event, told.facts.mapping or MappedColumns()), merge_mappings, None),
        (source_of, merge_sources, SourceRegisters),
        (tag_of, merge_tag_registers, TagRegisters),
    ],
    ids=["datasets", "versions", "runs", "mappings", "sources", "tags"],
)


@REGISTERS
@given(history=histories(), data=st.data())
def test_order_duplicates_and_splits_change_nothing(part, merge, type_, history, data):
    parts = [part(told) for told in history]
    whole = reduce(merge, parts)
    some = st.lists(st.sampled_from(parts), min_size=1, max_size=4)
    one, two, three = (reduce(merge, data.draw(some)) for _ in range(3))
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, two) == merge(two, one)
    assert merge(one, one) == one
    shuffled = data.draw(st.permutations([*parts, *data.draw(st.lists(st.sampled_from(parts), max_size=4))]))
    assert reduce(merge, shuffled) == whole
    if type_ is not None:
        stored = msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=type_)
        assert stored == whole


@given(histories())
def test_the_primary_name_does_not_depend_on_the_order(history):
    claims = {claim_of(told.registers()) for told in history}
    assert min(claims).is_alias_only is all(not told.facts.links for told in history)


def dataset(*history):
    return reduce(merge_datasets, (told.registers() for told in history))


def written(position, minutes, role=Role.WRITTEN, **told):
    return Told(event(position, at(minutes)), role, DatasetFacts(**told))


def test_a_silent_event_takes_nothing_away_and_a_deleted_facet_goes():
    told = written(1, 1, facets={"schema": b"{}", "documentation": b"{}"})
    found = dataset(told, written(2, 2), written(3, 3, facets={"schema": None}))
    assert {name: facet.value for name, facet in found.facets.items()} == {"schema": None, "documentation": b"{}"}


def test_a_reader_changes_no_facet_that_a_writer_told():
    found = dataset(
        written(1, 1, facets={"version": b"2"}), written(2, 5, Role.READ, facets={"version": b"1", "other": b"3"})
    )
    assert {name: facet.value for name, facet in found.known_facets.items()} == {"version": b"2", "other": b"3"}


def test_a_dropped_dataset_comes_back_by_a_later_write_and_never_by_a_read():
    dropped = [written(1, 1), written(2, 3, lifecycle="DROP")]
    assert dataset(*dropped).is_dropped
    assert dataset(*dropped, written(3, 2)).is_dropped
    assert dataset(*dropped, written(3, 9, Role.READ)).is_dropped
    assert not dataset(*dropped, written(3, 4)).is_dropped


def test_a_deleted_dataset_is_hidden_until_an_event_names_it():
    deleted = Told(event(2, at(2), "deleted", subject="dataset"), Role.COMMAND, DatasetFacts())
    assert dataset(written(1, 1), deleted).hidden
    assert not dataset(written(1, 1), deleted, written(3, 0, Role.READ)).hidden


def test_tags_are_those_of_the_last_change():
    gold = TagChange("gold", added=True)
    removed = Told(event(2, at(2), "untagged", subject="dataset"), Role.COMMAND, DatasetFacts())
    found = dataset(written(1, 9, tags=(gold,)), removed._replace(tags=(gold._replace(added=False),)))
    assert present(found.tags) == []
    assert not found.written_at or found.written_at == at(9)


def test_a_put_without_a_description_keeps_the_one_before():
    def put(position, description):
        own = event(position, at(position), "defined", subject="dataset")
        definition = DatasetDefinition(own.transitioned_at, own.fact, "DB_TABLE", "p", "s", (), description)
        return Told(own, Role.COMMAND, DatasetFacts(), definition)

    assert dataset(put(1, "first"), put(2, None)).description.text == "first"


# --- versions ---


def test_the_versions_are_those_of_marquez_without_the_run():
    """A version that Marquez 0.51.1 gave to a run's output; there, the id of the run follows the lifecycle state."""
    columns = (DatasetField("id", "int"), DatasetField("email", "varchar"))
    run = "e5e3b653-3b95-5c1d-a390-f54bdcb68857"
    version = dataset_version_id(DatasetName("ds", "clean.orders"), columns, lifecycle_state=f":{run}")
    assert str(version) == "9de870e0-832b-376e-a978-d0841ea37045"
    silent = DatasetName("ds", "merge.t")
    version = dataset_version_id(silent, (), lifecycle_state=":b904c587-1286-5a2b-8bb2-0e7c45b000c6")
    assert str(version) == "20879de4-0cc0-314c-95ea-e480ec0ca570"


def test_the_order_of_fields_and_the_case_of_types_make_no_version():
    one, two = (DatasetField("a", "int", "the a"), DatasetField("b", None)), (DatasetField("b", None),)
    assert dataset_version_id(ORDERS, one) == dataset_version_id(ORDERS, (two[0], DatasetField("a", "INT", "the a")))
    assert dataset_version_id(ORDERS, one) != dataset_version_id(ORDERS, two)
    assert dataset_version_id(ORDERS, one) != dataset_version_id(ORDERS, (DatasetField("a", "int"), two[0]))
    assert schema_version_id(ORDERS, one) == schema_version_id(ORDERS, (DatasetField("a", "int"), two[0]))


def test_an_event_tells_a_version_only_with_a_schema():
    assert version_told_by(ORDERS, DatasetFacts(description="x")) is None
    told = version_told_by(ORDERS, DatasetFacts(fields=()))
    assert told == dataset_version_id(ORDERS, ())
    assert told != version_told_by(ORDERS, DatasetFacts(fields=(), lifecycle="CREATE"))
    assert told != version_told_by(ORDERS, DatasetFacts(fields=(), source="dw"))


def test_a_definition_has_a_version_of_its_source_physical_name_and_location():
    defined = DatasetDefinition(at(1), b"", "STREAM", "p", "s", (), "d", "http://x")
    changed = [defined._replace(source="t"), defined._replace(physical_name="q"), defined._replace(schema_location="y")]
    versions = {version_defined_by(ORDERS, one) for one in (defined, defined._replace(description="e"), *changed)}
    assert len(versions) == 4


def test_a_jobs_version_is_made_of_its_datasets_in_any_order_and_its_location():
    job = JobName("etl", "load")
    assert job_version_id(job, OTHERS, [], None) == job_version_id(job, OTHERS[::-1], [], None)
    assert job_version_id(job, OTHERS, [], None) != job_version_id(job, [], OTHERS, None)
    assert job_version_id(job, OTHERS, [], None) != job_version_id(job, OTHERS, [], "git://x")


# --- what runs read and write ---


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), min_size=1, unique_by=lambda pair: pair[1]))
def test_when_a_run_was_known_to_read_a_dataset(pairs):
    moments = [(at(minutes), position) for minutes, position in pairs]
    parts = [run_datasets_of(event(p, t), {ORDERS: run_dataset_of(event(p, t), {}, None)}, {}) for t, p in moments]
    found = reduce(merge_run_datasets, parts).inputs[ORDERS]
    for minutes in range(7):
        for position in range(1, 10):
            known = any(t <= at(minutes) and p <= position for t, p in moments)
            assert found.is_known(at(minutes), position) is known


def test_the_union_of_all_events_makes_the_jobs_version():
    parts = [
        run_datasets_of(event(p, at(p)), {name: run_dataset_of(event(p, at(p)), {}, None)}, {})
        for p, name in enumerate(OTHERS[:2], 1)
    ]
    job = JobName("etl", "load")
    assert reduce(merge_run_datasets, parts).job_version(job) == job_version_id(job, OTHERS[:2], [], None)


def test_the_facets_of_a_runs_datasets_share_a_limit(monkeypatch):
    monkeypatch.setattr(FACET_LIMITS, "size", 100)
    parts = [
        run_datasets_of(event(p, at(p)), {OTHERS[p % 3]: run_dataset_of(event(p, at(p)), {"f": b"x" * size}, None)}, {})
        for p, size in enumerate([70, 20, 60], 1)
    ]
    whole = reduce(merge_run_datasets, parts)
    assert whole == reduce(merge_run_datasets, parts[::-1])
    kept = [facet.value for dataset in whole.inputs.values() for facet in dataset.facets.values()]
    assert sorted(map(len, kept)) == [0, 0, 20]


def test_more_datasets_than_the_limit_are_cut_in_the_same_way_in_any_order(monkeypatch):
    monkeypatch.setattr(run_datasets, "MAX_DATASETS", 2)
    names = [DatasetName("ds", name) for name in "dbca"]
    parts = [
        run_datasets_of(event(p, at(p)), {name: run_dataset_of(event(p, at(p)), {"f": b"x"}, None)}, {})
        for p, name in enumerate(names, 1)
    ]
    whole = reduce(merge_run_datasets, parts)
    assert whole == reduce(merge_run_datasets, parts[::-1])
    assert [name.name for name in sorted(whole.inputs)] == ["a", "b", "c"]
    assert whole.inputs[names[3]].facets == {}


def test_a_moment_before_all_others_is_the_only_one():
    first, last = run_dataset_of(event(1, at(1)), {}, None), run_dataset_of(event(2, at(2)), {}, None)
    parts = [run_datasets_of(event(p, at(p)), {ORDERS: one}, {}) for p, one in ((1, first), (2, last))]
    assert reduce(merge_run_datasets, parts).inputs[ORDERS].moments == (Moment(at(1), 1),)


def test_a_mapping_that_is_recorded_twice_has_its_first_position():
    first, again = (column_mapping_of(event(1, at(1)), MappedColumns())._replace(position=each) for each in (1, 5))
    assert merge_mappings(first, again) == merge_mappings(again, first) == first


# --- sources ---


def test_a_sources_url_is_that_of_the_later_of_a_put_and_a_facet():
    definition = define_source(at(2), b"x", "s", "POSTGRESQL", "postgresql://u:secret@h/db", "text")
    put = source_registers_of(event(1, at(2), "defined", subject="source"), "s", definition)
    told = [source_registers_of(event(2, at(minutes)), "s", None, f"s3://{minutes}") for minutes in (1, 3)]
    assert merge_sources(put, told[0]).connection_url == "postgresql://u:***@h/db"
    assert merge_sources(put, told[1]).connection_url == "s3://3"
    assert isinstance(merge_sources(put, told[1]).updated_at, datetime)
