"""Archive, restore, erase and least rights, as people run them."""

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from conftest import execute
from partitions import LATER, RUNS, fill
from programs import run


@pytest.fixture
def log(tmp_path):
    return tmp_path / "stderr"


async def test_payloads_leave_come_back_and_go_for_good(dsn, db, connections, log, tmp_path):
    await fill(db, connections)
    before = LATER.date().isoformat()
    nothing = await run(log, "archive", "--before", "2020-01-01", "--to", str(tmp_path), DATABASE_URL=dsn)
    assert nothing == (0, "Nothing to archive: no partition of payloads is full and that old.\n", "")
    done = await run(log, "archive", "--before", f"{before}T23:00:00Z", "--to", str(tmp_path), DATABASE_URL=dsn)
    assert done.output.startswith("Positions 1 to 10: 10 payloads are in payloads-0-1-10.parquet, SHA-256 ")
    refused = await run(log, "erase", "3", "--why", "x", DATABASE_URL=dsn)
    assert (refused.status, "Bring it back first: runfold restore 3" in refused.errors) == (1, True)
    (tmp_path / "payloads-0-11-20.parquet").unlink()
    missing = await run(log, "rebuild", DATABASE_URL=dsn)
    assert (missing.status, "payloads-0-11-20.parquet is missing" in missing.errors) == (1, True)
    back = await run(log, "restore", "3", DATABASE_URL=dsn)
    assert back.output == "Positions 1 to 10: 10 payloads of payloads-0-1-10.parquet are back.\n"
    erased = await run(log, "erase", "3", "--why", "article 17", DATABASE_URL=dsn)
    assert erased.output.startswith("1 payload is erased.")
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
        ("erase", str(RUNS[0]), "--why", " "),
    ],
)
async def test_what_is_used_wrongly_is_said(log, arguments):
    ended = await run(log, *arguments, DATABASE_URL="postgresql://nobody@localhost:1/none")
    assert ended.status == 2


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
    for command in (("rebuild",), ("restore",), ("erase", "1", "--why", "x"), ("migrate", "--role", role)):
        refused = await run(log, *command, DATABASE_URL=as_role)
        assert refused.status == 1
        if command[0] != "migrate":
            assert "needs the rights of the owner of Runfold's tables" in refused.errors
    await execute(dsn, f"drop owned by {role}; drop role {role}")
