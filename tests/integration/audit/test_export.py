"""Exports in every format, and what they prove of the ledger afterwards."""

import asyncio
import csv
import json
from hashlib import sha256

import pytest
from building import facts, new
from click.testing import CliRunner
from programs import run

from service.audit.export import ExportFormat
from service.audit.filters import EVERYTHING
from service.cli.commands.export import _write
from service.cli.main import cli
from service.ledger.events import append_events
from service.new_files import new_file

SPACED = b'{\n "args": {"a": "1"}\r\n}'


@pytest.fixture
async def filled(dsn, connections):
    drafts = [new(facts(1)[0].stream, body=SPACED)[0], *facts(30)]
    await append_events(connections, drafts, [None] * len(drafts))
    return dsn


def runfold(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


async def call(*arguments):
    """Commands have a loop of their own."""
    return await asyncio.to_thread(runfold, *arguments)


async def export(dsn, file, *arguments):
    result = await call("export", "--database-url", dsn, "--output", file, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads((file.parent / f"{file.name}.head.json").read_text())


async def verify(dsn, file):
    return await call("verify", "--database-url", dsn, "--against", file)


async def test_lines_are_the_ledger_and_the_head_lies_beside_them(filled, tmp_path):
    file = tmp_path / "events.ndjson"
    head = await export(filled, file)
    events = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [event["position"] for event in events] == list(range(1, 32))
    assert (head["position"], head["hash"]) == (31, events[-1]["hash"])
    assert (head["events"], head["sha256"]) == (31, sha256(file.read_bytes()).hexdigest())
    assert len(list(tmp_path.iterdir())) == 2


async def test_of_two_exports_to_one_file_one_says_that_there_is_another(filled, tmp_path):
    """The file and its head are of one export, whichever that is."""
    file = tmp_path / "events.ndjson"
    arguments = ("export", "--database-url", filled, "--output", file)
    with new_file(file):
        ended = await call(*arguments)
    assert ended.exit_code == 1
    assert ended.output == f"Error: Another process is writing {file}; run this again when it is done.\n"
    assert not list(tmp_path.iterdir())
    programs = await asyncio.gather(
        *(
            run(tmp_path / f"log{number}", *arguments, "--kind", ("facts", "transition")[number % 2])
            for number in range(4)
        )
    )
    for program in programs:
        assert program.status == 0 or f"Another process is writing {file};" in program.errors
    assert 0 in {program.status for program in programs}
    assert (await verify(filled, file)).exit_code == 0
    assert {path.name for path in tmp_path.glob("*events*")} == {file.name, f"{file.name}.head.json"}


def test_an_export_that_is_interrupted_leaves_nothing_behind(tmp_path):
    async def interrupted(file, *_):
        file.write(b"half a line")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(interrupted, tmp_path / "events.ndjson", ExportFormat.NDJSON, EVERYTHING)
    assert not list(tmp_path.iterdir())


async def test_csv_and_parquet_hold_the_same(filled, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    await export(filled, tmp_path / "a.csv", "--format", "csv")
    await export(filled, tmp_path / "a.parquet", "--format", "parquet")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["position"], row["hash"], row["payload"]) for row in rows] == [
        (str(row["position"]), row["hash"], row["payload"] or "") for row in table
    ]


async def test_filters_leave_what_they_name(filled, tmp_path):
    file = tmp_path / "new.ndjson"
    head = await export(filled, file, "--state", "NEW")
    assert len(file.read_bytes().splitlines()) == 1
    assert head["filters"]


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
async def test_the_ledger_begins_with_its_export_then_and_later(filled, connections, tmp_path, form):
    file = tmp_path / "export"
    await export(filled, file, "--format", form)
    assert (await verify(filled, file)).exit_code == 0
    more = facts(3)
    await append_events(connections, more, [None] * 3)
    result = await verify(filled, file)
    assert result.exit_code == 0, result.output


async def test_an_altered_export_is_found_out(filled, tmp_path):
    file = tmp_path / "export"
    await export(filled, file)
    file.write_bytes(file.read_bytes().replace(b"RUNNING", b"ABORTED", 1))
    result = await verify(filled, file)
    assert result.exit_code == 1
    assert "What was saved is not this ledger's beginning: the export was altered" in result.output
    assert "does not hold" not in result.output


async def test_an_export_altered_together_with_its_digest_is_found_out(filled, tmp_path):
    file = tmp_path / "export"
    head = await export(filled, file)
    file.write_bytes(file.read_bytes().replace(b"RUNNING", b"ABORTED", 1))
    head["sha256"] = sha256(file.read_bytes()).hexdigest()
    (tmp_path / "export.head.json").write_text(json.dumps(head))
    result = await verify(filled, file)
    assert result.exit_code == 1
    assert "position 2" in result.output


async def test_a_saved_head_proves_that_nothing_was_rewritten(filled, client, tmp_path):
    file = tmp_path / "head.json"
    file.write_bytes(await (await client.get("/api/v1/ledger/head")).read())
    assert (await verify(filled, file)).exit_code == 0
    head = json.loads(file.read_text())
    for other in ({"hash": "00" * 32}, {"position": head["position"] + 1000}):
        file.write_text(json.dumps(head | other))
        assert (await verify(filled, file)).exit_code == 1


async def test_what_is_no_head_is_used_wrongly(filled, tmp_path):
    file = tmp_path / "junk"
    for junk in ("", "[]", "{}", '{"position": 1, "hash": "x"}'):
        file.write_text(junk)
        assert (await verify(filled, file)).exit_code == 2


async def test_an_interval_that_ends_before_it_begins_is_used_wrongly(filled):
    times = "--since", "2024-01-02T00:00:00Z", "--until", "2024-01-01T00:00:00Z"
    assert (await call("export", "--database-url", filled, *times)).exit_code == 2


async def test_an_export_whose_head_is_missing_is_not_called_altered(filled, tmp_path, monkeypatch):
    file = tmp_path / "events.ndjson"
    await export(filled, file, "--state", "RUNNING")

    def rename(new, target):
        if target != file:
            raise KeyboardInterrupt
        new.path.replace(target)

    monkeypatch.setattr("service.new_files.NewFile.rename", rename)
    assert (await call("export", "--database-url", filled, "--output", file)).exit_code != 0
    ended = await verify(filled, file)
    assert (ended.exit_code, "nor an export with events.ndjson.head.json beside it" in ended.output) == (2, True)


async def test_a_head_that_cannot_be_written_is_said_before_an_earlier_export_is_replaced(filled, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"an earlier export")
    (tmp_path / "events.ndjson.head.json").mkdir()
    ended = await call("export", "--database-url", filled, "--output", file)
    assert (ended.exit_code, ended.output.startswith("Error: The export cannot be written: ")) == (1, True)
    assert file.read_bytes() == b"an earlier export"
