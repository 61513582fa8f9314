"""docs/backup.md, word by word: a dump, and a base backup that is recovered to a point in time, of a real server."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
import requests
from databases import fast_directory
from documents import code
from programs import REPOSITORY, SETTINGS
from services import serve
from waiting import DEADLINE_S, wait_until

from service.embedded.binaries import choose
from service.embedded.process import environment, server_user

PAGE = "docs/backup.md"
COUNT = "select count(*) from runfold.payloads"
EVENTS = (REPOSITORY / "tests/data/peer/airflow.ndjson").read_bytes().splitlines()
CONFIGURATION = "unix_socket_directories = '{}'\nlisten_addresses = ''\nfsync = off\n"


class Machine:
    """A PostgreSQL server of its own, made by its own programs, and the places that the page names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user = server_user(root / "data")
        self.binaries = choose(root / "data", self.user).directory
        self.dsn = f"postgresql://runfold@/runfold?host={root}"
        (root / "backup" / "wal").mkdir(parents=True)
        if self.user is not None:
            for path in (root, root / "backup", root / "backup" / "wal"):
                os.chown(path, self.user.uid, self.user.gid)
        self.key = self.url = ""

    def as_server(self, script: str) -> str:
        """Run lines of shell as the user of PostgreSQL."""
        ids = {"user": self.user.uid, "group": self.user.gid, "extra_groups": []} if self.user else {}
        variables = {"PATH": f"{self.binaries}:/usr/bin:/bin", "PGDATA": str(self.root / "data")}
        return self._run(script, environment() | variables | {"PGHOST": str(self.root), "PGUSER": "runfold"}, ids, 0)

    def run(self, script: str, status: int = 0) -> str:
        """Run lines of shell as an operator."""
        clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        path = f"{Path(sys.executable).parent}:{self.binaries}:{os.environ['PATH']}"
        settings = code(PAGE, "Backup and restore", "sh")[0]
        variables = {"PATH": path, "RUNFOLD_API_KEY": self.key, "PYTHONPATH": str(REPOSITORY)}
        return self._run(f"{settings}{script}", clean | variables, {}, status)

    def _run(self, script: str, variables: dict[str, str], ids: dict, status: int) -> str:
        for written, here in (
            (
                "postgresql://runfold@db.example.com/runfold_restored",
                self.dsn.replace("/runfold?", "/runfold_restored?"),
            ),
            ("postgresql://runfold@db.example.com/runfold", self.dsn),
            ("http://127.0.0.1:5000", self.url),
            ("/backup/", f"{self.root}/backup/"),
        ):
            script = re.sub(rf"{re.escape(written)}(?!_)", here, script)
        command = ["bash", "-euc", script]
        ended = subprocess.run(
            command,
            check=False,
            cwd=self.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            **ids,
        )
        log = self.root / "data" / "restored.log"
        assert ended.returncode == status, ended.stdout + (log.read_text() if log.exists() else "")
        return ended.stdout

    async def sql(self, statement: str) -> object:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    def report(self, events: list[bytes]) -> list[int]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        return [
            requests.post(f"{self.url}/api/v1/lineage", data=event, headers=headers, timeout=DEADLINE_S).status_code
            for event in events
        ]


@pytest.fixture
def machine():
    root = Path(tempfile.mkdtemp(prefix="rf-", dir=fast_directory()))
    made = Machine(root)
    settings = CONFIGURATION.format(root) + code(PAGE, "A base backup and the log", "ini")[0]
    made.as_server(
        "initdb --username runfold --auth trust --no-sync >initdb.log\n"
        f'cat >>"$PGDATA/postgresql.conf" <<"END"\n{settings}END\n'
        "pg_ctl start --wait --log server.log\ncreatedb runfold\n"
    )
    service = serve(made.dsn, root / "service.log")
    made.url = service.url
    try:
        yield made
    finally:
        service.process.kill()
        service.process.wait()
        made.as_server("pg_ctl stop --mode immediate || true")
        shutil.rmtree(root)


@pytest.mark.timeout(240)
def test_a_dump_and_a_point_in_time_are_restored_as_documented(machine):
    machine.key = json.loads(machine.run("runfold keys create reporter --scope write --json 2>/dev/null"))["secret"]
    assert machine.report(EVENTS[:3]) == [201] * 3
    machine.as_server(code(PAGE, "A base backup and the log", "sh")[0])
    assert machine.report(EVENTS[3:5]) == [201] * 2

    (dump,) = code(PAGE, "A dump", "sh")
    machine.run(dump)
    assert machine.report(EVENTS[5:6]) == [201]
    (restore,) = code(PAGE, "Restoring a dump", "sh")
    restored = machine.run(restore)
    assert "Position 7 has the hash that" in restored  # the default namespace, the key, and five events
    export = code(PAGE, "A base backup and the log", "sh")[1]
    machine.run(export)
    compare = 'runfold verify --database-url "$RESTORED_URL" --against /backup/events.ndjson'
    assert "the ledger ends at position 7, before the saved head at 8" in machine.run(compare, status=1)

    payloads = asyncio.run(machine.sql(COUNT))
    moment = asyncio.run(machine.sql("select now()::text"))
    run = json.loads(EVENTS[0])["run"]["runId"]
    assert machine.report(EVENTS[6:8]) == [201] * 2
    machine.run(f"runfold erase {run} --why test --yes; runfold export --output /backup/later.ndjson")
    machine.run("runfold keys revoke reporter")
    asyncio.run(machine.sql("drop schema runfold cascade"))

    recover, verify = code(PAGE, "Point-in-time recovery", "sh")
    machine.as_server(recover.replace("2026-11-27 03:00:00+00", moment))

    async def promoted():
        return not await machine.sql("select pg_is_in_recovery()")

    asyncio.run(wait_until(promoted, "the server takes writes"))
    verified = machine.run(verify)
    assert "each of its 8 records was compared with the ledger, and none is missing" in verified, verified
    later = "runfold verify --against /backup/later.ndjson"
    assert "the ledger ends at position 8, before the saved head" in machine.run(later, status=1)
    assert asyncio.run(machine.sql(COUNT)) == payloads  # the erased one is back

    async def accepted():
        return await asyncio.to_thread(machine.report, EVENTS[6:7]) == [201]

    asyncio.run(wait_until(accepted, "the service goes on, and knows the revoked key as valid"))
    assert "are lost" in (machine.root / "service.log").read_text()
    (machine.root / "backup" / "copy.ndjson").write_bytes(b"\n".join(EVENTS))
    imported = json.loads(machine.run("runfold import --json /backup/copy.ndjson 2>/dev/null"))
    assert (imported["recorded"], imported["known"]) == (len(EVENTS) - 7, 7)
