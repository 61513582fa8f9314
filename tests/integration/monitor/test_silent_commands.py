"""The commands that show silent runs and inferred ends."""

import asyncio
import json
from uuid import uuid4

import pytest
from building import fact
from click.testing import CliRunner
from waiting import wait_until

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.cli.durations import Allowance
from service.cli.main import cli
from service.domain.decisions import InferEnd
from service.ledger import drafts
from service.ledger.appender import Appender
from service.monitor.silent_runs import SilentRuns

OLD = "select clock_timestamp() > recorded_at + interval '1 s' from runfold.ledger_head"


async def test_the_commands_list_silent_runs_and_inferred_ends(dsn, connections, db):
    async def run(*arguments, status=0, **environment):
        done = await asyncio.to_thread(CliRunner().invoke, cli, [*arguments, "--database-url", dsn], env=environment)
        assert done.exit_code == status, done.output
        return done

    appender = Appender(connections)
    appender.start()
    silent = uuid4()
    await appender.fact(fact(silent, "RUNNING"))
    await appender.fact(fact(uuid4(), "COMPLETED"))
    await project_next_page(CatalogProjection(connections))
    await wait_until(lambda: db.fetchval(OLD), "a second has passed")

    unset = await run("silent")
    assert unset.stdout == ""
    assert "0 silent runs. Nothing was recorded. Only runs whose job or namespace has a setting" in unset.stderr
    found = await run("silent", RUNFOLD_SILENT_AFTER="1s")
    assert found.stdout.split()[0] == str(silent)
    assert found.stderr == "1 silent run. Nothing was recorded.\n"
    (listed,) = json.loads((await run("silent", "--silent-after", "1", "--json")).stdout)
    assert (listed["id"], listed["job"]) == (str(silent), {"namespace": "etl", "name": "load"})
    assert (listed["lastEventPosition"], listed["silentAfterSeconds"], listed["setBy"]) == (1, 1, "service")
    assert json.loads((await run("silent", "--silent-after", "1d", "--json")).stdout) == []
    assert "neither off nor a number" in (await run("silent", "--silent-after", "1 week", status=2)).stderr
    assert await db.fetchval("select max(position) from runfold.events") == 2

    (candidate,) = (await SilentRuns(connections, 1).find(1, 0, 2)).runs
    await appender.command(drafts.inferred_end(silent, candidate.silence, candidate.set_by), InferEnd(1))
    await project_next_page(CatalogProjection(connections))
    await appender.drain()
    line = (await run("runs", "--inferred")).stdout
    assert line.startswith(str(silent))
    assert line.endswith("(inferred: no event for too long)\n")
    assert "inferred   from the silence of the run, at position 3" in (await run("show", str(silent))).stdout
    assert json.loads((await run("silent", "--silent-after", "1", "--json")).stdout) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("off", 0), ("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("6 H", 21_600), ("2d", 172_800)]
)
def test_durations_have_a_unit_or_are_seconds(text, seconds):
    assert Allowance().convert(text, None, None) == seconds
