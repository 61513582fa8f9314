"""The objects that handlers work with, opened and closed with the application."""

from __future__ import annotations

import asyncio
from contextlib import suppress
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
from service.catalog.run_tree import RunTrees
from service.errors import Unavailable
from service.http.addresses import Addresses
from service.http.ledger_verification import LedgerVerifier
from service.http.shared_answers import SharedAnswers
from service.ledger.appender import Appender
from service.ledger.batch import AppendResult
from service.ledger.ledger_end import LedgerEnd
from service.ledger.run_reader import RunReader
from service.lineage.datasets import DatasetQueries
from service.lineage.graphs import Graphs
from service.lineage.job_versions import JobVersions
from service.lineage.namespaces import NamespaceQueries
from service.lineage.run_lineage import RunLineageReader
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
    namespaces: NamespaceQueries
    datasets: DatasetQueries
    run_lineage: RunLineageReader
    job_versions: JobVersions
    lineage_events: LineageEventReader
    ledger: LedgerReader
    verifier: LedgerVerifier
    history: RunHistory
    graphs: Graphs
    run_search: RunSearch
    run_totals: RunTotals
    run_trees: RunTrees
    search: Search
    statistics: Statistics
    tail: LedgerTail
    briefs: LedgerTail
    shared: SharedAnswers
    end: LedgerEnd
    monitor: SilenceMonitor


RESOURCES = web.AppKey("resources", Resources)

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set when the process has been asked to stop."""


_DEFINED_S = 10.0
"""Seconds that a definition waits at most, and no longer than --database-timeout, before it is answered with 503: it is
recorded, and would be repeated, and wait again. Schedulers define their jobs before each run."""


async def wait_for_catalog(resources: Resources, result: AppendResult) -> None:
    """Wait until the catalog holds the event of a command, recorded now or before. Raises Unavailable."""
    if result.position is not None:
        await resources.catalog.wait_for(result.position, _DEFINED_S)
    else:
        await resources.catalog.wait_until_current(_DEFINED_S)


_SETTLE_S = 1.0
"""How much later something is answered for its datasets."""

_FAR = 10_000
"""Events that are projected in about that time."""


async def settle_lineage(resources: Resources, position: int | None = None) -> None:
    """Wait a moment until datasets hold the events up to a position, by default those that the catalog holds.

    For answers of which datasets are a part only: while an existing ledger is projected, they have what is known.
    """
    lineage = resources.lineage
    if position is None:
        position = resources.catalog.projected
    if position <= lineage.projected or 0 < lineage.projected < position - _FAR:
        return
    with suppress(Unavailable):
        await lineage.wait_for(position, _SETTLE_S)
