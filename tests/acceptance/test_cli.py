"""The other commands: run as people and scripts run them."""

import asyncio
import json
import os
import re
import signal
import socket
import sys

import asyncpg
import pytest
from building import facts
from conftest import execute
from programs import DEADLINE_S, REPOSITORY, program, run

from service.cli.commands.lives import LIVES
from service.database.migrations import newest_revision
from service.ledger.events import append_events
from service.settings import Settings


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


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


async def test_migrate_to_a_schema_from_the_future_is_told_in_a_sentence(dsn, log):
    await execute(dsn, "update runfold_version set version_num = '9999'")
    ended = await run(log, "migrate", "--database-url", dsn)
    assert ended.status == 1
    assert "cannot be migrated" in ended.errors
    assert "Traceback" not in ended.errors


async def test_verify_answers_yes_with_the_head_and_no_with_the_first_broken_position(dsn, connections, log):
    await append_events(connections, facts(9), [None] * 9)
    command = ("verify", "--database-url", dsn)
    yes = await run(log, *command)
    assert yes.status == 0
    assert re.fullmatch(r"Positions 1 to 9 hold\. The head is position 9, [0-9a-f]{64}\.\n", yes.output)
    as_json = json.loads((await run(log, *command, "--json", "--to", 3)).output)
    assert (as_json["ok"], as_json["from"], as_json["to"], as_json["head"]["position"]) == (True, 1, 3, 9)

    await execute(dsn, "set session_replication_role = replica; delete from runfold.events where position = 5")
    no = await run(log, *command)
    assert no == (1, "Position 5 does not hold: the row is missing.\n", "")
    as_json = json.loads((await run(log, *command, "--json")).output)
    assert (as_json["ok"], as_json["brokenAt"], as_json["reason"]) == (False, 5, "the row is missing")


async def test_verify_of_positions_that_are_none_is_used_wrongly(dsn, log):
    assert (await run(log, "verify", "--from", 3, "--to", 2, "--database-url", dsn)).status == 2
    assert (await run(log, "verify", "--from", 0, "--database-url", dsn)).status == 2


@pytest.mark.parametrize("command", ["verify", "rebuild"])
async def test_where_there_is_no_database_none_is_made(command, log, tmp_path):
    ended = await run(log, command, "--data-dir", tmp_path / "data")
    assert ended.status == 1
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
    assert (await run(log, "verify", "--data-dir", data)).status == 0


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
