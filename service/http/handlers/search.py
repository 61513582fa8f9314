"""Searches jobs and datasets by words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.queries import Slice
from service.domain.event import DatasetName, JobName
from service.domain.node_ids import dataset_node, job_node
from service.errors import Malformed
from service.http.behind import BEHIND_HEADER, events_behind
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import MAX_LIMIT, OFFSET, STALE, Parameter, choice, integer, is_recordable, text
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.lineage.search import MAX_WORDS, FoundKind, FoundName, SearchOrder, SearchQuery
from service.payloads.json_writer import dump

_MAX_LENGTH = 1_000
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _decode_query(texts: Sequence[str]) -> str:
    count = len(texts[0].split())
    if not 0 < count <= MAX_WORDS or len(texts[0]) > _MAX_LENGTH or not is_recordable(texts[0]):
        raise Malformed(f"parameter q must have 1 to {MAX_WORDS} words, {_MAX_LENGTH} characters at most, and no NUL")
    return texts[0]


def _date(name: str, description: str) -> Parameter[datetime | None]:
    """Declare a date; the value is its midnight in UTC."""

    def decode(texts: Sequence[str]) -> datetime:
        try:
            day = date.fromisoformat(texts[0]) if _DATE.fullmatch(texts[0]) else None
        except ValueError:
            day = None
        if day is None:
            raise Malformed(f"parameter {name} must be a date, YYYY-MM-DD")
        return datetime.combine(day, time(), UTC)

    schema = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    return Parameter(name=name, description=description, schema=schema, decode=decode, default=None)


_QUERY: Parameter[str] = Parameter(
    name="q",
    description="Words, in any order and in letters of either case. `%` and `_` are characters like all others.",
    schema={
        "type": "string",
        "maxLength": _MAX_LENGTH,
        "pattern": rf"^\s*([^\s\u0000]+\s+){{0,{MAX_WORDS - 1}}}[^\s\u0000]+\s*$",
    },
    decode=_decode_query,
    default="",
    required=True,
)
_FILTER = replace(choice("filter", "Only jobs, or only datasets.", tuple(FoundKind)), required=False)
_SORT = choice(
    "sort",
    "`rank`: first what has the text as its name, then what begins with it, then what has the words alone, then what "
    "has them within others, then what has them in its namespace, tags, columns or description. `name`, or "
    "`update_at`: by the last event, the latest first.",
    tuple(SearchOrder),
    SearchOrder.RANK,
)
_LIMIT = integer("limit", "The maximum number of results.", 0, MAX_LIMIT, 10)
_NAMESPACE = text("namespace", "Only what is in this namespace.")
_BEFORE = _date("before", "Only what has no event since this date began, in UTC.")
_AFTER = _date("after", "Only what has an event since this date began, in UTC.")


async def search(request: web.Request) -> web.Response:
    """Find jobs and datasets."""
    parameters = parameters_of(request)
    query = SearchQuery(
        parameters[_QUERY],
        FoundKind(parameters[_FILTER]) if parameters[_FILTER] else None,
        parameters[_NAMESPACE],
        parameters[_AFTER],
        parameters[_BEFORE],
        SearchOrder(parameters[_SORT]),
    )
    page = Slice(parameters[_LIMIT], parameters[OFFSET])
    behind = await events_behind(request)
    found, total = await request.app[RESOURCES].search.find(query, page, binding_of(request))
    body = dump({"totalCount": total, "results": [_view(each) for each in found]})
    return json_response(request, body, behind=behind)


def _view(found: FoundName) -> dict[str, Any]:
    return {
        "type": found.kind.upper(),
        "name": found.name,
        "updatedAt": found.updated_at,
        "namespace": found.namespace,
        "nodeId": _node_id(found),
    }


def _node_id(found: FoundName) -> str:
    if found.kind is FoundKind.JOB:
        return job_node(JobName(found.namespace, found.name))
    return dataset_node(DatasetName(found.namespace, found.name))


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/search",
        handler=search,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.SEARCH,
        summary="Search jobs and datasets",
        description="Finds what has every word in its name, namespace, tags, columns or description. `totalCount` is "
        "the number of all that was found.",
        parameters=(_QUERY, _FILTER, _SORT, _LIMIT, OFFSET, _NAMESPACE, _BEFORE, _AFTER, STALE),
        answers={200: responses.SearchResults},
        headers={200: BEHIND_HEADER},
    ),
)
