"""What the auditor's routes read out of a query: filters, cursors, times; nothing unknown passes unnoticed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from aiohttp import web

from service.audit.filters import PARAMETERS, Filters
from service.audit.ledger_reader import Head, Span
from service.domain.run import SOURCES, Kind, RunState
from service.errors import Malformed
from service.http import views
from service.http.resources import RESOURCES
from service.ledger import cursors
from service.ledger.events import LOG
from service.payloads.contents import parse_uuid

START, NOW = "start", "now"
MOST = 1000
"""Events in a page at most; whoever wants more takes the stream of lines."""


def only(request: web.Request, known: Collection[str]) -> None:
    """Refuse parameters that are not known: a misspelt filter would answer with everything."""
    unknown = sorted(set(request.query) - set(known))
    if unknown:
        names = ", ".join(known)
        raise Malformed(f"there is no parameter {unknown[0][:64]!a} here; these are: {names}")


def one(request: web.Request, parameter: str) -> str | None:
    """Return a parameter that may be given once."""
    given = request.query.getall(parameter, [])
    if len(given) > 1:
        raise Malformed(f"parameter {parameter} is given more than once")
    return given[0] if given else None


def text(request: web.Request, parameter: str) -> str | None:
    """Return a parameter that is a name. Raises Malformed for one that cannot have been recorded."""
    given = one(request, parameter)
    if given is not None and ("\0" in given or any("\ud800" <= c <= "\udfff" for c in given)):
        raise Malformed(f"parameter {parameter} holds a character that cannot be recorded")
    return given


def time(request: web.Request, parameter: str) -> datetime | None:
    """Return a parameter that is a time."""
    given = one(request, parameter)
    return None if given is None else views.read_time(parameter, given)


def several(request: web.Request, parameter: str) -> tuple[str, ...] | None:
    """Return a repeatable parameter, also separated by commas."""
    given = request.query.getall(parameter, [])
    values = tuple(dict.fromkeys(value for each in given for value in each.split(",")))
    if any(not value.isascii() or not value.isprintable() or not value for value in values):
        raise Malformed(f"parameter {parameter} is empty, or no word")
    return values or None


def uuid(request: web.Request, parameter: str) -> UUID | None:
    """Return a parameter that is a UUID."""
    given = one(request, parameter)
    found = None if given is None else parse_uuid(given)
    if given is not None and found is None:
        raise Malformed(f"parameter {parameter} is not a UUID")
    return found


def filters(request: web.Request, *others: str) -> Filters:
    """Return which events are asked for; `others` are the route's further parameters."""
    only(request, (*PARAMETERS, *others))
    states, kinds, sources = (several(request, parameter) for parameter in ("state", "kind", "source"))
    for parameter, values, known in (("state", states, RunState), ("kind", kinds, Kind), ("source", sources, SOURCES)):
        if not set(values or ()) <= set(known):
            raise Malformed(f"parameter {parameter} must be one of {', '.join(known)}")
    since, until = time(request, "since"), time(request, "until")
    in_order("since", since, "until", until)
    return Filters(
        text(request, "namespace"),
        text(request, "job"),
        uuid(request, "run"),
        kinds,
        states,
        text(request, "actor"),
        sources,
        since,
        until,
    )


def in_order(first: str, begin: datetime | None, second: str, end: datetime | None) -> None:
    """Refuse an interval that ends before it begins."""
    if begin is not None and end is not None and end < begin:
        raise Malformed(f"parameter {second} lies before {first}")


def cursor(given: str, head: Head) -> int:
    """Return the position after which to read. Raises Malformed for a cursor from nowhere or from the future.

    Who holds a cursor beyond the end has read a ledger that this one is not: a backup was restored, or the address is
    another's. To wait there in silence would lose them events.
    """
    if given == START:
        return 0
    if given == NOW:
        return head.position
    place = cursors.to_place(given)
    if place.log != LOG or place.position > head.position:
        raise Malformed(f"the cursor lies behind the end of the ledger, which is position {head.position}")
    return place.position


async def span(request: web.Request, wanted: Filters, default: str = START) -> Span:
    """Return the positions that cursor, since and until leave."""
    audit = request.app[RESOURCES].audit
    head = await audit.head()
    after = cursor(one(request, "cursor") or default, head)
    if wanted.since is None and wanted.until is None:
        return Span(after, head.position)
    found = await audit.span(wanted.since, wanted.until)
    return Span(max(after, found.after), max(after, found.upto))
