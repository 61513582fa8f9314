"""What handlers work with, opened and closed with the application."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from service.audit.ledger_reader import Audit
from service.audit.tail import Tail
from service.catalog.freshness import Catalog
from service.catalog.lineage_events import Lineage
from service.catalog.queries import Lists, Searches
from service.ledger.appender import Appender
from service.ledger.run_reader import Reader
from service.settings import Settings


class Resources(NamedTuple):
    """One of each a process."""

    settings: Settings
    appender: Appender
    reader: Reader
    catalog: Catalog
    lists: Lists
    lineage: Lineage
    audit: Audit
    searches: Searches
    tail: Tail


RESOURCES = web.AppKey("resources", Resources)
