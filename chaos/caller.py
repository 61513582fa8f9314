"""What a client says, and notes: creations, commands and events, each asked until it is answered."""

from __future__ import annotations

import json
from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from chaos.client import Answer, Client, Request
from chaos.journal import Command, Journal
from chaos.model import ENDS, FACET, time_of
from chaos.waiting import Violation

NAMESPACE = "chaos"
JOBS = tuple(f"job {number}/ü" for number in range(5))
"""Names that must be percent-encoded."""

VERBS = {"RUNNING": "start", "COMPLETED": "complete", "FAILED": "fail", "ABORTED": "abort"}
BASE = "/api/v1"
_OK = frozenset({200})
_OK_OR_CREATED = frozenset({200, 201})
_OK_OR_REFUSED = frozenset({200, 409})
_EVENTS = {"RUNNING": "RUNNING", "COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT", None: "OTHER"}
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def job_path(job: str) -> str:
    """Return where a job is."""
    return f"{BASE}/namespaces/{NAMESPACE}/jobs/{quote(job, safe='')}"


class Caller:
    """A scheduler with a journal."""

    def __init__(self, client: Client, journal: Journal, random: Random) -> None:
        """Take the client to ask with, the journal to note in, and chance."""
        self._client = client
        self._journal = journal
        self.random = random

    def id(self) -> UUID:
        """Return a new UUID, the same for the same seed."""
        return UUID(int=self.random.getrandbits(128), version=4)

    async def define(self) -> None:
        """Define the namespace and its jobs."""
        bodies: dict[str, dict[str, object]] = {f"{BASE}/namespaces/{NAMESPACE}": {"ownerName": "chaos"}}
        bodies |= {job_path(job): {"type": "BATCH", "inputs": [], "outputs": [], "location": job} for job in JOBS}
        for path, content in bodies.items():
            body = json.dumps(content).encode()
            # The service may say of the same definition that it is known; its bytes are recorded once.
            sent = self._journal.payload(f"the definition {path}", body)
            await self._client.ask(Request("PUT", path, _OK, body), sending=sent.sending)
            sent.acknowledged += 1

    async def create(self, job: str, run: UUID | None = None, key: str | None = None) -> UUID:
        """Create a run and return its id."""
        args = {"token": str(self.id())}
        body = json.dumps({"args": args} | ({"id": str(run)} if run else {})).encode()
        sent = self._journal.payload(f"the creation {args}", body, 1 if run or key else None)
        request = Request("POST", f"{job_path(job)}/runs", _OK_OR_CREATED, body, _headers(key))
        view = (await self._client.ask(request, sending=sent.sending)).json
        identity = UUID(view["id"])
        if view["args"] != args or (run is not None and run != identity):
            raise Violation(f"the creation of {run} with {args} was answered with {view}")
        sent.acknowledged += 1
        sent.runs.add(identity)
        return identity

    async def command(
        self, run: UUID, state: str, at: datetime | None = None, key: str | None = None, *, alone: bool = True
    ) -> dict[str, Any]:
        """Report a transition and return the view that answers it. Not alone, it may be refused."""
        said = self._journal.command(run, state, at, key, alone=alone)
        return await self.repeat(said)

    async def repeat(self, said: Command) -> dict[str, Any]:
        """Report, for the first time or again."""
        query = f"?at={quote(said.at.isoformat(), safe='')}" if said.at else ""
        path = f"{BASE}/jobs/runs/{said.run}/{VERBS[said.state]}{query}"
        expected = _OK if said.alone else _OK_OR_REFUSED
        answer = await self._client.ask(Request("POST", path, expected, None, _headers(said.key)), sending=said.sending)
        return _checked(said, answer)

    def commands(self, run: UUID) -> list[Command]:
        """Return what was said of a run."""
        return list(self._journal.commands[run])

    async def read(self, run: UUID) -> dict[str, Any]:
        """Return a run as it is shown."""
        view: dict[str, Any] = (await self._client.ask(Request("GET", f"{BASE}/jobs/runs/{run}", _OK))).json
        return view

    async def newest(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Return a job's newest runs."""
        answer = await self._client.ask(Request("GET", f"{job_path(job)}/runs?limit={limit}", _OK))
        runs: list[dict[str, Any]] = answer.json["runs"]
        return runs

    def event(self, run: UUID, job: str, state: str | None, at: datetime) -> bytes:
        """Return an OpenLineage event with a facet of its own."""
        told = {
            "eventType": _EVENTS[state],
            "eventTime": at.isoformat(),
            "producer": "https://example.com/chaos",
            "schemaURL": _SCHEMA,
            "run": {"runId": str(run), "facets": {FACET: {"token": str(self.id()), "pad": "x" * self._padding()}}},
            "job": {"namespace": NAMESPACE, "name": job},
        }
        return json.dumps(told, ensure_ascii=False).encode()

    def _padding(self) -> int:
        return self.random.choice((0, 10, 100, 3000))

    async def tell(self, event: bytes) -> None:
        """Send an event by itself."""
        sent = self._journal.payload("an OpenLineage event", event)
        await self._client.ask(Request("POST", f"{BASE}/lineage", frozenset({201}), event), sending=sent.sending)
        sent.acknowledged += 1

    async def tell_many(self, events: list[bytes], *, lines: bool) -> None:
        """Send events as lines or as an array, and those again that may be sent again."""
        left = events
        while left:
            left = await self._tell_once(left, lines=lines)

    async def _tell_once(self, events: list[bytes], *, lines: bool) -> list[bytes]:
        payloads = [self._journal.payload("an OpenLineage event of a batch", event) for event in events]

        def sending() -> None:
            for payload in payloads:
                payload.sending()

        body = b"\n".join(events) if lines else b"[%b]" % b", ".join(events)
        headers = {"Content-Type": "application/x-ndjson" if lines else "application/json"}
        request = Request("POST", f"{BASE}/lineage/batch", frozenset({200, 204}), body, headers)
        failed = _failed(await self._client.ask(request, sending=sending))
        for index, payload in enumerate(payloads):
            payload.acknowledged += index not in failed
        return [event for index, event in enumerate(events) if index in failed]


def _headers(key: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})


def _failed(answer: Answer) -> set[int]:
    """Return which events of a batch were not recorded. Raises Violation for one that is refused for good."""
    if answer.status == 204:
        return set()
    told = answer.json["failed_events"]
    final = [failure for failure in told if not failure["retriable"]]
    if final or len(told) != answer.json["summary"]["failed"]:
        raise Violation(f"events that are in order were refused: {answer.body[:600]!r}")
    return {failure["index"] for failure in told}


def _checked(said: Command, answer: Answer) -> dict[str, Any]:
    """Return the view; an acknowledged end comes with a view in its state, a refused one with another end."""
    view: dict[str, Any] = answer.json if answer.status == 200 else answer.json["run"]
    if answer.status != 200:
        if view["state"] not in ENDS or view["state"] == said.state:
            raise Violation(f"{said} was refused, and the run is shown {view['state']}")
        return view
    said.acknowledged = True
    said.shown = time_of(view["endedAt"] if said.state in ENDS else view["startedAt"])
    if said.state in ENDS and view["state"] != said.state:
        raise Violation(f"{said} was answered 200 with a view in state {view['state']}")
    if said.shown is None:
        raise Violation(f"{said} was answered 200 with a view that does not show it: {view}")
    return view
