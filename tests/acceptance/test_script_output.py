"""--json: one JSON document with the documented fields on standard output, and messages on standard error."""

import asyncio
import json
from uuid import uuid4

import click
import pytest
from click.testing import CliRunner
from databases import execute
from histories import at
from partitions import LATER, RUNS, fill
from programs import run

from service.cli.json_output import JsonOption
from service.cli.main import cli
from service.database.migrations import newest_revision
from service.domain.ids import uuid7


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


def fields_of(*path):
    command = cli
    for name in path:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), name)
    return next(set(option.fields) for option in command.params if isinstance(option, JsonOption))


async def result(log, dsn, *arguments, status=0):
    """Run a command with --json; return its object, which has the fields of its help, and standard error."""
    ended = await run(log, *arguments, "--json", DATABASE_URL=dsn)
    assert ended.status == status, ended
    (line,) = ended.output.splitlines()
    found = json.loads(line)
    assert set(found) == fields_of(*arguments[:2])
    return found, ended.errors


def event(number, **other):
    return json.dumps(
        {
            "eventType": "START",
            "eventTime": at(number).isoformat(),
            "producer": "https://example.com/tests",
            "run": {"runId": str(uuid7())},
            "job": {"namespace": "etl", "name": "load"},
        }
        | other
    )


async def test_import_counts_and_names_what_it_refused(dsn, log, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join([event(1), event(2), event(3, eventTime="soon")]))
    found, errors = await result(log, dsn, "import", file, status=1)
    (failure,) = found.pop("failures")
    behind = {"catalogBehind": 0, "lineageBehind": 0}
    assert found == {"complete": True, "recorded": 2, "known": 0, "refused": 1} | behind
    assert (failure["file"], failure["line"]) == (str(file), 3)
    assert failure["reason"] in errors


async def test_import_that_breaks_off_prints_what_it_did(dsn, log, tmp_path):
    broken = tmp_path / "events.json"
    broken.write_text(f"[{event(1)}, {event(2)}, {event(3)[:40]}")
    found, errors = await result(log, dsn, "import", broken, status=1)
    assert (found["complete"], found["recorded"], found["failures"][0]["line"]) == (False, 2, None)
    assert found["failures"][0]["reason"] in errors
    whole = tmp_path / "whole.json"
    whole.write_text(f"[{event(3)}]")
    await execute(dsn, "alter table runfold.payloads add check (log = 0 and position < 4)")
    many = tmp_path / "many.json"
    many.write_text(f"[{event(4)}, {event(5)}]")
    found, errors = await result(log, dsn, "import", whole, many, status=1)
    assert (found["complete"], found["recorded"]) == (False, 1)
    assert (found["catalogBehind"], found["lineageBehind"]) == (None, None)
    assert errors.startswith("Error: Not all events")


async def test_payloads_are_archived_restored_and_erased(dsn, db, connections, log, tmp_path):
    await fill(db, connections)
    archive = ("archive", "--before", LATER.isoformat(), "--to", tmp_path / "files")
    done, errors = await result(log, dsn, *archive)
    assert (done["complete"], errors) == (True, "")
    archived = [(one["first"], one["last"], one["payloads"]) for one in done["archives"]]
    assert archived == [(1, 10, 10), (11, 20, 10), (21, 25, 5)]
    assert (tmp_path / "files" / done["archives"][0]["file"]).is_file()
    nothing, errors = await result(log, dsn, *archive)
    assert (nothing, errors) == ({"complete": True, "archives": []}, "")

    (tmp_path / "files" / done["archives"][1]["file"]).unlink()
    back, errors = await result(log, dsn, "restore", status=1)
    assert back == {"complete": False, "archives": done["archives"][:1]}
    assert "is missing" in errors

    erase = ("erase", "3", "--why", "x")
    shown, errors = await result(log, dsn, *erase, "--dry-run")
    (erasable,) = shown["events"]
    assert (erasable["position"], erasable["bytes"], erasable["id"]) == (3, shown["bytes"], str(RUNS[2]))
    assert (shown["dryRun"], shown["erased"], shown["copies"], errors) == (True, 0, [], "")
    gone, errors = await result(log, dsn, *erase, "--yes")
    assert (gone["dryRun"], gone["erased"], gone["events"], errors) == (False, 1, shown["events"], "")
    assert gone["copies"] == [{name: done["archives"][0][name] for name in ("file", "sha256")}]
    again, _ = await result(log, dsn, *erase, "--yes")
    assert (again["events"], again["erased"]) == ([], 0)


async def test_erase_asks_on_standard_error(dsn, db, connections, monkeypatch):
    await fill(db, connections)
    monkeypatch.setattr("service.cli.commands.erase._is_terminal", lambda: True)
    arguments = ["erase", "3", "--why", "x", "--json", "--database-url", dsn]
    no = await asyncio.to_thread(CliRunner().invoke, cli, arguments, "n\n")
    assert (no.exit_code, no.stdout) == (1, "")
    assert "Erase them?" in no.stderr
    yes = await asyncio.to_thread(CliRunner().invoke, cli, arguments, "y\n")
    assert json.loads(yes.stdout)["erased"] == 1


async def test_the_commands_that_look(dsn, db, connections, log, tmp_path):
    await fill(db, connections)
    assert (await result(log, dsn, "rebuild"))[0] == {"position": 25}
    assert (await result(log, dsn, "doctor"))[0]["catalogPosition"] == 25
    verified, _ = await result(log, dsn, "verify")
    assert (verified["ok"], verified["brokenAt"], verified["against"]) == (True, None, None)
    assert (await result(log, dsn, "show", RUNS[0]))[0]["events"] == 5
    file = tmp_path / "events.csv"
    exported, _ = await result(log, dsn, "export", "--output", file, "--state", "RUNNING")
    assert (exported["file"], exported["format"], exported["filters"]) == (str(file), "csv", {"states": ["RUNNING"]})
    document = json.loads((tmp_path / "events.csv.head.json").read_text())
    assert exported == document | {"file": str(file), "headFile": f"{file}.head.json"}
    compared, _ = await result(log, dsn, "verify", "--against", file, "--catalog")
    assert compared["against"]["ok"]
    catalog = {"ok": True, "position": 25, "continuedFrom": 0, "found": 0, "differences": [], "hasOlderParts": False}
    assert compared["catalog"] == catalog


async def test_keys_and_roles(dsn, log):
    made, errors = await result(log, dsn, "keys", "create", "ci", "--scope", "read")
    assert (made["name"], made["scope"]) == ("ci", "read")
    assert "first key" in errors
    revoked, errors = await result(log, dsn, "keys", "revoke", "ci")
    assert (revoked["name"], revoked["scope"], errors) == ("ci", "read", "")
    assert revoked["revokedAt"] > revoked["createdAt"]
    listed = await run(log, "keys", "list", "--json", DATABASE_URL=dsn)
    assert json.loads(listed.output) == [revoked]
    role = f"service_{uuid4().hex}"
    for created in (True, False):
        found, errors = await result(log, dsn, "migrate", "--role", role)
        assert (found, errors) == ({"revision": newest_revision(), "role": role, "roleCreated": created}, "")
    await execute(dsn, f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize(
    "arguments",
    [("export",), ("migrate", "--sql"), ("verify", "--from", "0"), ("erase", "1", "--why", "x")],
    ids=" ".join,
)
async def test_without_a_result_nothing_is_printed(arguments, dsn, log):
    ended = await run(log, *arguments, "--json", DATABASE_URL=dsn)
    assert (ended.status, ended.output) == (2, "")
    assert ended.errors
