"""Sends creations, commands and events as a scheduler does, and notes each in the journal.

Each request is repeated until it is answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
"""Job names; they must be percent-encoded in paths."""

VERBS = {"RUNNING": "start", "COMPLETED": "complete", "FAILED": "fail", "ABORTED": "abort"}
BASE = "/api/v1"
_OK = frozenset({200})
_OK_OR_CREATED = frozenset({200, 201})
_OK_OR_REFUSED = frozenset({200, 409})
_EVENTS = {"RUNNING": "RUNNING", "COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT", None: "OTHER"}
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def job_path(job: str) -> str:
    """Return the path of a job."""
    return f"{BASE}/namespaces/{NAMESPACE}/jobs/{quote(job, safe='')}"


class Caller:
    """A scheduler with a journal."""

    def __init__(self, client: Client, journal: Journal, random: Random, secrets: Mapping[str, str]) -> None:
        """`client` sends the requests; `journal` keeps what is sent; `random` makes every choice.

        `secrets` are those of two API keys at least, by name; the first is the caller's.
        """
        self._secrets = secrets
        self.actor = next(iter(secrets))
        self._client = client.with_secret(secrets[self.actor])
        self._journal = journal
        self.random = random

    def other(self) -> Caller:
        """Return a scheduler with another API key, and the same connections, journal and choices."""
        first, *others = self._secrets
        secrets = {name: self._secrets[name] for name in (*others, first)}
        return Caller(self._client, self._journal, self.random, secrets)

    def id(self) -> UUID:
        """Return a new UUID, the same for the same seed."""
        return UUID(int=self.random.getrandbits(128), version=4)

    async def define(self) -> None:
        """Define the namespace and its jobs."""
        bodies: dict[str, dict[str, object]] = {f"{BASE}/namespaces/{NAMESPACE}": {"ownerName": "chaos"}}
        bodies |= {job_path(job): {"type": "BATCH", "inputs": [], "outputs": [], "location": job} for job in JOBS}
        for path, content in bodies.items():
            body = json.dumps(content).encode()
            # A repeated definition changes nothing, so its bytes are recorded once.
            sent = self._journal.payload(f"the definition {path}", body, self.actor)
            await self._client.send(Request("PUT", path, _OK, body), sending=sent.sending)
            sent.acknowledged += 1

    async def create(self, job: str, run: UUID | None = None, key: str | None = None) -> UUID:
        """Create a run and return its id."""
        args = {"token": str(self.id())}
        body = json.dumps({"args": args} | ({"id": str(run)} if run else {})).encode()
        sent = self._journal.payload(f"the creation {args}", body, self.actor, 1 if run or key else None)
        request = Request("POST", f"{job_path(job)}/runs", _OK_OR_CREATED, body, _headers(key))
        view = (await self._client.send(request, sending=sent.sending)).json
        identity = UUID(view["id"])
        if view["args"] != args or (run is not None and run != identity):
            raise Violation(f"the creation of {run} with {args} was answered with {view}")
        sent.acknowledged += 1
        sent.runs.add(identity)
        return identity

    async def command(
        self, run: UUID, state: str, at: datetime | None = None, key: str | None = None, *, alone: bool = True
    ) -> dict[str, Any]:
        """Report a transition and return the run view of the answer. With `alone=False` it may be refused with 409."""
        return await self.repeat(self._journal.command(run, state, at, key, actor=self.actor, alone=alone))

    async def repeat(self, command: Command) -> dict[str, Any]:
        """Send a command that is in the journal, for the first time or again."""
        query = f"?at={quote(command.at.isoformat(), safe='')}" if command.at else ""
        path = f"{BASE}/jobs/runs/{command.run}/{VERBS[command.state]}{query}"
        expected = _OK if command.alone else _OK_OR_REFUSED
        request = Request("POST", path, expected, None, _headers(command.key))
        return _checked(command, await self._client.send(request, sending=command.sending))

    def commands(self, run: UUID) -> list[Command]:
        """Return the commands that were sent for a run."""
        return list(self._journal.commands[run])

    async def read(self, run: UUID) -> dict[str, Any]:
        """Return the view of a run."""
        view: dict[str, Any] = (await self._client.send(Request("GET", f"{BASE}/jobs/runs/{run}", _OK))).json
        return view

    async def newest(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Return a job's newest runs."""
        answer = await self._client.send(Request("GET", f"{job_path(job)}/runs?limit={limit}", _OK))
        runs: list[dict[str, Any]] = answer.json["runs"]
        return runs

    def event(self, run: UUID, job: str, state: str | None, at: datetime) -> bytes:
        """Return an OpenLineage event with a facet of its own."""
        event = {
            "eventType": _EVENTS[state],
            "eventTime": at.isoformat(),
            "producer": "https://example.com/chaos",
            "schemaURL": _SCHEMA,
            "run": {"runId": str(run), "facets": {FACET: {"token": str(self.id()), "pad": "x" * self._padding()}}},
            "job": {"namespace": NAMESPACE, "name": job},
        }
        return json.dumps(event, ensure_ascii=False).encode()

    def _padding(self) -> int:
        return self.random.choice((0, 10, 100, 3000))

    async def send_event(self, event: bytes) -> None:
        """Send one event as one request."""
        sent = self._journal.payload("an OpenLineage event", event, self.actor)
        await self._client.send(Request("POST", f"{BASE}/lineage", frozenset({201}), event), sending=sent.sending)
        sent.acknowledged += 1

    async def send_batch(self, events: list[bytes], *, lines: bool) -> None:
        """Send events as lines or as an array; repeat those whose failure is retriable."""
        left = events
        while left:
            left = await self._send_batch_once(left, lines=lines)

    async def _send_batch_once(self, events: list[bytes], *, lines: bool) -> list[bytes]:
        payloads = [self._journal.payload("an OpenLineage event of a batch", event, self.actor) for event in events]

        def sending() -> None:
            for payload in payloads:
                payload.sending()

        body = b"\n".join(events) if lines else b"[%b]" % b", ".join(events)
        headers = {"Content-Type": "application/x-ndjson" if lines else "application/json"}
        request = Request("POST", f"{BASE}/lineage/batch", frozenset({200, 204}), body, headers)
        failed = _failed(await self._client.send(request, sending=sending))
        for index, payload in enumerate(payloads):
            payload.acknowledged += index not in failed
        return [event for index, event in enumerate(events) if index in failed]


def _headers(key: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})


def _failed(answer: Answer) -> set[int]:
    """Return the indexes of the events of a batch that were not recorded. Raises Violation for a final failure."""
    if answer.status == 204:
        return set()
    failures = answer.json["failed_events"]
    final = [failure for failure in failures if not failure["retriable"]]
    if final or len(failures) != answer.json["summary"]["failed"]:
        raise Violation(f"valid events were refused: {answer.body[:600]!r}")
    return {failure["index"] for failure in failures}


def _checked(command: Command, answer: Answer) -> dict[str, Any]:
    """Return the view. The view of an acknowledged end has its state; the view of a refused one has another end."""
    view: dict[str, Any] = answer.json if answer.status == 200 else answer.json["run"]
    if answer.status != 200:
        if view["state"] not in ENDS or view["state"] == command.state:
            raise Violation(f"{command} was refused, and the run's state is {view['state']}")
        return view
    command.acknowledged = True
    command.shown = time_of(view["endedAt"] if command.state in ENDS else view["startedAt"])
    if command.state in ENDS and view["state"] != command.state:
        raise Violation(f"{command} was answered 200 with a view in state {view['state']}")
    if command.shown is None:
        raise Violation(f"{command} was answered 200 with a view that does not show it: {view}")
    return view
