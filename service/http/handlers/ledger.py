"""The ledger's head, and whether its hash chain holds."""

from __future__ import annotations

from aiohttp import web

from service.audit.verification import VerificationResult
from service.auth.keys import Scope
from service.http.fast_path import json_response
from service.http.ledger_verification import MAX_POSITIONS
from service.http.openapi import ledger_responses
from service.http.parameters import MAX_INTEGER, optional_integer
from service.http.paths import BASE
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.ledger.events import LOG
from service.payloads.json_writer import dump

_FROM = optional_integer(
    "from", f"The first position, at most the last; else {MAX_POSITIONS - 1:,} before it.", 1, MAX_INTEGER
)
_TO = optional_integer("to", "The last position, at most the ledger's head, which is the default.", 1, MAX_INTEGER)


async def head(request: web.Request) -> web.Response:
    """Read the ledger's head."""
    end = await request.app[RESOURCES].ledger.head()
    recorded_at = end.recorded_at if end.position else None
    view = {"log": LOG, "position": end.position, "hash": end.hash.hex(), "recordedAt": recorded_at}
    return json_response(request, dump(view))


async def verify(request: web.Request) -> web.Response:
    """Verify a part of the ledger."""
    parameters = parameters_of(request)
    result = await request.app[RESOURCES].verifier.verify(parameters[_FROM], parameters[_TO])
    return json_response(request, dump(_result_view(result)))


def _result_view(result: VerificationResult) -> dict[str, object]:
    view: dict[str, object] = {
        "ok": result.ok,
        "from": result.first,
        "to": result.last,
        "complete": result.complete,
        "head": {"log": LOG, "position": result.head_position, "hash": result.head_hash.hex()},
    }
    if not result.ok:
        view |= {"brokenAt": result.broken_at, "reason": result.reason}
    return view


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/ledger/head",
        handler=head,
        scope=Scope.READ,
        reach=Reach.ALL,
        tag=Tag.LEDGER,
        summary="Read the ledger's head",
        description="Keep the hash elsewhere: a later change of any event up to it is then detected.",
        answers={200: ledger_responses.LedgerHead},
    ),
    Route(
        method="GET",
        path=f"{BASE}/ledger/verify",
        handler=verify,
        scope=Scope.READ,
        reach=Reach.ALL,
        tag=Tag.LEDGER,
        summary="Verify the ledger's hash chain",
        description=f"At most {MAX_POSITIONS:,} positions; `runfold verify` has no limit. `ok` is said of the "
        "positions `from` to `to` only; `complete` tells whether these are all positions of the ledger.",
        parameters=(_FROM, _TO),
        answers={200: ledger_responses.Verification},
    ),
)
