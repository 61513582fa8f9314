"""The limit on open files: raised at the start, and kept free for more than the connections of clients."""

from __future__ import annotations

import logging
import resource

from service.settings import CONNECTIONS

_WANTED = 65_536
"""Open files for which there is room; a higher limit makes the start of child processes slower on some systems."""

_RESERVED = CONNECTIONS + 64
"""Open files that are not connections of clients: those to the database, pipes, sockets, modules being loaded."""

_log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit on open files as far as the hard limit and _WANTED allow; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _WANTED if soft == resource.RLIM_INFINITY else soft
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if wanted <= soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _log.warning("the limit on open files stays at %d: %s", soft, error)
        return soft
    return wanted


def max_connections(limit: int) -> int:
    """Return how many connections of clients leave room for the other open files."""
    return max(1, limit - _RESERVED, limit // 2)
