"""What an operator meets in the first hour: each is one sentence that names the cause, never a traceback."""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from building import facts
from databases import execute
from programs import DEADLINE_S, REPOSITORY, Ended, program, run
from proxy import Proxy
from waiting import wait_until

from service.database.migrations import newest_revision
from service.ledger.events import append_events

IS_ROOT = os.geteuid() == 0
NOBODY, NO_ENTRY = 65534, 54321
EXAMPLE = REPOSITORY / "docs/verify_example.py"
COMMANDS = (
    ("verify",),
    ("export",),
    ("rebuild",),
    ("keys", "list"),
    ("keys", "revoke", "x"),
    ("erase", "1", "--why", "x", "--yes"),
    ("archive", "--before", "2020-01-01", "--to", "."),
    ("restore",),
)
WRITERS = (("migrate",), ("serve", "--port", 0), ("keys", "create", "x", "--scope", "read"), ("import", EXAMPLE))


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


async def executed(*command, **options) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **options
    )
    output, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    return Ended(process.returncode, output.decode(), errors.decode())


AS_USER = """
import encodings.idna, os, sys
from service.cli.environment import variables_of
from service.cli.main import cli, main
list(variables_of(cli))  # loads every command
uid = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
main()
"""


async def as_user(uid, *arguments, **environment) -> Ended:
    """Run `runfold` as a user, who need not be able to read this interpreter, without our environment."""
    return await executed(
        sys.executable, "-c", AS_USER, uid, *arguments, env={"PATH": os.environ["PATH"], **environment}
    )


needs_root = pytest.mark.skipif(not IS_ROOT, reason="starts programs as other users")


def failure_status(command):
    """Return the status with which a command ends that cannot use its database; 1 of `verify` means altered."""
    return 3 if command[0] in {"verify", "doctor"} else 1


@pytest.mark.parametrize("command", COMMANDS, ids=str)
async def test_every_command_names_an_empty_database_as_such(command, empty_dsn, log):
    ended = await run(log, *command, "--database-url", empty_dsn)
    message = "Error: There is no Runfold in this database; to create its tables, run: runfold migrate\n"
    assert ended == (failure_status(command), "", message)


@pytest.mark.parametrize("command", [COMMANDS[0], *WRITERS[:2]], ids=str)
async def test_a_dump_of_the_schema_alone_is_named_as_such(command, dsn, log):
    await execute(dsn, "drop table runfold_version; comment on schema runfold is null")
    ended = await run(log, *command, "--database-url", dsn)
    assert (ended.status, ended.output) == (failure_status(command), "")
    assert "restore a dump of the whole database" in ended.errors
    assert "already exists" not in ended.errors


async def test_the_revision_that_a_dump_of_the_schema_alone_lacks_is_restored_by_migrate(dsn, db, log):
    await db.execute("drop table runfold_version")
    ended = await run(log, "verify", "--database-url", dsn)
    assert (ended.status, ended.output) == (3, "")
    assert "to create it, run: runfold migrate" in ended.errors
    assert (await run(log, "migrate", "--database-url", dsn)).status == 0
    assert await db.fetchval("select version_num from runfold_version") == newest_revision()
    assert (await run(log, "verify", "--database-url", dsn)).status == 0


async def test_a_role_that_may_not_create_roles_is_named_with_what_to_run(dsn, db, log):
    owner, role = f"owner_{uuid4().hex}", f"Role {uuid4().hex}"
    await db.execute(f"create role {owner} login; grant pg_read_all_data to {owner}")
    try:
        parts = urlsplit(dsn)
        url = parts._replace(netloc=f"{owner}@{parts.netloc.rpartition('@')[2]}").geturl()
        ended = await run(log, "migrate", "--role", role, "--database-url", url)
    finally:
        await db.execute(f"drop owned by {owner}; drop role {owner}")
    assert (ended.status, ended.output) == (1, "")
    assert f"{owner} may not create the role {role}, because it lacks CREATEROLE" in ended.errors
    assert f'run: create role "{role}" login;' in ended.errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sql", "--role", "x"), "--sql and --role cannot be combined"),
        (("--role", ""), "its value is empty"),
    ],
)
async def test_migrate_ignores_no_role(arguments, said, log, dsn):
    ended = await run(log, "migrate", *arguments, "--database-url", dsn)
    assert (ended.status, ended.output) == (2, "")
    assert said in ended.errors


@pytest.mark.parametrize("name", ["RUNFOLD_DATABASE_URL", "DATABASE_URL", "RUNFOLD_DATA_DIR"])
async def test_an_empty_variable_never_means_another_database(name, log):
    ended = await run(log, "serve", "--port", 0, **{name: ""})
    assert (ended.status, ended.output) == (2, "")
    assert f"the environment variable {name} is set, but empty" in ended.errors


@pytest.mark.parametrize("option", ["--database-url", "--data-dir"])
async def test_an_empty_option_never_means_another_database(option, log):
    ended = await run(log, "serve", "--port", 0, option, "")
    assert (ended.status, ended.output) == (2, "")
    assert "its value is empty" in ended.errors


async def test_a_misspelt_variable_is_refused_by_every_command_but_help_is_shown(log):
    for command in (("serve",), ("keys", "list"), ("migrate",)):
        ended = await run(log, *command, RUNFOLD_DATABSE_URL="postgresql://host/db")
        assert (ended.status, ended.output) == (2, "")
        assert "did you mean RUNFOLD_DATABASE_URL?" in ended.errors
    assert (await run(log, "serve", "--help", RUNFOLD_DATABSE_URL="x")).status == 0


@needs_root
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("keys", "list"), ("migrate",)], ids=str)
async def test_a_data_directory_that_may_not_be_searched_is_named(command):
    with tempfile.TemporaryDirectory() as private:  # only its owner may enter
        ended = await as_user(NOBODY, *command, "--data-dir", f"{private}/x")
        assert (ended.status, ended.output) == (1, "")
        assert f"Error: This user may not look into {private}/x" in ended.errors
        assert "--data-dir" in ended.errors
        assert "belongs to" not in ended.errors
        assert "Traceback" not in ended.errors


@needs_root
async def test_a_data_directory_that_is_not_used_need_not_be_readable(tmp_path):
    tmp_path.chmod(0o700)
    url = "postgresql://me@127.0.0.1:1/db"
    ended = await as_user(NO_ENTRY, "verify", "--database-url", url, RUNFOLD_DATA_DIR=str(tmp_path))
    assert ended.status != 2, ended
    assert "does not answer" in ended.errors


@pytest.mark.parametrize("library", ["_socket", "asyncpg/pgproto", "multidict", "uvloop"])
async def test_ctrl_c_while_the_program_is_loaded_shows_no_traceback(library, log, dsn):
    async with program(log, "serve", "--port", 0, "--database-url", dsn) as service:

        async def is_loaded():
            return library in await asyncio.to_thread(Path(f"/proc/{service.process.pid}/maps").read_text)

        await wait_until(is_loaded, "this library is loaded")
        service.send(signal.SIGINT)
        ended = await service.end()
    assert "Traceback" not in ended.errors
    assert ended.status in {0, -signal.SIGINT}


async def test_serve_waits_for_a_database_that_is_not_there_yet_and_says_so(log, dsn):
    async def waits():
        return "trying for another" in await asyncio.to_thread(log.read_text)

    with tempfile.TemporaryDirectory() as directory:
        proxy = Proxy(dsn, Path(directory))
        async with program(log, "serve", "--port", 0, "--database-url", proxy.dsn) as service:
            await wait_until(waits, "it waits for the database")
            await proxy.listen()
            await service.wait_until_ready()
            service.send(signal.SIGTERM)
            ended = await service.end()
        await proxy.close()
    assert ended.status == 0
    assert ended.errors.count("the database does not answer") == 1
    assert "the database answers" in ended.errors


async def test_serve_waits_no_longer_than_it_was_given_and_not_for_a_refused_login(log, dsn):
    gone = await run(
        log, "serve", "--port", 0, "--database-wait", 0.5, "--database-url", "postgresql://me@127.0.0.1:1/x"
    )
    assert gone.status == 1
    assert "cannot be used: the database does not answer" in gone.errors
    missing = urlsplit(dsn)._replace(path="/missing").geturl().replace("postgresql:///", "postgresql://runfold@/")
    ended = await run(log, "serve", "--port", 0, "--database-wait", 600, "--database-url", missing)
    assert ended.status == 1
    assert "trying" not in ended.errors


async def test_a_server_without_tls_is_said_to_have_none(log):
    async def refuse(reader, writer):
        await reader.readexactly(8)
        writer.write(b"N")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://me@127.0.0.1:{port}/db?sslmode=require"
        ended = await run(log, "verify", "--database-url", url)
    assert "the database server does not accept TLS connections" in ended.errors


async def test_the_first_key_says_that_every_request_needs_one_from_now_on(dsn, log):
    first = await run(log, "keys", "create", "a", "--scope", "read", "--database-url", dsn)
    second = await run(log, "keys", "create", "b", "--scope", "read", "--json", "--database-url", dsn)
    assert "This is the first key" in first.errors
    assert second.errors == ""
    assert json.loads(second.output)["name"] == "b"


@pytest.mark.parametrize(
    ("name", "begins"), [("x.csv", b"log,"), ("x.CSV", b"log,"), ("x.json", b'{"log":0'), ("x", b'{"log":0')]
)
async def test_an_export_has_the_format_of_its_suffix(name, begins, dsn, connections, log, tmp_path):
    await append_events(connections, facts(1), [None])
    ended = await run(log, "export", "--output", tmp_path / name, "--database-url", dsn)
    assert ended.status == 0
    assert (tmp_path / name).read_bytes().startswith(begins)
    forced = await run(log, "export", "--format", "ndjson", "--output", tmp_path / name, "--database-url", dsn)
    assert forced.status == 0
    assert (tmp_path / name).read_bytes().startswith(b'{"log":0')


async def test_an_import_of_an_export_or_of_no_events_says_so_once(dsn, connections, log, tmp_path):
    await append_events(connections, facts(3), [None] * 3)
    export, empty = tmp_path / "export.ndjson", tmp_path / "empty"
    assert (await run(log, "export", "--output", export, "--database-url", dsn)).status == 0
    empty.write_bytes(b"\n \n")
    ended = await run(log, "import", export, empty, "--database-url", dsn)
    assert ended.output == "0 events recorded, 0 known already, 3 refused.\n"
    assert ended.errors.count(f"{export} is an export of Runfold") == 1
    assert ended.errors.count(f"{empty} contains no events.") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "usage: "),
        (("x",), 2, "usage: "),
        (("postgresql://me@127.0.0.1:1/db",), 3, "the ledger cannot be read: "),
        (("postgresql://me:s3cret/x@127.0.0.1/db",), 2, "the URL cannot be read"),
    ],
)
async def test_the_example_of_a_verifier_says_how_it_is_used_and_what_failed(arguments, status, said):
    ended = await executed(sys.executable, "-I", EXAMPLE, *arguments)
    assert (ended.status, ended.output) == (status, "")
    assert ended.errors.startswith(said)
    assert len(ended.errors.splitlines()) == 1
    assert "s3cret" not in ended.errors


async def test_demo_names_the_key_that_is_missing_and_prints_commands_that_send_it(dsn, log, tmp_path):
    async with program(tmp_path / "service", "serve", "--port", 0, "--auth", "on", "--database-url", dsn) as service:
        await service.wait_until_ready()
        created = await run(log, "keys", "create", "demo", "--scope", "write", "--json", "--database-url", dsn)
        for wrong in ((), ("--key", "wrong")):
            ended = await run(log, "demo", "--url", service.url, *wrong)
            assert ended.status == 1
            assert "The service requires an API key: give --key or RUNFOLD_API_KEY" in ended.errors
            assert "{" not in ended.errors
        secret = json.loads(created.output)["secret"]
        ended = await run(log, "demo", "--url", service.url, RUNFOLD_API_KEY=secret)
    assert (ended.status, ended.errors) == (0, "")
    assert secret not in ended.output
    commands = [line for line in ended.output.splitlines() if line.startswith("curl ")]
    assert commands
    assert all('-H "Authorization: Bearer $RUNFOLD_API_KEY"' in command for command in commands)
    assert re.search(r"start    at \d{4}-\d\d-\d\dT\d\d:\d\dZ", ended.output)


async def test_demo_starts_no_service_with_https(log):
    ended = await run(log, "demo", "--url", "https://127.0.0.1:1")
    assert ended.status == 1
    assert "the demo starts none with https" in ended.errors
    assert "Traceback" not in ended.errors
