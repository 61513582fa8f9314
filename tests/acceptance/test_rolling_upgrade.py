"""A service is upgraded, and goes back, replica by replica under load: no request fails, and nothing is lost.

The next version is a copy of this one with what most upgrades bring: a migration, and a register more.
"""

import shutil
from contextlib import AsyncExitStack
from itertools import count

import aiohttp
import pytest
from programs import REPOSITORY, program_of
from run_load import Load
from waiting import wait_until

from service.database.migrations import newest_revision
from service.ledger.stored_registers import FORMAT

NEXT = f"{int(newest_revision()) + 1:04}"
MIGRATION = f"""
from alembic import op

revision, down_revision = "{NEXT}", "{newest_revision()}"
oldest_program = "{newest_revision()}"


def upgrade() -> None:
    op.execute("alter table runfold.runs add column added text")
"""


@pytest.fixture
def next_version(tmp_path):
    """A checkout of the next version."""
    checkout = tmp_path / "next"
    for name in ("service", "alembic"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    (checkout / f"alembic/versions/{NEXT}_next.py").write_text(MIGRATION)
    stored_registers = checkout / "service/ledger/stored_registers.py"
    edit(stored_registers, f"FORMAT = {FORMAT}", f"FORMAT = {FORMAT + 1}")
    edit(stored_registers, "encode_registers(registers)", 'encode_registers((*registers, "added"))')
    edit(stored_registers, "if written <= current", "if written < current")  # its own rows have the field, too
    return checkout


def edit(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new))


async def test_no_request_fails_while_a_service_is_upgraded_and_goes_back(next_version, dsn, db, tmp_path):
    logs = (tmp_path / f"log-{number}" for number in count())
    async with AsyncExitStack() as stack:
        load = Load(await stack.enter_async_context(aiohttp.ClientSession()))

        async def start(checkout):
            arguments = (next(logs), "serve", "--port", 0, "--database-url", dsn)
            replica = await stack.enter_async_context(program_of(checkout, *arguments))
            await load.use(replica)
            return replica

        async def executed(checkout, *arguments):
            async with program_of(checkout, next(logs), *arguments, "--database-url", dsn) as command:
                ended = await command.end()
            assert ended.status == 0, ended
            return ended.output

        old = await start(REPOSITORY)
        await load.define()
        async with load.going_on(load.list_runs()):
            await load.goes_on()
            assert await executed(next_version, "migrate") == f"The schema is at revision {NEXT}.\n"
            await load.goes_on()
            assert (await load.call("GET", "/readyz"))["status"] == "ready", "it stays in service"
            new = await start(next_version)
            taken_over = f"select true from runfold.catalog_cursor where format = {FORMAT + 1}"
            await wait_until(lambda: db.fetchval(taken_over), "the new version projects")
            await load.goes_on()
            await load.stop(old)
        assert "no longer projects the catalog, and waits for others" in old.log.read_text()

        async with load.going_on():
            await start(REPOSITORY)
            await load.goes_on()
            await load.stop(new)
        await executed(REPOSITORY, "rebuild")
        async with load.going_on(load.list_runs()):
            await load.goes_on()
        for run_id in load.completed:
            assert (await load.call("GET", f"/api/v1/jobs/runs/{run_id}"))["state"] == "COMPLETED"
        assert load.failures == []
        await executed(next_version, "verify", "--catalog")
