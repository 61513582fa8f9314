"""An export is compared with the ledger record by record: the head beside a file can be altered together with it."""

import asyncio
import csv
import json
from hashlib import sha256
from uuid import UUID

import pytest
from building import fact, facts, unguarded
from click.testing import CliRunner
from partitions import LATER, RUNS, fill, time_of

from service.audit import saved_heads
from service.audit.export_comparison import _chain_fields
from service.audit.exported_records import csv_columns, json_columns
from service.audit.filters import EventFilters
from service.audit.hash_chain import ChainRow
from service.cli.main import cli
from service.database.statements import load
from service.domain.event import RunState
from service.ledger.events import append_events
from service.maintenance.archive import archive_payloads
from service.maintenance.erase import erase_payloads

FORMATS = ("ndjson", "csv", "parquet")
FILTERED = ("--namespace", 'odd\nname, "quoted"\r\x1b \u00e9\U0001f600', "--state", "RUNNING")
SPACED = '{\n "eventTime": "2024-01-01T00:00:00Z", "producer": "p",\r\n "run": {"runId": "%s"},\n "job": {}}'


async def call(*arguments):
    """Commands have a loop of their own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, [str(argument) for argument in arguments])


async def export(dsn, file, *arguments):
    result = await call("export", "--database-url", dsn, "--output", file, *arguments)
    assert result.exit_code == 0, result.output


async def verify(dsn, file):
    return await call("verify", "--database-url", dsn, "--against", file)


@pytest.fixture
async def filled(dsn, connections):
    """Thirty events, of which every second has names that every format must quote."""
    drafts = facts(30)
    odd = {"namespace": FILTERED[1], "job": "", "actor": '"'}
    drafts = [draft._replace(**odd) if number % 2 else draft for number, draft in enumerate(drafts)]
    await append_events(connections, drafts, [None] * len(drafts))
    return dsn


def read_rows(file, form):
    if form == "ndjson":
        return [json.loads(line) for line in file.read_bytes().splitlines()]
    if form == "csv":
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    return pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()


def forge(file, form, change):
    """Change the rows of an export, and the head beside it accordingly."""
    if form == "parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(file)
        parquet.write_table(arrow.Table.from_pylist(change(table.to_pylist()), schema=table.schema), file)
    else:
        lines = file.read_bytes().split(b"\n{" if form == "ndjson" else b"\n0,")
        first = 0 if form == "ndjson" else 1
        changed = lines[:first] + change(lines[first:])
        file.write_bytes((b"\n{" if form == "ndjson" else b"\n0,").join(changed))
    head = saved_heads.head_path(file)
    document = json.loads(head.read_text())
    document["sha256"] = sha256(file.read_bytes()).hexdigest()
    document["events"] = len(read_rows(file, form))
    head.write_text(json.dumps(document))


def alter(row):
    if isinstance(row, bytes):
        return row.replace(b"RUNNING", b"ABORTED", 1)
    return row | {"state": "ABORTED"}


def alter_payload(row):
    if isinstance(row, bytes):
        return row.replace(b"tests", b"forge", 1)
    return row | {"payload": row["payload"].replace("tests", "forge")}


@pytest.mark.parametrize("form", FORMATS)
async def test_names_with_line_breaks_are_exact_and_empty_is_not_missing(filled, client, tmp_path, form):
    file = tmp_path / "export"
    await export(filled, file, "--format", form)
    rows = read_rows(file, form)
    assert [row["namespace"] for row in rows[:30]] == ["etl", FILTERED[1]] * 15
    assert rows[1]["job"] == ""
    if form == "csv":
        answered = await (await client.get("/api/v1/events", headers={"Accept": "text/csv"})).read()
        assert answered == file.read_bytes()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("filters", [(), FILTERED, ("--since", "2020-01-01", "--run", RUNS[0])])
async def test_the_proof_names_the_file_the_filters_and_the_number_of_records(
    filled, connections, tmp_path, form, filters
):
    run = [fact(RUNS[0], RunState.RUNNING, 1), fact(RUNS[0], None, 2)]
    await append_events(connections, run, [None, None])
    file = tmp_path / "export"
    await export(filled, file, "--format", form, *filters)
    await append_events(connections, facts(2), [None, None])
    result = await verify(filled, file)
    assert result.exit_code == 0, result.output
    document = json.loads(saved_heads.head_path(file).read_text())
    assert f"each of its {document['events']} records was compared" in result.output
    assert str(file) in result.output
    assert ("all events" in result.output) is (not filters)
    if filters == FILTERED:
        assert document["filters"] == {"namespace": FILTERED[1], "states": ["RUNNING"]}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows[:2], alter(rows[2]), *rows[3:]],
        lambda rows: [*rows[:2], alter_payload(rows[2]), *rows[3:]],
        lambda rows: rows[:2] + rows[3:],
        lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]],
        lambda rows: [*rows[:2], rows[1], *rows[2:]],
    ],
    ids=["altered", "payload", "removed", "swapped", "doubled"],
)
async def test_a_forged_export_is_found_whatever_its_filter_and_format(filled, tmp_path, form, change):
    for filters in ((), FILTERED):
        file = tmp_path / f"export{len(filters)}"
        await export(filled, file, "--format", form, *filters)
        forge(file, form, change)
        result = await verify(filled, file)
        assert result.exit_code == 1, result.output
        assert "was altered" in result.output


async def test_filters_of_a_head_are_read_back_as_they_were():
    filters = EventFilters("a", None, UUID(int=1), ("transition",), ("NEW", "RUNNING"), "x", ("cli",), LATER, LATER)
    document = json.loads(json.dumps(saved_heads.filters_as_json(filters)))
    assert saved_heads.filters_from_json(document) == filters
    for wrong in ({"name": "x"}, {"kinds": [1]}, {"run": "x"}, {"since": "2024-01-01"}):
        with pytest.raises((ValueError, TypeError)):
            saved_heads.filters_from_json(wrong)


@pytest.mark.parametrize("form", FORMATS)
async def test_an_export_holds_after_its_payloads_were_archived_or_erased(dsn, db, connections, tmp_path, form):
    await fill(db, connections)
    before, after = tmp_path / "before", tmp_path / "after"
    await export(dsn, before, "--format", form)
    await archive_payloads(dsn, await time_of(db, 21), tmp_path)
    await erase_payloads(dsn, 23, "article 17")
    await export(dsn, after, "--format", form)
    for file in (before, after):
        assert (await verify(dsn, file)).exit_code == 0
    forge(before, form, lambda rows: [*rows[:2], alter_payload(rows[2]), *rows[3:]])
    assert (await verify(dsn, before)).exit_code in {1, 3}


async def test_a_payload_that_left_and_had_line_breaks_cannot_be_compared_in_lines(dsn, connections, tmp_path):
    payload = SPACED % RUNS[0]
    draft = fact(RUNS[0], None, 1)._replace(payload=payload, payload_digest=sha256(payload.encode()).digest())
    await append_events(connections, [draft], [None])
    lines, table = tmp_path / "lines", tmp_path / "table"
    await export(dsn, lines)
    await export(dsn, table, "--format", "csv")
    for file in (lines, table):
        assert (await verify(dsn, file)).exit_code == 0
    await erase_payloads(dsn, 1, "article 17")
    assert (await verify(dsn, table)).exit_code == 0
    result = await verify(dsn, lines)
    assert result.exit_code == 3
    assert "The payloads of positions 1 could not be compared" in result.output


async def test_events_that_forged_postings_leave_out_are_missed_in_the_export(dsn, db, connections, tmp_path):
    await append_events(connections, facts(5), [None] * 5)
    await db.execute("insert into runfold.event_postings values (0, 0, 0, 0, 8192, '')")  # posted, and without events
    file = tmp_path / "export"
    await export(dsn, file, "--namespace", "etl")
    assert not file.read_bytes()
    result = await verify(dsn, file)
    assert result.exit_code == 1, result.output
    assert "record 1 is not the event of position 1" in result.output


@pytest.mark.usefixtures("filled")
async def test_columns_are_written_as_the_database_writes_them(connections, client):
    """The two texts are written by SQL for exports, and in Python for their verification."""
    rows = [ChainRow(*_chain_fields(row)) for row in await connections.fetch(load("verify_events"), 0, 1, 30)]
    lines = (await (await client.get("/api/v1/events", headers={"Accept": "application/x-ndjson"})).read()).splitlines()
    for row, line in zip(rows, lines[:30], strict=True):
        assert line.startswith(json_columns(row))
    answered = await (await client.get("/api/v1/events", headers={"Accept": "text/csv"})).read()
    for row in rows:
        assert b"\n" + csv_columns(row) + b'"' in answered


async def test_a_ledger_altered_since_is_found_by_its_export(filled, db, tmp_path):
    file = tmp_path / "export"
    await export(filled, file, *FILTERED)
    await unguarded(db, "update runfold.payloads set body = '{}' where position = 2")
    assert (await verify(filled, file)).exit_code == 1
