"""Archiving and restoring that are killed at any step lose nothing, and can be run again."""

import asyncio
import signal
import sys
from datetime import timedelta
from functools import partial

import pytest
from building import events
from partitions import fill, holds, time_of
from programs import REPOSITORY

from service.errors import OperatorError
from service.ledger.events import read_payloads
from service.maintenance.archive import archive_payloads
from service.maintenance.restore import restore_payloads


@pytest.fixture
async def filled(db, connections):
    await fill(db, connections)
    return db


# Killed when a step comes for the n-th time; two payloads are deleted at once.
KILLED = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from service.maintenance import archived_removal
from service.maintenance.archive import archive_payloads
from service.maintenance.restore import restore_payloads
dsn, path, command, wanted, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
archived_removal._PAYLOADS_AT_ONCE = 2
def step(what, _archive):
    global count
    count -= what == wanted
    if not count:
        os.kill(os.getpid(), 9)
later = datetime.now(UTC) + timedelta(days=1)
work = archive_payloads(dsn, later, path, step) if command == "archive" else restore_payloads(dsn, None, path, step)
asyncio.run(work)
"""


async def killed(dsn, path, command, step, count=1):
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, dsn, str(path), command, step, str(count)), cwd=REPOSITORY
    )
    assert await program.wait() == -signal.SIGKILL


async def retried(work):
    """PostgreSQL may take a moment to notice that a client is gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await work()
            except OperatorError as error:
                assert "under way" in str(error)  # noqa: PT017
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("step", "count", "gone"),
    [
        ("written", 1, 0),
        ("checked", 1, 0),
        ("named", 1, 0),
        ("noted", 1, 0),
        ("recorded", 1, 0),
        ("replaced", 1, 0),
        ("written", 2, 10),
        ("replaced", 2, 10),
        ("recorded", 3, 20),
        ("deleted", 2, 24),
    ],
)
async def test_an_archive_that_is_killed_loses_nothing_and_can_be_run_again(
    filled, dsn, connections, tmp_path, step, count, gone
):
    bodies = await read_payloads(connections, range(1, 26))
    await killed(dsn, tmp_path, "archive", step, count)
    assert await read_payloads(connections, range(1, 26)) == {n: body for n, body in bodies.items() if n > gone}
    await holds(dsn)
    await retried(partial(archive_payloads, dsn, await time_of(filled, 25) + timedelta(microseconds=1), tmp_path))
    assert await read_payloads(connections, range(1, 26)) == {}
    assert [row["kind"] for row in await events(filled)][25:] == ["archived"] * 3
    await holds(dsn)
    await restore_payloads(dsn)
    assert await read_payloads(connections, range(1, 26)) == bodies


@pytest.mark.parametrize("step", ["put", "recorded"])
async def test_a_restore_that_is_killed_loses_nothing_and_can_be_run_again(filled, dsn, connections, tmp_path, step):
    bodies = await read_payloads(connections, range(1, 26))
    await archive_payloads(dsn, await time_of(filled, 21), tmp_path)
    await killed(dsn, tmp_path, "restore", step)
    await holds(dsn)
    await retried(partial(restore_payloads, dsn))
    assert await read_payloads(connections, range(1, 26)) == bodies
    await holds(dsn)
