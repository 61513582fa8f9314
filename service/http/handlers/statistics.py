"""Statistics: what Marquez's interface shows on its first page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from service.auth.keys import Scope
from service.domain import timestamps
from service.domain.intervals import Interval, last_days, last_hours
from service.errors import Malformed
from service.http.behind import BEHIND_HEADER, events_behind
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import STALE, Parameter, choice
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import ArrayOf, Handler, Reach, Route, Tag, parameters_of
from service.lineage.statistics import Counted
from service.payloads.json_writer import dump

_MAX_SHOWN = 64
_UTC = ZoneInfo("UTC")


def _decode_zone(texts: Sequence[str]) -> ZoneInfo:
    name = texts[0].replace(" ", "+")  # of Etc/GMT+3, which Marquez's interface does not encode
    try:
        return ZoneInfo(name) if name else _UTC
    except (KeyError, ValueError, OSError):  # unknown; a path that leads elsewhere; a directory
        raise Malformed(
            f"parameter timezone: there is no time zone {texts[0][:_MAX_SHOWN]!a}; an example is Europe/Berlin"
        ) from None


_PERIOD = choice("period", "`DAY`: the last 24 hours; `WEEK`: the last seven days.", ("day", "week"))
_TIMEZONE: Parameter[ZoneInfo] = Parameter(
    name="timezone",
    description="The name of a time zone, such as `Europe/Berlin`: hours and days are those of its clocks.",
    schema={"type": "string", "default": "UTC"},
    decode=_decode_zone,
    default=_UTC,
)


def _intervals(request: web.Request) -> list[Interval]:
    parameters = parameters_of(request)
    intervals = last_days if parameters[_PERIOD] == "week" else last_hours
    return intervals(timestamps.now(), parameters[_TIMEZONE])


async def count_event_types(request: web.Request) -> web.Response:
    """Count OpenLineage events by their type."""
    intervals = _intervals(request)
    behind = await events_behind(request)
    totals = await request.app[RESOURCES].statistics.event_types(intervals, binding_of(request))
    return _answer(request, intervals, [each._asdict() for each in totals], behind)


def _count(counted: Counted) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        intervals = _intervals(request)
        behind = await events_behind(request)
        known = await request.app[RESOURCES].statistics.known_until(counted, intervals, binding_of(request))
        return _answer(request, intervals, [{"count": count} for count in known], behind)

    return handler


def _answer(request: web.Request, intervals: list[Interval], values: list[dict[str, Any]], behind: str) -> web.Response:
    views = [
        {"startInterval": interval.shown_begin, "endInterval": interval.shown_end, **value}
        for interval, value in zip(intervals, values, strict=True)
    ]
    return json_response(request, dump(views), behind=behind)


_DESCRIPTION = (
    "24 hours ending with the current one, or seven days ending with today. A day is named by its date: "
    "`startInterval` is midnight UTC of that date in any time zone, while its events are those of the zone's day."
)


def _route(name: str, handler: Handler, summary: str, answer: ArrayOf) -> Route:
    return Route(
        method="GET",
        path=f"{BASE}/stats/{name}",
        handler=handler,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.SEARCH,
        summary=summary,
        description=_DESCRIPTION,
        parameters=(_PERIOD, _TIMEZONE, STALE),
        answers={200: answer},
        headers={200: BEHIND_HEADER},
    )


ROUTES = (
    _route(
        "lineage-events",
        count_event_types,
        "Count OpenLineage events by type, by their own time",
        ArrayOf(responses.EventTypeInterval),
    ),
    *(
        _route(
            counted,
            _count(counted),
            f"Count the {counted} that had been seen by the end of each interval",
            ArrayOf(responses.CountInterval),
        )
        for counted in Counted
    ),
)
