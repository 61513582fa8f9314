"""What handlers work with, opened and closed with the application."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from service.appender import Appender
from service.audit import Audit
from service.catalog import Catalog
from service.lineage import Lineage
from service.lists import Lists
from service.reader import Reader
from service.searches import Searches
from service.settings import Settings
from service.tail import Tail


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
