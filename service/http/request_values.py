"""Reads from a request what several handlers need: names in the path, the caller, times, pages, JSON bodies."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import unquote_to_bytes
from uuid import UUID

from aiohttp import hdrs, web

from service.catalog.queries import Slice
from service.domain import timestamps
from service.errors import Malformed, UnsupportedType
from service.http import request_body
from service.http.parameters import AT, IDEMPOTENCY_KEY, LIMIT, OFFSET, STALE, is_recordable
from service.http.resources import RESOURCES
from service.http.route import CONTEXT, parameters_of
from service.ledger.drafts import Caller
from service.not_found import RunNotFound
from service.payloads.run_ids import parse_uuid, run_uuid
from service.payloads.schemas import MAX_NAME


def run_id(request: web.Request) -> tuple[str, UUID]:
    """Return the run id of the path, as text and as UUID.

    A text that is not a UUID is the runId of OpenLineage events, and becomes the UUID that they are recorded with.
    """
    text = request.match_info["id"]
    run = parse_uuid(text)
    if run is None:
        run = run_uuid(text)
        return str(run), run
    return text.lower(), run


def run_not_found(request: web.Request) -> RunNotFound:
    """Return the error for a run that is not known, which names its id as the request has it."""
    return RunNotFound(request.match_info["id"])


def name(request: web.Request, part: str) -> str:
    """Return a name of the path. Raises Malformed for one that cannot be recorded."""
    text = request.match_info[part]
    if not is_recordable(text) or not _is_utf8(request.rel_url.raw_path):
        raise Malformed(f"the {part}'s name in the path holds a character that cannot be recorded")
    if len(text) > MAX_NAME:
        raise Malformed(f"the {part}'s name in the path is longer than {MAX_NAME} characters")
    return text


def _is_utf8(path: str) -> bool:
    """Whether a path decodes as UTF-8. Other bytes stay percent-encoded, as if those very characters were the name."""
    if "%" not in path:
        return True
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def caller(request: web.Request) -> Caller:
    """Return the caller, without an Idempotency-Key."""
    context = request[CONTEXT]
    return Caller(context.actor, None, context.binding)


def keyed_caller(request: web.Request) -> Caller:
    """Return the caller, with the Idempotency-Key of the request."""
    context = request[CONTEXT]
    if IDEMPOTENCY_KEY.name in request.headers:
        return Caller(context.actor, parameters_of(request)[IDEMPOTENCY_KEY], context.binding)
    return Caller(context.actor, None, context.binding)


def reported_time(request: web.Request) -> tuple[datetime, bool]:
    """Return parameter `at`, or now; and whether the caller gave it."""
    at = parameters_of(request)[AT] if request.query_string else None
    return (timestamps.now(), False) if at is None else (at, True)


def slice_of(request: web.Request) -> Slice:
    """Return limit and offset."""
    parameters = parameters_of(request)
    return Slice(parameters[LIMIT], parameters[OFFSET])


async def wait_unless_stale(request: web.Request) -> None:
    """Wait until the catalog holds all that was recorded before the request, unless parameter `stale` is true.

    Raises Unavailable when the catalog does not catch up in time.
    """
    if not parameters_of(request)[STALE]:
        await request.app[RESOURCES].catalog.wait_until_current()


async def json_body(request: web.Request) -> bytes:
    """Return the body of a request that should be JSON. Raises UnsupportedType or TooLarge."""
    if not request_body.is_json(request) and request.can_read_body:
        raise UnsupportedType(
            f"Content-Type {request.headers[hdrs.CONTENT_TYPE]} is not read here; send application/json"
        )
    return await request_body.read_body(
        request, request.app[RESOURCES].settings.max_body_bytes, "`runfold serve --max-body-bytes`"
    )
