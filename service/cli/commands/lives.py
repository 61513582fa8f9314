"""The runs of the demo: their reports as data, and the client that sends them."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import aiohttp
import click

from service.domain.ids import uuid7

NAMESPACE, JOB = "demo", "nightly-load"
_OK, _CREATED, _UNAUTHENTICATED, _CONFLICT, _UNAVAILABLE = 200, 201, 401, 409, 503
_PATIENCE_S = 60.0
"""Seconds for which a request is repeated that is answered with 503."""

_AUTHORIZATION = '"Authorization: Bearer $RUNFOLD_API_KEY"'
"""The header of printed commands. The secret is not printed: a terminal keeps what was printed."""

_JOB_PATH = f"/namespaces/{NAMESPACE}/jobs/{JOB}"


class Report(NamedTuple):
    """A scheduler's report: the command, the minute it happened in, a remark to print and the expected HTTP status."""

    command: str
    minute: int
    remark: str = ""
    status: int = _OK


class Life(NamedTuple):
    """A run and the reports about it, in the order of arrival."""

    title: str
    reports: Sequence[Report]


class Step(NamedTuple):
    """A report that was sent: its time, and the state of the run after it."""

    life: Life
    report: Report
    at: datetime
    state: str


LIVES = (
    Life("A run that completes", (Report("start", 0), Report("complete", 12))),
    Life("A run that fails", (Report("start", 5), Report("fail", 7))),
    Life("A run that is aborted before it starts", (Report("abort", 8),)),
    Life(
        "A run whose start is reported late",
        (
            Report("complete", 20, "the end arrives before the start"),
            Report("start", 10, "it stays completed; startedAt is known now"),
        ),
    ),
    Life(
        "A run whose end is reported twice",
        (
            Report("start", 15),
            Report("complete", 25),
            Report("complete", 25, "known already: nothing is recorded again"),
        ),
    ),
    Life(
        "A run that is started again after its end",
        (
            Report("start", 30),
            Report("complete", 40),
            Report("start", 45, "refused: a run that has ended does not start again", _CONFLICT),
        ),
    ),
    Life("A run that is still running", (Report("start", 50),)),
)

STEPS = sum(len(life.reports) for life in LIVES)


class Player:
    """Sends the reports over HTTP. Raises ClickException when the service does not answer as expected."""

    def __init__(self, session: aiohttp.ClientSession, api: str, *, with_key: bool = False) -> None:
        """Take a session, the URL that ends in /api/v1, and whether the session sends an API key."""
        self._session = session
        self._api = api
        self._curl = f"curl -s -H {_AUTHORIZATION}" if with_key else "curl -s"
        self._hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self.runs: dict[str, str] = {}

    async def define(self) -> None:
        """Define the namespace and the job."""
        await self._send("PUT", f"/namespaces/{NAMESPACE}", {"ownerName": "runfold demo"}, _OK)
        await self._send("PUT", _JOB_PATH, {"type": "BATCH", "inputs": [], "outputs": []}, _OK)

    async def create(self, life: Life) -> str:
        """Create the run of a life and return its id."""
        run = await self._send(
            "POST", f"{_JOB_PATH}/runs", {"id": str(uuid7()), "args": {"title": life.title}}, _CREATED
        )
        self.runs[life.title] = run["id"]
        return self.runs[life.title]

    async def report(self, life: Life, report: Report) -> Step:
        """Send a report and return the resulting step."""
        at = self._hour_ago + timedelta(minutes=report.minute)
        path = f"/jobs/runs/{self.runs[life.title]}/{report.command}?at={at:%Y-%m-%dT%H:%M:%SZ}"
        answer = await self._send("POST", path, None, report.status)
        view = answer["run"] if report.status == _CONFLICT else answer
        return Step(life, report, at, view["state"])

    async def _send(self, method: str, path: str, body: object, expected: int) -> dict[str, Any]:
        """Send a request, and repeat it after a 503: that records nothing twice, as each run has an id."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            async with self._session.request(method, self._api + path, json=body) as response:
                if response.status == expected:
                    answer: dict[str, Any] = await response.json(content_type=None)
                    return answer
                if response.status != _UNAVAILABLE or time.monotonic() > end:
                    raise click.ClickException(explain(method, path, response.status, await response.read()))
                wait = float(response.headers.get("Retry-After", "2"))
            await asyncio.sleep(wait)

    def commands(self) -> Iterator[tuple[str, str]]:
        """Yield descriptions and shell commands that show the runs."""
        late = self.runs["A run whose start is reported late"]
        yield "the run whose start came late", f"{self._curl} {self._api}/jobs/runs/{late}"
        yield "the newest runs of the job", f"{self._curl} '{self._api}{_JOB_PATH}/runs?limit=10'"
        yield "the runs that failed", f"{self._curl} '{self._api}{_JOB_PATH}/runs?state=FAILED'"
        yield "the job, with its latest runs", f"{self._curl} {self._api}{_JOB_PATH}"
        still = self.runs["A run that is still running"]
        yield "complete the run that is still running", f"{self._curl} -X POST {self._api}/jobs/runs/{still}/complete"


def explain(method: str, path: str, status: int, body: bytes) -> str:
    """Return why a request failed: the detail of the problem (RFC 9457), or the beginning of another answer."""
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = body[:500].decode(errors="replace")
    if status == _UNAUTHENTICATED:
        return f"The service requires an API key: give --key or RUNFOLD_API_KEY. It answered: {detail}"
    return f"{method} {path} was answered with {status}: {detail}"
