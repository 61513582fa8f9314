"""The objects that handlers work with, opened and closed with the application."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiohttp import web

from service.audit.ledger_reader import LedgerReader
from service.audit.run_history import RunHistory
from service.audit.tail import LedgerTail
from service.catalog.freshness import CatalogFreshness
from service.catalog.lineage_events import LineageEventReader
from service.catalog.queries import CatalogQueries
from service.catalog.run_search import RunSearch
from service.catalog.run_totals import RunTotals
from service.http.addresses import Addresses
from service.http.ledger_verification import LedgerVerifier
from service.ledger.appender import Appender
from service.ledger.batch import AppendResult
from service.ledger.ledger_end import LedgerEnd
from service.ledger.run_reader import RunReader
from service.lineage.graphs import Graphs
from service.lineage.search import Search
from service.lineage.statistics import Statistics
from service.monitor.silence_monitor import SilenceMonitor
from service.settings import Settings


class Resources(NamedTuple):
    """One object of each kind for each process."""

    settings: Settings
    addresses: Addresses
    appender: Appender
    reader: RunReader
    catalog: CatalogFreshness
    lineage: CatalogFreshness
    queries: CatalogQueries
    lineage_events: LineageEventReader
    ledger: LedgerReader
    verifier: LedgerVerifier
    history: RunHistory
    graphs: Graphs
    run_search: RunSearch
    run_totals: RunTotals
    search: Search
    statistics: Statistics
    tail: LedgerTail
    end: LedgerEnd
    monitor: SilenceMonitor


RESOURCES = web.AppKey("resources", Resources)

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set when the process has been asked to stop."""


async def wait_for_catalog(resources: Resources, result: AppendResult) -> None:
    """Wait until the catalog holds the event of a command, recorded now or before. Raises Unavailable."""
    if result.position is not None:
        await resources.catalog.wait_for(result.position)
    else:
        await resources.catalog.wait_until_current()
