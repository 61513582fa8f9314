"""The hosts of a database URL, such as a primary and its standby: postgresql://h1,h2/db?target_session_attrs=read-write.

asyncpg tries them one after the other within one time limit, so a machine that does not answer at all, the first one of
the URL, would take the whole limit from the others, again with each connection.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

import asyncpg

CONNECT_TIMEOUT_S = 5.0

_log = logging.getLogger(__name__)

_NEXT_HOST = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)
"""Failures after which another host is tried, as libpq does; not a refused login. TimeoutError is an OSError."""


def split_hosts(dsn: str) -> list[str]:
    """Return a URL for each host in the authority of a database URL; what is no URL is returned as it is."""
    parts = re.fullmatch(r"(\w+://(?:[^/?]*@)?)([^/?]*)(.*)", dsn, re.DOTALL)
    return [f"{parts[1]}{host}{parts[3]}" for host in parts[2].split(",")] if parts else [dsn]


class Hosts:
    """The hosts of one URL. The one that was connected to last is tried first."""

    def __init__(self, dsn: str) -> None:
        self._dsns = split_hosts(dsn)
        self.pooled = False
        """Whether a connection pooler was found at this URL."""

    def note_pooler(self) -> None:
        """Note that there is a connection pooler."""
        if not self.pooled:
            self.pooled = True
            _log.info(
                "a connection pooler is in front of the database: each use of a connection is a transaction, and"
                " statements are not kept prepared"
            )

    async def connect(self, timeout_s: float = CONNECT_TIMEOUT_S, **options: Any) -> asyncpg.Connection:  # noqa: ANN401
        """Connect to a host that is of the kind that `target_session_attrs` in the URL names.

        timeout_s: for all hosts together; each has an equal part of it. options: those of asyncpg.connect.
        Raises the exceptions of asyncpg.connect; where no host can be used, that of one that cannot be reached.
        """
        failures: list[Exception] = []
        for dsn in tuple(self._dsns):
            try:
                connection = await asyncpg.connect(dsn, timeout=timeout_s / len(self._dsns), **options)
            except _NEXT_HOST as error:
                failures.append(error)
            else:
                self._dsns.sort(key=lambda other: other != dsn)
                return connection
        unreachable = (error for error in failures if not isinstance(error, asyncpg.TargetServerAttributeNotMatched))
        raise next(unreachable, failures[0])


@lru_cache(maxsize=16)
def hosts_of(dsn: str) -> Hosts:
    """Return what this process knows of the hosts of a URL; all its Connections share that."""
    return Hosts(dsn)
