"""What the benchmark loads past the service is a ledger like any other."""

import pytest

from bench import millions
from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.verification import verify_ledger
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page


async def test_a_loaded_ledger_verifies_folds_and_can_be_added_to(dsn, db, connections):
    reached = []
    await millions.load(db, 3_000, reached.append)
    await millions.load(db, 5_000, reached.append)
    assert reached == [3_000, 5_000]
    verdict = await verify_ledger(dsn)
    assert (verdict.ok, verdict.last) == (True, 5_000)
    while (await project_next_page(CatalogProjection(connections))).events:
        pass
    states = {row[0] for row in await db.fetch("select distinct state from runfold.runs")}
    assert {"RUNNING", "COMPLETED", "FAILED"} <= states
    running = await LedgerReader(connections).count(EventFilters(states=("RUNNING",)), PositionRange(0, 5_000))
    assert running == await db.fetchval("select count(*) from runfold.events where state = 'RUNNING'")


async def test_a_ledger_that_was_served_is_not_loaded_into(db):
    await millions.load(db, 1_000, lambda _position: None)
    await db.execute("update runfold.ledger_head set position = position + 1, recorded_at = now()")
    with pytest.raises(millions.ServedSinceError):
        await millions.load(db, 2_000, lambda _position: None)
