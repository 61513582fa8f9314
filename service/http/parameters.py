"""What every handler asks of a request: its names, its parameters, its body, its caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from urllib.parse import unquote_to_bytes
from uuid import UUID

from aiohttp import web

from service.audit.filters import PARAMETERS, EventFilters
from service.audit.ledger_reader import PositionRange
from service.catalog.queries import Slice
from service.domain import timestamps
from service.domain.event import SOURCES, Kind, RunState
from service.errors import Malformed, RunNotFound, UnsupportedType
from service.http import request_body
from service.http.authentication import ACTOR
from service.http.json_bodies import read_time
from service.http.resources import RESOURCES
from service.ledger import cursors
from service.ledger.archive_records import PayloadLocation
from service.ledger.drafts import Caller
from service.ledger.events import LOG, Head
from service.payloads.run_ids import parse_uuid
from service.payloads.schemas import MAX_NAME

MAX_LIMIT = 10_000
_MAX_KEY = 255
_MAX_DIGITS = 17


def archived_view(files: Mapping[PayloadLocation, Sequence[int]]) -> list[dict[str, object]]:
    """Tell in which files the payloads are that an answer had to do without."""
    return [{**where._asdict(), "positions": positions} for where, positions in files.items()]


def run_id(request: web.Request) -> tuple[str, UUID]:
    """Return the run id of the path, as text and as UUID. Raises RunNotFound for what is no UUID."""
    text = request.match_info["id"]
    found = parse_uuid(text)
    if found is None:
        raise RunNotFound(text)
    return text.lower(), found


def name(request: web.Request, part: str) -> str:
    """Return a name of the path. Raises Malformed for one that cannot be recorded."""
    text = request.match_info[part]
    if "\0" in text or _has_surrogate(text) or not _is_utf8(request.rel_url.raw_path):
        raise Malformed(f"the {part}'s name in the path holds a character that cannot be recorded")
    if len(text) > MAX_NAME:
        raise Malformed(f"the {part}'s name in the path is longer than {MAX_NAME} characters")
    return text


def _is_utf8(path: str) -> bool:
    """Bytes that are no UTF-8 would stay percent-encoded, and be taken for those very characters."""
    if "%" not in path:
        return True
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def caller(request: web.Request) -> Caller:
    """Return who asks, and their Idempotency-Key."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isprintable()):
        raise Malformed(f"the Idempotency-Key must be 1 to {_MAX_KEY} printable characters")
    return Caller(request[ACTOR], key)


def reported_time(request: web.Request) -> tuple[datetime, bool]:
    """Return parameter `at`, or now; and whether the caller named it."""
    now = timestamps.now()
    if not request.query_string:
        return now, False
    given = request.query.getall("at", [])
    if not given:
        return now, False
    if len(given) > 1:
        raise Malformed("parameter at is given more than once")
    return read_time("at", given[0], now), True


def integer(request: web.Request, parameter: str, default: int, least: int, most: int) -> int:
    """Return a parameter that is a whole number within bounds."""
    text = request.query.get(parameter)
    if text is None:
        return default
    readable = len(text) <= _MAX_DIGITS and text.isascii() and text.removeprefix("-").isdecimal()
    if not readable or not least <= int(text) <= most:
        raise Malformed(f"parameter {parameter} must be a whole number from {least} to {most}")
    return int(text)


def slice_of(request: web.Request, default: int = 100) -> Slice:
    """Return limit and offset."""
    return Slice(integer(request, "limit", default, 0, MAX_LIMIT), integer(request, "offset", 0, 0, 2**53))


def states(request: web.Request, parameter: str) -> list[str] | None:
    """Return a repeatable parameter that names run states; also separated by commas. None where it is not given."""
    given = [state for text in request.query.getall(parameter, []) for state in text.split(",")]
    for state in given:
        if state not in RunState.__members__:
            raise Malformed(f"parameter {parameter} must be one of {', '.join(RunState)}")
    return given or None


async def wait_unless_stale(request: web.Request) -> None:
    """Wait until the catalog holds all that was recorded before; `stale=true` takes what there is.

    Raises Unavailable when it cannot be had in time.
    """
    if request.query.get("stale") != "true":
        await request.app[RESOURCES].catalog.wait_until_current()


async def json_body(request: web.Request) -> bytes:
    """Return the body of a request that should be JSON. Raises UnsupportedType or TooLarge."""
    content_type = request.headers.get("Content-Type")
    if content_type and not _is_json(request.content_type) and request.can_read_body:
        raise UnsupportedType(f"Content-Type {content_type} is not read here; send application/json")
    return await request_body.read_body(request, request.app[RESOURCES].settings.max_body_bytes)


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


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
    return None if given is None else read_time(parameter, given)


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


def filters(request: web.Request, *others: str) -> EventFilters:
    """Return which events are asked for; `others` are the route's further parameters."""
    only(request, (*PARAMETERS, *others))
    states, kinds, sources = (several(request, parameter) for parameter in ("state", "kind", "source"))
    for parameter, values, known in (("state", states, RunState), ("kind", kinds, Kind), ("source", sources, SOURCES)):
        if not set(values or ()) <= set(known):
            raise Malformed(f"parameter {parameter} must be one of {', '.join(known)}")
    since, until = time(request, "since"), time(request, "until")
    in_order("since", since, "until", until)
    return EventFilters(
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
    place = cursors.decode_position(given)
    if place.log != LOG or place.position > head.position:
        raise Malformed(f"the cursor lies behind the end of the ledger, which is position {head.position}")
    return place.position


async def span(request: web.Request, wanted: EventFilters, default: str = START) -> PositionRange:
    """Return the positions that cursor, since and until leave."""
    audit = request.app[RESOURCES].ledger
    head = await audit.head()
    after = cursor(one(request, "cursor") or default, head)
    if wanted.since is None and wanted.until is None:
        return PositionRange(after, head.position)
    found = await audit.span(wanted.since, wanted.until)
    return PositionRange(max(after, found.after), max(after, found.upto))
