"""What events tell of datasets and lineage is in the tables, whatever the pages in which it was projected."""

import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from lineage_events import columns, dataset, dataset_event, job_event, project, record, run_event

from service.domain.dataset_definitions import DatasetField
from service.domain.dataset_versions import dataset_version_id, job_version_id
from service.domain.event import DatasetName, JobName
from service.domain.ids import dataset_id, job_id
from service.lineage.changes import NO_JOB
from service.lineage.projection import pseudo_run
from service.lineage.statements import TABLES
from service.lineage.stored import (
    unpack_dataset,
    unpack_job_entry,
    unpack_mapping,
    unpack_run_datasets,
    unpack_source,
    unpack_tag,
    unpack_version,
)

RUN, OTHER_RUN = UUID(int=1 << 100), UUID(int=2 << 100)
_UNPACK = {
    "datasets": unpack_dataset,
    "run_datasets": unpack_run_datasets,
    "column_mappings": unpack_mapping,
    "sources": unpack_source,
    "tags": unpack_tag,
    "dataset_versions": unpack_version,
    "search_entries": unpack_job_entry,
}


def name(text, namespace="ds"):
    return DatasetName(namespace, text)


def noon(minutes):
    return datetime(2024, 1, 1, 12, minutes, tzinfo=UTC)


async def edges(db):
    """Return the current edges by job: inputs and outputs."""
    rows = await db.fetch(
        "select j.name as job, e.direction, d.name from runfold.lineage_edges e"
        " join runfold.search_entries j on j.kind = 0 and j.id = e.job_id"
        " join runfold.datasets d on d.id = e.dataset_id"
        " where e.current order by 1, 2, 3"
    )
    found = {}
    for row in rows:
        found.setdefault(row["job"], ([], []))[row["direction"]].append(row["name"])
    return found


async def registers(db, text):
    return unpack_dataset(
        await db.fetchval("select registers from runfold.datasets where id = $1", dataset_id("ds", text))
    )


async def versions(db, text):
    rows = await db.fetch(
        "select version, created_at, position from runfold.dataset_versions where dataset_id = $1 order by created_at",
        dataset_id("ds", text),
    )
    return [tuple(row) for row in rows]


def canonical(value):
    """Return registers with their maps in order: the order of merges decides how they are stored."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, tuple):
        parts = map(canonical, value)
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


def unpacked(unpack, column, value):
    return canonical(unpack(value)) if unpack and column in ("registers", "content") and value is not None else value


async def contents(db):
    """Return all tables, with the registers unpacked."""
    found = {}
    for table in TABLES:
        if table == "lineage_cursor":
            continue
        unpack = _UNPACK.get(table)
        found[table] = sorted(
            repr([unpacked(unpack, key, value) for key, value in row.items()])
            for row in await db.fetch(f"select * from runfold.{table}")
        )
    return found


async def forget(db):
    """Empty all tables, so that everything is projected again."""
    for table in TABLES:
        if table != "lineage_cursor":
            await db.execute(f"delete from runfold.{table}")
    await db.execute("update runfold.lineage_cursor set position = 0")


async def test_a_run_with_an_input_and_an_output_is_in_all_tables(connections, db):
    read = dataset("raw", run_facets={"dataQualityMetrics": {"rowCount": 3}}, schema=columns(id="int"))
    await record(connections, run_event("load", [read], [dataset("clean", schema=columns("a"))], run=RUN))
    await project(connections)
    assert await edges(db) == {"load": (["raw"], ["clean"])}
    raw, clean = (
        dataset_version_id(name(n), [f])
        for n, f in (("raw", DatasetField("id", "int")), ("clean", DatasetField("a", None)))
    )
    assert await versions(db, "raw") == [(raw, noon(0), 1)]
    rows = await db.fetch("select position, role, run_id, version from runfold.dataset_events order by role")
    assert [tuple(row) for row in rows] == [(1, 1, RUN, raw), (1, 2, RUN, clean)]
    (row,) = await db.fetch("select * from runfold.run_datasets")
    assert (row["run_id"], row["job_id"], row["started_at"], row["is_run"]) == (
        RUN,
        job_id("etl", "load"),
        noon(0),
        True,
    )
    assert row["job_version"] == job_version_id(JobName("etl", "load"), [name("raw")], [name("clean")], None)
    run = unpack_run_datasets(row["registers"])
    assert run.inputs[name("raw")].facets["dataQualityMetrics"].value == b'{"rowCount": 3}'
    assert run.outputs[name("clean")].version.version == clean
    words = await db.fetchval("select words from runfold.search_entries where kind = 1 and name = 'clean'")
    assert words == "clean\nds\na"


async def test_edges_stand_from_the_start_on_and_silence_takes_none_away(connections, db):
    await record(connections, run_event("load", ["raw"], [], run=RUN, kind="START", at=1))
    await project(connections)
    assert await edges(db) == {"load": (["raw"], [])}
    await record(connections, run_event("load", [], ["clean"], run=RUN, at=2))
    await record(connections, run_event("load", run=OTHER_RUN, kind="START", at=3))
    await project(connections)
    assert await edges(db) == {"load": (["raw"], ["clean"])}


@pytest.mark.parametrize("page_size", [1, 500])
async def test_the_latest_run_by_its_start_makes_the_edges_and_the_others_stay_known(connections, db, page_size):
    await record(connections, run_event("load", ["a"], ["b"], run=RUN, at=5), run_event("load", ["c"], ["b"], at=3))
    await project(connections, page_size)
    assert await edges(db) == {"load": (["a"], ["b"])}
    await record(connections, run_event("load", ["d"], run=OTHER_RUN, at=9))
    await project(connections, page_size)
    assert await edges(db) == {"load": (["d"], [])}
    rows = await db.fetch("select first_at from runfold.lineage_edges where direction = 1")
    assert [row["first_at"] for row in rows] == [noon(3)]


async def test_a_run_that_turns_out_to_have_begun_earlier_is_not_the_latest_any_more(connections, db):
    await record(connections, run_event("load", ["a"], run=RUN, at=9), run_event("load", ["b"], run=OTHER_RUN, at=5))
    await project(connections)
    assert await edges(db) == {"load": (["a"], [])}
    await record(connections, run_event("load", ["c"], run=RUN, at=1, kind="START"))
    await project(connections)
    assert await edges(db) == {"load": (["b"], [])}


async def test_ten_runs_that_write_one_schema_make_one_version(connections, db):
    output = dataset("t", schema=columns(a="int"))
    await record(connections, *(run_event("load", [], [output], at=9 - n) for n in range(10)))
    await project(connections, 3)
    ((_, created_at, position),) = await versions(db, "t")
    assert (created_at, position) == (noon(0), 1)
    assert (
        await db.fetchval("select count(distinct run_id) from runfold.dataset_events where version is not null") == 10
    )


async def test_symlinks_join_whenever_they_are_told(connections, db):
    await record(connections, run_event("reader", [dataset("db.t", "hive")], at=1), run_event("other", ["x"], at=2))
    await project(connections)
    link = {"identifiers": [{"namespace": "hive", "name": "db.t", "type": "TABLE"}]}
    await record(connections, run_event("writer", [], [dataset("s3/t", symlinks=link, schema=columns("a"))], at=3))
    await project(connections)
    primary = dataset_id("ds", "s3/t")
    rows = await db.fetch("select name, primary_id = $1 as same from runfold.datasets order by name", primary)
    assert [tuple(row) for row in rows] == [("db.t", True), ("s3/t", True), ("x", False)]
    rows = await db.fetch("select name, hidden, words from runfold.search_entries where kind = 1 order by name")
    assert [tuple(row) for row in rows] == [
("s3/t", False, "s3/t\nds\ndb.t\nhive\na"), ("x", False, "x\nds"),
    ]  # fmt: skip


async def test_names_are_one_dataset_through_others(connections, db):
    def linked(first, second):
        return dataset(first, symlinks={"identifiers": [{"namespace": "ds", "name": second}]})

    await record(
        connections, run_event("a", [], [linked("n1", "n2")], at=3), run_event("b", [], [linked("n3", "n4")], at=2)
    )
    await project(connections)
    await record(connections, run_event("c", [], [linked("n2", "n3")], at=9))
    await project(connections)
    rows = await db.fetch("select distinct primary_id from runfold.datasets")
    assert [row[0] for row in rows] == [dataset_id("ds", "n3")]
    assert await db.fetchval("select count(*) from runfold.search_entries where kind = 1 and not hidden") == 1


async def test_events_of_jobs_and_datasets_count_too(connections, db):
    mapping = {"fields": {"a": {"inputFields": [{"namespace": "ds", "name": "raw", "field": "x"}]}}}
    source = {"name": "dw", "uri": "postgres://u:secret@h/db"}
    tags = {"tags": [{"key": "gold"}]}
    await record(
        connections,
        job_event("nightly", ["raw"], [dataset("clean", columnLineage=mapping)]),
        dataset_event("clean", dataSource=source, tags=tags, columnLineage={"fields": {}}, schema=columns("a"), at=1),
    )
    await project(connections)
    assert await edges(db) == {"nightly": (["raw"], ["clean"])}
    (row,) = await db.fetch("select run_id, is_run from runfold.run_datasets")
    assert tuple(row) == (pseudo_run(1), False)
    rows = await db.fetch("select role, run_id, version is null from runfold.dataset_events order by position, role")
    assert [tuple(row) for row in rows] == [(17, None, True), (18, None, True), (4, None, False)]
    rows = await db.fetch("select job_id, registers from runfold.column_mappings order by position")
    assert [row["job_id"] for row in rows] == [job_id("etl", "nightly"), NO_JOB]
    assert await db.fetchval("select input_id from runfold.column_inputs") == dataset_id("ds", "raw")
    stored = unpack_source(await db.fetchval("select registers from runfold.sources"))
    assert (stored.name, stored.connection_url) == ("dw", "postgres://u:***@h/db")
    assert await db.fetchval("select name from runfold.tags") == "gold"
    assert b"secret" not in await db.fetchval("select registers from runfold.sources")


async def test_a_later_mapping_of_a_writer_replaces_the_one_before_and_silence_does_not(connections, db):
    def mapped(*inputs):
        return dataset("t", columnLineage={"fields": {"a": {"inputFields": [
            {"namespace": "ds", "name": each, "field": "x"} for each in inputs]}}})  # fmt: skip

    await record(connections, run_event("load", [], [mapped("one", "two")], at=1))
    await project(connections)
    await record(connections, run_event("load", [], [mapped("three")], at=3), run_event("load", [], ["t"], at=4))
    await record(connections, run_event("load", [], [mapped("four")], at=2))
    await record(connections, run_event("reader", [mapped("five")], [], at=5))
    await project(connections)
    rows = await db.fetch("select input_id from runfold.column_inputs")
    assert [row[0] for row in rows] == [dataset_id("ds", "three")]


NAMES, RUNS = ["a", "b", "c", "d"], [UUID(int=n << 90) for n in range(1, 5)]


def _facets(chance, at):
    """Return facets of a dataset, of all kinds."""
    column = {"namespace": "ds", "name": chance.choice(NAMES), "field": "y"}
    facets = {
        "schema": columns(chance.choice("xy"), z=chance.choice(["int", "text"])),
        "symlinks": {"identifiers": [{"namespace": "ds", "name": chance.choice(["b", "e", "f"])}]},
        "documentation": {"description": chance.choice("pq")},
        "columnLineage": {"fields": {"x": {"inputFields": [column]}}},
        "dataSource": {"name": chance.choice("st"), "uri": f"s3://{at}"},
        "lifecycleStateChange": {"lifecycleStateChange": chance.choice(["DROP", "CREATE"])},
    }
    return {name: facet for name, facet in facets.items() if chance.random() < 0.3}


def _mixed(chance):
    """Return events of few jobs, runs and datasets that tell all kinds of things, each at a time of its own."""
    events = []
    for at in range(30):
        some = [
            dataset(chance.choice(NAMES), run_facets={"o": {"n": at}}, **_facets(chance, at))
            for _ in range(chance.randint(0, 4))
        ]
        kind, job = chance.random(), chance.choice("jk")
        if kind < 0.15:
            events.append(dataset_event("a", at=at, **_facets(chance, at)))
        elif kind < 0.3:
            events.append(job_event(job, some[:2], some[2:], at=at))
        else:
            state = chance.choice(["START", "RUNNING", "COMPLETE", "FAIL"])
            of_job = {
                "sourceCodeLocation": {"url": chance.choice("uv")},
                "documentation": {"description": f"job as of {at}"},
                "tags": {"tags": [{"key": chance.choice("st"), "value": "true"}]},
            }
            of_job = {name: facet for name, facet in of_job.items() if chance.random() < 0.7}
            events.append(run_event(job, some[:2], some[2:], at=at, run=chance.choice(RUNS), kind=state, **of_job))
    return events


@pytest.mark.parametrize("seed", range(3))
async def test_pages_of_any_size_make_the_same_tables(connections, db, seed):
    await record(connections, *_mixed(random.Random(seed)))  # noqa: S311
    found = []
    for page_size in (500, 1, 7):
        await forget(db)
        await project(connections, page_size)
        found.append(await contents(db))
    for table in found[0]:
        if table != "event_type_counts":  # whose rows have versions
            assert found[0][table] == found[1][table] == found[2][table], table


async def test_an_event_of_ten_thousand_datasets_and_one_of_five_thousand_columns(connections, db):
    many = [dataset(f"t{n}") for n in range(10_000)]
    wide = dataset("wide", schema=columns(*(f"c{n}" for n in range(5_000))))
    await record(connections, run_event("load", many, [wide], run=RUN))
    await project(connections)
    assert await db.fetchval("select count(*) from runfold.lineage_edges where current") == 10_001
    assert len(unpack_version(await db.fetchval("select content from runfold.dataset_versions")).fields) == 5_000


ERASE = "select * from runfold.erase_payloads(0, $1, 'a law', 'somebody')"


@pytest.mark.parametrize("seed", range(4))
async def test_after_an_erasure_the_tables_are_those_of_a_ledger_without_the_payload(connections, db, seed):
    """But for the names of sources and tags, and the numbers of STARTs: only a rebuild forgets these."""
    await record(connections, *_mixed(random.Random(seed)))  # noqa: S311
    await project(connections)
    chance = random.Random(seed)  # noqa: S311
    for position in chance.sample(range(1, 31), 6):
        await db.execute(ERASE, [position])
    await project(connections, chance.choice([1, 500]))
    left = await contents(db)
    await forget(db)
    await project(connections)
    anew = await contents(db)
    for table in anew.keys() - {"sources", "tags", "event_type_counts", "lineage_namespaces"}:
        assert left[table] == anew[table], table


async def test_nothing_of_an_erased_payload_is_left(connections, db):
    facets = {"schema": columns("salary"), "documentation": {"description": "salaries"}, "ownership": {"owners": []}}
    secret = [dataset("secret", **facets), dataset("kept", **facets)]
    await record(connections, run_event("load", ["raw"], secret, run=RUN), run_event("other", [], ["kept"], at=5))
    await project(connections)
    await db.execute(ERASE, [1])
    await project(connections)
    left = str(await contents(db))
    assert "kept" in left
    for text in ("salary", "salaries", "owners", "secret", "raw"):
        assert text not in left


async def test_erasing_events_of_two_jobs_of_one_run_takes_the_edges_of_both(connections, db):
    first, second = run_event("j", ["a"], [], run=RUN, at=1), run_event("k", ["b"], ["c"], run=RUN, at=2)
    await record(connections, first, second, run_event("k", [], ["c"], at=3))
    await project(connections)
    await db.execute(ERASE, [1, 2])
    await project(connections)
    rows = await db.fetch("select first_at, current from runfold.lineage_edges")
    assert [tuple(row) for row in rows] == [(noon(3), True)]


async def test_an_erasure_leaves_a_job_what_other_events_tell_of_it(connections, db):
    of_job = [{"documentation": {"description": text}, "tags": {"tags": [{"key": text}]}} for text in ("old", "new")]
    events = [run_event("j", at=at, **facets) for at, facets in enumerate([*of_job, of_job[0]])]
    await record(connections, *events)
    await project(connections)
    await db.execute(ERASE, [3])
    await db.execute(ERASE, [2])
    await project(connections)
    entry = unpack_job_entry(await db.fetchval("select registers from runfold.search_entries where kind = 0"))
    assert entry.description.text == "old"
    assert list(entry.tags) == ["old"]
