"""The ledger's end, and whether its chain holds."""

from __future__ import annotations

from aiohttp import web

from service.audit.verification import VerificationResult, verify_ledger
from service.errors import Malformed, Overloaded
from service.http import parameters
from service.http.fast_path import json_response
from service.http.parameters import integer
from service.http.resources import RESOURCES
from service.ledger.events import LOG
from service.payloads.json_writer import dump

MOST = 200_000
"""Positions verified in one request: seconds. `runfold verify` takes them all."""


_AT_ONCE = 2
"""Verifications in this process: each takes two connections and a share of a core."""

_under_way: set[object] = set()


async def head(request: web.Request) -> web.Response:
    """GET /ledger/head."""
    parameters.only(request, ())
    found = await request.app[RESOURCES].ledger.head()
    recorded_at = found.recorded_at if found.position else None
    view = {"log": LOG, "position": found.position, "hash": found.hash.hex(), "recordedAt": recorded_at}
    return json_response(request, dump(view))


async def check(request: web.Request) -> web.Response:
    """GET /ledger/verify: the last MOST positions, or from..to."""
    parameters.only(request, ("from", "to"))
    resources = request.app[RESOURCES]
    end = (await resources.ledger.head()).position
    last = integer(request, "to", end, 0 if end == 0 else 1, max(end, 1))
    first = integer(request, "from", max(1, last - MOST + 1), 1, 2**53)
    if first > max(last, 1):
        raise Malformed(f"parameter to ({last}) lies before from ({first})")
    if last - first >= MOST:
        raise Malformed(f"a request verifies {MOST} positions at most; `runfold verify` takes them all")
    if len(_under_way) >= _AT_ONCE:
        raise Overloaded(f"{_AT_ONCE} verifications are under way already")
    ticket = object()
    _under_way.add(ticket)
    try:
        verdict = await verify_ledger(resources.settings.database_url, first, last)
    finally:
        _under_way.discard(ticket)
    return json_response(request, dump(_view(verdict)))


def _view(verdict: VerificationResult) -> dict[str, object]:
    view: dict[str, object] = {
        "ok": verdict.ok,
        "from": verdict.first,
        "to": verdict.last,
        "head": {"log": LOG, "position": verdict.head_position, "hash": verdict.head_hash.hex()},
    }
    if not verdict.ok:
        view |= {"brokenAt": verdict.broken_at, "reason": verdict.reason}
    return view
