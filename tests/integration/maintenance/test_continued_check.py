"""A check of the catalog that is interrupted goes on where it was; what it cannot trust, it projects anew."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from building import fact, new, unguarded
from click.testing import CliRunner
from databases import filled
from lineage_events import record, run_event
from partitions import append, project_all

from service.audit import saved_heads
from service.catalog.catalog_projection import CatalogProjection
from service.cli.main import cli
from service.database.connections import Connections
from service.lineage.pages import LineageProjection
from service.maintenance.catalog_check import check_catalog
from service.maintenance.erase import erase_payloads
from service.maintenance.rebuild import rebuild_catalog
from service.maintenance.second_tables import SCHEMA

RUNS = [UUID(int=number, version=4) for number in range(20)]
EVENTS = 65
"""Two of each of these runs, and 25 of others that read and write datasets."""

pytestmark = pytest.mark.copy_of("projected")


class Interrupted(BaseException):
    """Stands for Ctrl-C."""


async def derive(dsn):
    async with Connections(dsn) as connections:
        for number, run in enumerate(RUNS):
            await append(connections, new(run, job=f"job {number % 3}")[0], fact(run, "RUNNING", number))
        await record(connections, *(run_event("load", [f"raw {n}"], ["orders"], at=n) for n in range(25)))
        await project_all(connections)


@pytest.fixture(scope="module")
def projected(postgres):
    with filled(postgres, derive) as name:
        yield name


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch):
    for projection in (CatalogProjection, LineageProjection):
        monkeypatch.setattr(projection, "limits", projection.limits._replace(events=10))


async def interrupt(dsn, after=3, **options):
    """Check until some pages are projected."""
    left = after

    def progress(_position, _upto):
        nonlocal left
        left -= 1
        if not left:
            raise Interrupted

    with pytest.raises(Interrupted):
        await check_catalog(dsn, progress, **options)


async def test_a_check_that_is_interrupted_after_each_page_goes_on_to_the_end(db, dsn):
    begun = []
    while True:
        try:
            await interrupt(dsn, after=1)
        except pytest.fail.Exception:  # it came to its end
            break
        begun.append(await db.fetchval(f"select max(position) from {SCHEMA}.catalog_cursor"))
    assert begun[:3] == [10, 20, 30]
    assert len(begun) == 2 * -(-EVENTS // 10)
    assert await db.fetchval("select to_regnamespace($1)", SCHEMA) is None


async def test_what_happens_between_two_checks_is_projected_and_compared(connections, dsn):
    await interrupt(dsn)
    await append(connections, *(fact(uuid4(), "RUNNING", minute) for minute in range(30)), fact(RUNS[0], "FAILED", 90))
    await erase_payloads(dsn, 2, "article 17")  # of an event that the first check has projected
    await project_all(connections)
    await interrupt(dsn, after=8)
    await rebuild_catalog(dsn)
    checked = await check_catalog(dsn)
    assert (checked.differences, checked.continued_from) == ([], EVENTS + 32)


async def test_a_check_that_goes_on_finds_what_was_forged_before_and_after(db, dsn):
    await unguarded(db, f"update runfold.runs set state = 'FAILED' where id = '{RUNS[0]}'")
    await interrupt(dsn)
    await unguarded(db, f"update runfold.runs set state = 'FAILED' where id = '{RUNS[19]}'")
    checked = await check_catalog(dsn)
    assert checked.differences == [f"runs {RUNS[0]}: state differ", f"runs {RUNS[19]}: state differ"]
    assert checked.continued_from == 30
    assert (await check_catalog(dsn)).continued_from == 0  # a check that came to its end leaves nothing


FORGED = "update runfold_verify.runs set state = 'FAILED'"
UNTRUSTED = {
    "a part of the ledger was lost": "update runfold_verify.mark set hash = '\\x00'",
    "it is behind what was recorded of it": "update runfold_verify.mark set position = 29",
    "another version made it": "update runfold_verify.mark set made_by = 'schema 0001, formats 1 and 1'",
    "PostgreSQL crashed": "truncate runfold_verify.mark, runfold_verify.runs, runfold_verify.catalog_cursor",
    "the catalog in use is behind it": "update runfold_verify.catalog_cursor set position = 66",
    "a table is missing": "drop table runfold_verify.run_counts",
    "others may write a table": "grant update on runfold_verify.runs to public",
    "others may make tables": "grant create on schema runfold_verify to public",
    "a table has a trigger": "create trigger t after update on runfold_verify.runs execute function"
    " suppress_redundant_updates_trigger()",
    "a table has a rule": "create rule r as on insert to runfold_verify.jobs do instead nothing",
    "a table is a view": "alter table runfold_verify.jobs rename to hidden;"
    " create view runfold_verify.jobs as select * from runfold_verify.hidden",
    "another role owns a table": "alter table runfold_verify.runs owner to pg_monitor",
    "another role owns the schema": "alter schema runfold_verify owner to pg_monitor",
}


@pytest.mark.parametrize("change", UNTRUSTED.values(), ids=UNTRUSTED)
async def test_what_cannot_be_trusted_is_projected_anew(change, db, dsn):
    await interrupt(dsn)
    await db.execute(FORGED)
    await db.execute(change)
    checked = await check_catalog(dsn)
    assert (checked.differences, checked.continued_from) == ([], 0)


async def test_restart_projects_anew(db, dsn):
    await interrupt(dsn)
    await db.execute(FORGED)
    checked = await check_catalog(dsn, restart=True)
    assert (checked.differences, checked.continued_from) == ([], 0)


async def test_rights_to_read_do_no_harm(db, dsn):
    await interrupt(dsn)
    await db.execute(
        f"grant usage on schema {SCHEMA} to public; grant select on all tables in schema {SCHEMA} to public"
    )
    assert (await check_catalog(dsn)).continued_from == 30


async def test_an_interrupted_comparison_says_that_the_ledger_holds(db, dsn, tmp_path, monkeypatch):
    async def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved_heads, "compare_with_ledger", interrupted)
    head = await db.fetchrow("select position, encode(hash, 'hex') as hash from runfold.ledger_head")
    saved = tmp_path / "head.json"
    saved.write_text(json.dumps(dict(head)))
    arguments = ("verify", "--against", str(saved), "--database-url", dsn)
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
    assert result.exit_code == 130
    assert f"Interrupted. Positions 1 to {EVENTS} hold, nothing is known of what was saved." in result.stderr
