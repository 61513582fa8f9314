"""Transitions of runs: started, completed, failed, aborted."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.auth.keys import Scope
from service.domain.decisions import Decision, Transition
from service.domain.event import RunState
from service.domain.run import RunRegisters
from service.errors import Conflict, ConflictKind, Invalid, KeyReused, Malformed
from service.http.fast_path import json_response
from service.http.job_reads import view_after_command
from service.http.openapi import responses
from service.http.parameters import AT, IDEMPOTENCY_KEY
from service.http.paths import RUN
from service.http.permissions import restricted
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_body import read_body
from service.http.request_values import keyed_caller, reported_time, run_id, run_not_found
from service.http.resources import RESOURCES
from service.http.route import Handler, Reach, Route, Tag
from service.ledger import drafts
from service.ledger.batch import AppendResult
from service.not_found import RunNotFound
from service.payloads.json_writer import dump

_MAX_BODY_BYTES = 64 * 1024
_EMPTY_BODIES = (b"", b"{}", b"null", b'""')


def _transition_to(state: RunState) -> Handler:
    """Return the handler that records a transition, and answers with the run as its history makes it."""

    async def handle(request: web.Request) -> web.Response:
        text, run = run_id(request)
        if request.body_exists:
            await _refuse_content(request)
        at, explicit = reported_time(request)
        caller = keyed_caller(request)
        draft = drafts.transition(run, state, at, explicit=explicit, caller=caller)
        command = Transition(state, at, draft.request_digest)
        result = await request.app[RESOURCES].appender.command(draft, restricted(caller, command))
        if result.decision is Decision.UNKNOWN or result.decision is Decision.OUTSIDE:
            raise run_not_found(request)
        view = _transitioned(text, command, result, await view_after_command(request, text, run, result.registers))
        return json_response(request, view, recorded=recorded_position(result))

    return handle


async def _refuse_content(request: web.Request) -> None:
    """Raise Malformed for a body with content: a time in it would be lost, and the time of the request recorded.

    Clients send nothing, or JSON that is empty.
    """
    body = (await read_body(request, _MAX_BODY_BYTES)).strip()
    if body not in _EMPTY_BODIES:
        raise Malformed("this route reads no body; send the time as the query parameter `at`")


def _transitioned(run: str, command: Transition, result: AppendResult, run_view: dict[str, Any]) -> bytes:
    decision = result.decision
    if decision is Decision.KEY_REUSED:
        raise KeyReused(f"run '{run}' has this Idempotency-Key with another state or time")
    view = dump(run_view)
    if decision is Decision.CONFLICT:
        is_start = command.state is RunState.RUNNING
        kind = ConflictKind.START_AFTER_END if is_start else ConflictKind.OTHER_END
        raise Conflict(_conflict_detail(run, result.registers, command), view, kind)
    return view


def _conflict_detail(run: str, registers: RunRegisters, command: Transition) -> str:
    ended = registers.terminal
    end = f"Run '{run}' {ended.state} at {ended.at.isoformat()}" if ended else f"Run '{run}' has ended"
    return f"{end}; it cannot be {command.state} at {command.at.isoformat()}."


def _route(verb: str, state: RunState, rule: str) -> Route:
    return Route(
        method="POST",
        path=f"{RUN}/{verb}",
        handler=_transition_to(state),
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary=f"{verb.capitalize()} a run",
        description=f"Records that the run is {state} and answers with the run as its history makes it. {rule}",
        parameters=(AT, IDEMPOTENCY_KEY),
        answers={200: responses.Run},
        headers={200: RECORDED_HEADER},
        errors=(RunNotFound, Conflict, Invalid),
    )


_ENDS = "An end that is reported again changes nothing (200); another end than the one reported first is a conflict."

ROUTES = (
    _route("start", RunState.RUNNING, "A start that is repeated changes nothing: the earliest one counts."),
    _route("complete", RunState.COMPLETED, _ENDS),
    _route("fail", RunState.FAILED, _ENDS),
    _route("abort", RunState.ABORTED, _ENDS),
)
