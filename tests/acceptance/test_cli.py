"""The other commands: run as people and scripts run them."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from building import facts
from databases import database, execute
from partitions import project_all
from programs import DEADLINE_S, REPOSITORY, program, run
from services import free_port
from waiting import wait_until

from service.cli.commands.lives import LIVES
from service.database.migrations import newest_revision
from service.ledger.events import append_events
from service.settings import Settings


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


async def revision(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("select version_num from runfold_version")
    finally:
        await connection.close()


async def test_help_shows_each_setting_with_its_default_and_its_environment_variable(log):
    text = " ".join((await run(log, "serve", "--help", COLUMNS="200")).output.split())
    for field in Settings.__dataclass_fields__:
        flag = re.search(rf"--{field.replace('_', '-')}\b.*?\[env var: RUNFOLD_{field.upper()}[^]]*\]", text)
        assert flag, field
        assert "default:" in flag[0] or field == "insecure"


async def test_what_is_no_command_is_used_wrongly(log):
    assert (await run(log, "sing")).status == 2


async def test_migrate_brings_the_schema_to_head_as_often_as_one_likes(empty_dsn, log):
    for _ in range(2):
        ended = await run(log, "migrate", DATABASE_URL=empty_dsn)
        assert ended == (0, f"The schema is at revision {newest_revision()}.\n", "")
    assert await revision(empty_dsn) == newest_revision()


async def test_migrate_prints_sql_that_does_the_same(empty_dsn, log):
    sql = (await run(log, "migrate", "--sql")).output
    await execute(empty_dsn, sql)
    assert await revision(empty_dsn) == newest_revision()
    assert (await run(log, "migrate", "--database-url", empty_dsn)).status == 0


async def test_verify_answers_yes_with_the_head_and_no_with_the_first_broken_position(dsn, connections, log):
    await append_events(connections, facts(9), [None] * 9)
    command = ("verify", "--database-url", dsn)
    yes = await run(log, *command)
    assert yes.status == 0
    assert re.fullmatch(r"Positions 1 to 9 hold\. The head is position 9, [0-9a-f]{64}\.\n", yes.output)
    as_json = json.loads((await run(log, *command, "--json", "--to", 3)).output)
    assert (as_json["ok"], as_json["from"], as_json["to"], as_json["head"]["position"]) == (True, 1, 3, 9)
    assert as_json["complete"] is False

    await execute(dsn, "set session_replication_role = replica; delete from runfold.events where position = 5")
    no = await run(log, *command)
    assert no == (1, "Position 5 does not hold: the row is missing.\n", "")
    as_json = json.loads((await run(log, *command, "--json")).output)
    assert (as_json["ok"], as_json["brokenAt"], as_json["reason"]) == (False, 5, "the row is missing")


async def test_verify_that_could_not_look_is_neither_right_nor_wrong(log, tmp_path):
    ended = await run(log, "verify", "--database-url", "postgresql://nobody@localhost:1/none")
    assert ended.status == 3
    assert "cannot be used" in ended.errors
    (tmp_path / "junk").write_text("{}")
    for wrong in (("--against", tmp_path / "missing"), ("--to", "x")):
        assert (await run(log, "verify", *wrong)).status == 2


@pytest.mark.parametrize(
    ("table", "options", "known"),
    [
        ("payloads", (), "Interrupted. Nothing is known."),
        ("event_postings", ("--catalog",), "Interrupted. Positions 1 to 3 hold, nothing is known of the catalog."),
    ],
)
async def test_verify_that_is_interrupted_exits_as_a_shell_expects(table, options, known, dsn, connections, log):
    await append_events(connections, facts(3), [None] * 3)
    await project_all(connections)
    blocking = await asyncpg.connect(dsn)
    await blocking.execute(f"begin; lock table runfold.{table} in access exclusive mode")

    async def verifying():
        waiting = f"select from pg_stat_activity where wait_event_type = 'Lock' and query like '%runfold.{table}%'"
        return await connections.fetch(waiting)

    command = ("verify", *options, "--database-url", dsn)
    async with program(log, *command) as started:
        await wait_until(verifying, "verify waits for the table")
        started.send(signal.SIGINT)
        ended = await started.end()
    await blocking.close()
    assert ended.status == 130
    assert known in ended.errors
    assert "Traceback" not in ended.errors
    if options:
        again = json.loads((await run(log, *command, "--json")).output)
        assert again["catalog"]["continuedFrom"] == again["catalog"]["position"] == 3


async def test_verify_of_positions_that_are_none_is_used_wrongly(dsn, log):
    assert (await run(log, "verify", "--from", 3, "--to", 2, "--database-url", dsn)).status == 2
    assert (await run(log, "verify", "--from", 0, "--database-url", dsn)).status == 2


async def test_doctor_shows_what_is_set_aside_and_exits_with_1(dsn, connections, log):
    await append_events(connections, facts(3), [None] * 3)
    command = ("doctor", "--database-url", dsn)
    healthy = await run(log, *command)
    assert healthy.status == 0
    ends = "The ledger ends at position 3; the catalog is projected up to 0, datasets and lineage up to 0.\n"
    assert healthy.output.startswith(ends)
    assert "No event is set aside." in healthy.output

    await execute(
        dsn,
        "insert into runfold.catalog_set_aside (log, position, subject, stream, left_out, reason)"
        " select log, position, subject, stream, 'payload', 'ValueError' from runfold.events where position = 2",
    )
    ill = await run(log, *command)
    assert ill.status == 1
    assert "  position 2, run " in ill.output
    assert "rebuild" in ill.output
    as_json = await run(log, *command, "--json")
    (event,) = json.loads(as_json.output)["setAside"]
    assert (as_json.status, event["position"], event["leftOut"]) == (1, 2, "payload")


async def test_doctor_on_another_schema_is_a_sentence(empty_dsn, log):
    ended = await run(log, "doctor", "--database-url", empty_dsn)
    assert ended.status == 3
    assert "run: runfold migrate" in ended.errors
    assert "Traceback" not in ended.errors


@pytest.mark.parametrize(("command", "status"), [("verify", 3), ("rebuild", 1), ("doctor", 3)])
async def test_where_there_is_no_database_none_is_made(command, status, log, tmp_path):
    ended = await run(log, command, "--data-dir", tmp_path / "data")
    assert ended.status == status
    assert "There is no database in" in ended.errors
    assert not (tmp_path / "data").exists()


async def test_an_export_whose_reader_has_had_enough_ends_without_a_word(dsn, connections):
    drafts = facts(3)
    await append_events(connections, drafts, [None] * len(drafts))
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "export", "--database-url", dsn),
        cwd=REPOSITORY,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    _, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, errors) == (1, b"")


async def test_rebuild_says_how_far_the_catalog_is_projected(dsn, log):
    ended = await run(log, "rebuild", "--database-url", dsn)
    assert ended == (0, "The catalog is rebuilt, up to position 0.\n", "")


SECRET = "s3cret-and-safe"


def as_user(dsn, user, password=SECRET):
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


@pytest.fixture
async def poor(postgres):
    """A role that may log in, and nothing else."""
    role = f"poor_{uuid4().hex}"
    await execute(postgres, f"create role {role} login")
    yield role
    await execute(postgres, f"drop role {role}")


@pytest.fixture
async def locked(postgres, poor):
    """A role that the server asks for a password."""
    access = Path(parse_qs(urlsplit(postgres).query)["host"][0], "pg_hba.conf")
    before = await asyncio.to_thread(access.read_text)
    await asyncio.to_thread(access.write_text, f"local all {poor} scram-sha-256\n{before}")
    await execute(postgres, f"alter role {poor} password 'another one'; select pg_reload_conf()")

    async def is_locked():
        try:
            await execute(as_user(postgres, poor), "select")
        except asyncpg.InvalidPasswordError:
            return True

    await wait_until(is_locked, "the server has read its rules again")
    yield poor
    await asyncio.to_thread(access.write_text, before)
    await execute(postgres, "select pg_reload_conf()")


READ = (("verify",), ("doctor",), ("export",), ("keys", "list"), ("rebuild",), ("serve", "--port", 0))
WRITE = (("migrate",), ("serve", "--port", 0))


async def refused(log, url, command, cause, **environment):
    """Run a command with a database that it cannot use: one line, of the database and the cause, without a secret."""
    ended = await run(log, *command, "--database-url", url, **environment)
    assert (ended.status, ended.output) == (3 if command[0] in {"verify", "doctor"} else 1, ""), ended
    (line,) = ended.errors.splitlines()
    assert line.startswith("Error: The database ")
    assert cause in line
    assert SECRET not in line
    return line


@pytest.mark.parametrize("command", READ, ids=str)
async def test_a_server_that_cannot_be_reached_is_said_with_its_address(command, log):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        url = f"postgresql://me:{SECRET}@{address}/runfold"
        line = await refused(log, url, command, "does not answer", RUNFOLD_DATABASE_WAIT="0")
    assert f"postgresql://me:***@{address}/runfold cannot be used" in line


@pytest.mark.parametrize("command", [READ[0], READ[-1]], ids=str)
async def test_a_wrong_password_is_said_without_it(command, dsn, locked, log):
    await refused(log, as_user(dsn, locked), command, "refuses the login (password authentication failed for user")


async def test_a_password_among_the_parameters_of_a_url_is_not_repeated_either(dsn, locked, log):
    url = f"{as_user(dsn, locked, '')}&password={SECRET}"
    line = await refused(log, url, ("verify",), "password authentication failed")
    assert "password=***" in line


@pytest.mark.parametrize("command", [READ[0], *WRITE], ids=str)
async def test_a_missing_database_is_said(command, dsn, log):
    await refused(log, database(dsn, "missing"), command, 'does not exist (database "missing" does not exist)')


@pytest.mark.parametrize("command", READ, ids=str)
async def test_missing_rights_are_said(command, dsn, poor, log):
    await refused(log, as_user(dsn, poor), command, "as the owner of the tables, run: runfold migrate --role NAME")


@pytest.mark.parametrize("command", WRITE, ids=str)
async def test_a_schema_that_may_not_be_created_is_said(command, empty_dsn, poor, log):
    line = await refused(log, as_user(empty_dsn, poor), command, "cannot be migrated: the database role lacks a right")
    assert "(permission denied for " in line
    assert "as a role that may create a schema there" in line


@pytest.mark.parametrize("command", [("rebuild",), ("keys", "create", "x", "--scope", "read")], ids=str)
async def test_a_read_only_server_is_said(command, dsn, log):
    await execute(dsn, f"alter database {dsn_name(dsn)} set default_transaction_read_only = on")
    await refused(log, dsn, command, "is read-only: it is a standby, or set to read-only (cannot execute ")


@pytest.mark.parametrize("command", WRITE, ids=str)
async def test_a_read_only_server_without_a_schema_is_said(command, empty_dsn, log):
    await execute(empty_dsn, f"alter database {dsn_name(empty_dsn)} set default_transaction_read_only = on")
    await refused(log, empty_dsn, command, "cannot be migrated: the database is read-only")


def dsn_name(dsn):
    return urlsplit(dsn).path.strip("/")


@pytest.mark.parametrize("port", ["x", SECRET, f"1,other:{SECRET}"])
async def test_a_port_that_is_none_is_used_wrongly_and_not_repeated(port, log):
    ended = await run(log, "verify", "--database-url", f"postgresql://me:{SECRET}@localhost:{port}/runfold")
    assert ended.status == 2
    assert "its port is not a number" in ended.errors
    assert SECRET not in ended.errors


async def test_demo_on_a_service_that_runs_leaves_it_alone(server, log):
    ended = await run(log, "demo", "--url", server.url)
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output.startswith(f"A service answers on {server.url}")
    assert "409  COMPLETED  refused" in ended.output
    assert "\x1b" not in ended.output, "plain when piped"
    assert server.process.poll() is None
    for life in LIVES:
        assert life.title in ended.output


async def test_demo_starts_a_service_where_none_answers_and_stops_it_when_piped(log, tmp_path):
    data = tmp_path / "data"
    url = f"http://127.0.0.1:{free_port()}"
    ended = await run(log, "demo", "--url", url, "--data-dir", data)
    assert (ended.status, ended.errors) == (0, "")
    assert "The service is stopped; its data are kept" in ended.output
    assert f"curl -s {url}/api/v1/jobs/runs/" in ended.output
    assert not (data / "postgres/postmaster.pid").exists()
    ledger = await run(log, "verify", "--data-dir", data)
    assert ledger.status == 0
    ended = await run(log, "demo", "--history", "--exit", "--url", url, "--data-dir", data)
    assert ended.status == 1
    assert re.search(r"has \d+ events, and examples are written into an empty one only", ended.errors)
    assert (await run(log, "verify", "--data-dir", data)).output == ledger.output


async def test_demo_reports_a_month_to_a_service_that_runs_and_says_that_it_is_recorded_now(server, log):
    ended = await run(log, "demo", "--history", "--days", "1", "--url", server.url)
    assert (ended.status, ended.errors) == (0, "")
    assert "They are recorded now, so that nothing is known of them at past times" in ended.output
    assert f"See them at {server.url}/" in ended.output


async def test_what_has_no_job_is_named_without_one_before_it_is_erased(server, log):
    ended = await run(log, "erase", "1", "--why", "x", "--dry-run", "--database-url", server.dsn)
    assert re.search(r"position 1: defined, namespace \S+ of 'default', recorded \S+Z from ", ended.output)


async def test_a_month_is_reported_only_to_a_url_that_is_given_with_the_command(server, log):
    ended = await run(log, "demo", "--history", "--exit", "--data-dir", "/dev/null/data", RUNFOLD_URL=server.url)
    assert (ended.status, "A service answers" in ended.output) == (1, False)
    assert "PostgreSQL cannot be started in /dev/null/data" in ended.errors


async def test_demo_keeps_its_service_until_ctrl_c_when_asked_to_stay(log, tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    async with program(log, "demo", "--stay", "--url", url, "--data-dir", tmp_path / "data") as demo:
        async for line in demo.process.stdout:
            if b"The service is still running" in line:
                break
        (service,) = demo.children("service serve")
        assert service
        demo.send(signal.SIGINT)
        ended = await demo.end()
    assert ended.status == 0
    assert "The service is stopped" in ended.output
    assert not (tmp_path / "data/postgres/postmaster.pid").exists()


@pytest.mark.parametrize("url", ["127.0.0.1:5000", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x"])
async def test_demo_of_a_url_that_is_none_is_used_wrongly(url, log):
    ended = await run(log, "demo", "--url", url)
    assert ended.status == 2
    assert "it must be a URL such as http://127.0.0.1:5000" in ended.errors


async def test_export_takes_dates_as_well_as_times(dsn, log):
    for since in ("2020-01-01", "2020-01-01T00:00:00Z"):
        assert (await run(log, "export", "--since", since, "--database-url", dsn)).status == 0
    ended = await run(log, "export", "--since", "yesterday", "--database-url", dsn)
    assert ended.status == 2
    assert "a date such as 2019-05-09 is midnight UTC" in ended.errors


async def test_demo_does_not_take_whatever_answers_for_runfold(log):
    async def answer(_reader, writer):
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        ended = await run(log, "demo", "--url", url)
    assert ended.status == 1
    assert "is not Runfold; give another --url" in ended.errors
