"""Archive, restore, erase and least rights, as people run them."""

import asyncio
import os
import pwd
import re
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from click.testing import CliRunner
from databases import execute
from partitions import LATER, RUNS, fill
from programs import run

from service.cli.main import cli


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


async def test_payloads_leave_come_back_and_go_for_good(dsn, db, connections, log, tmp_path):
    await fill(db, connections)
    before = LATER.date().isoformat()
    nothing = await run(log, "archive", "--before", "2020-01-01", "--to", str(tmp_path), DATABASE_URL=dsn)
    assert nothing == (0, "Nothing to archive: the database has no payload that old.\n", "")
    done = await run(log, "archive", "--before", f"{before}T23:00:00Z", "--to", str(tmp_path), DATABASE_URL=dsn)
    assert done.output.startswith("Positions 1 to 10: 10 payloads are in payloads-0-1-10.parquet, SHA-256 ")
    refused = await run(log, "erase", "3", "--why", "x", "--yes", DATABASE_URL=dsn)
    assert (refused.status, "Bring it back first: runfold restore 3" in refused.errors) == (1, True)
    (tmp_path / "payloads-0-11-20.parquet").unlink()
    missing = await run(log, "rebuild", DATABASE_URL=dsn)
    assert (missing.status, "payloads-0-11-20.parquet is missing" in missing.errors) == (1, True)
    back = await run(log, "restore", "3", DATABASE_URL=dsn)
    assert back.output == "Positions 1 to 10: 10 payloads of payloads-0-1-10.parquet are back.\n"
    erased = await run(log, "erase", "3", "--why", "article 17", "--yes", DATABASE_URL=dsn)
    assert "1 payload is erased." in erased.output
    assert "payloads-0-1-10.parquet (SHA-256 " in erased.output
    assert (await run(log, "verify", DATABASE_URL=dsn)).status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("archive", "--before", "yesterday", "--to", "."),
        ("archive", "--to", "."),
        ("restore", "0"),
        ("erase", "0", "--why", "x"),
        ("erase", "no-uuid", "--why", "x"),
        ("erase", str(RUNS[0])),
        ("erase", str(RUNS[0]), "--why", "x"),
        ("erase", str(RUNS[0]), "--why", "x", "--yes", "--actor", ""),
        ("erase", str(RUNS[0]), "--why", " "),
    ],
)
async def test_what_is_used_wrongly_is_said(log, arguments):
    ended = await run(log, *arguments, DATABASE_URL="postgresql://nobody@localhost:1/none")
    assert ended.status == 2


async def test_erase_shows_what_it_will_erase_and_asks(dsn, db, connections, log, monkeypatch):
    await fill(db, connections)
    count = "select count(*) from runfold.payloads"
    options = ("--why", "article 17", "--database-url", dsn)
    shown = await run(log, "erase", RUNS[0], *options, "--dry-run")
    lines = shown.output.splitlines()
    assert re.fullmatch(r"Payloads to erase: 5, [0-9,]+ bytes in all\.", lines[0])
    assert f"position 1: transition RUNNING, run {RUNS[0]} of 'etl' 'load', recorded 2" in lines[1]
    assert len(lines) == 6
    refused = await run(log, "erase", RUNS[0], *options)
    assert (refused.status, "use --yes, or --dry-run" in refused.errors) == (2, True)
    monkeypatch.setattr("service.cli.commands.erase._is_terminal", lambda: True)
    no = await asyncio.to_thread(CliRunner().invoke, cli, ["erase", str(RUNS[0]), *options], "n\n")
    assert (no.exit_code, "Erase them? It cannot be undone." in no.output) == (1, True)
    assert await db.fetchval(count) == 25
    yes = await asyncio.to_thread(CliRunner().invoke, cli, ["erase", str(RUNS[0]), *options], "y\n")
    assert "5 payloads are erased." in yes.output
    assert await db.fetchval(f"{count} where position = 1") == 0


async def test_what_a_command_records_names_who_did_it_and_cli_as_its_source(dsn, db, connections, log, tmp_path):
    await fill(db, connections)
    url = ("--database-url", dsn)
    user = pwd.getpwuid(os.getuid()).pw_name
    commands = [
        (("keys", "create", "k", "--scope", "read", "--actor", "ann"), "ann"),
        (("keys", "revoke", "k"), user),
        (("archive", "--before", LATER.isoformat(), "--to", tmp_path, "--actor", "bob"), "bob"),
        (("restore", "1"), user),
        (("erase", "3", "--why", "x", "--yes"), user),
    ]
    for command, _ in commands:
        ended = await run(log, *command, *url)
        assert ended.status == 0, ended
    recorded = await db.fetch("select source, actor from runfold.events where position > 25 order by position")
    expected = [actor for _, actor in commands]
    expected[2:2] = ["bob", "bob"]  # archived in three files
    assert [tuple(row) for row in recorded] == [("cli", actor) for actor in expected]
    exported = await run(log, "export", "--source", "cli", *url)
    assert len(exported.output.splitlines()) == 7
    assert (await run(log, "verify", *url)).status == 0


async def test_migrate_gives_a_role_what_serving_takes_and_rebuild_needs_more(dsn, log):
    role = f"service_{uuid4().hex}"
    made = await run(log, "migrate", "--role", role, DATABASE_URL=dsn)
    assert f"{role} can serve" in made.output
    assert "has no password yet" in made.output
    again = await run(log, "migrate", "--role", role, DATABASE_URL=dsn)
    assert "has no password yet" not in again.output
    parts = urlsplit(dsn)
    as_role = parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    assert (await run(log, "verify", DATABASE_URL=as_role)).status == 0
    for command in (("rebuild",), ("restore",), ("erase", "1", "--why", "x", "--yes"), ("migrate", "--role", role)):
        refused = await run(log, *command, DATABASE_URL=as_role)
        assert refused.status == 1
        if command[0] != "migrate":
            assert "needs the rights of the owner of Runfold's tables" in refused.errors
    await execute(dsn, f"drop owned by {role}; drop role {role}")
