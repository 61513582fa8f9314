"""Reads everything the service shows and compares it with the runs merged from the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from chaos.caller import BASE, JOBS, NAMESPACE, job_path
from chaos.client import Client, Request
from chaos.follower import Follower
from chaos.model import Ledger, Run
from chaos.searching import searches

_OK = frozenset({200})
_STATES = ("NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED")
_MANY = 1_000
_LISTED = 300
_OLD = 500
"""How many of the runs without new events are compared again."""


class Reading:
    """Compares the service's views with the ledger."""

    def __init__(self, client: Client, ledger: Ledger, random: Random, followers: Sequence[Follower]) -> None:
        """`client` reads the views; `ledger` has the expected runs, `followers` the expected events of filters."""
        self._followers = followers
        self._client = client
        self._ledger = ledger
        self._random = random
        self._seen = 0

    async def problem(self) -> str | None:
        """Return the first difference from the ledger; None if there is none."""
        for compare in (self._head, self._single, self._lists, self._running, self._jobs, self._searched, self._events):
            found = await compare()
            if found is not None:
                return found
        self._seen = self._ledger.position
        return None

    async def _get(self, path: str) -> Any:  # noqa: ANN401  JSON is anything
        return (await self._client.send(Request("GET", BASE + path, _OK))).json

    async def _head(self) -> str | None:
        shown = (await self._get("/ledger/head"))["position"]
        end = self._ledger.position
        return None if shown == end else f"the ledger head is shown as {shown}; it is {end}"

    async def _single(self) -> str | None:
        for some in _chunks(self._runs_to_compare(), _MANY):
            body = json.dumps({"ids": [str(run.id) for run in some]}).encode()
            answer = await self._client.send(Request("POST", f"{BASE}/runs/lookup", _OK, body))
            views = answer.json["runs"]
            for run in some:
                view = views[str(run.id)]
                found = f"run {run.id} is not found" if view is None else run.differs(view)
                if found is not None:
                    return found
        return None

    def _runs_to_compare(self) -> list[Run]:
        """Return the runs with new events since the last comparison, and a sample of the others."""
        runs = self._ledger.runs.values()
        new = [run for run in runs if run.position > self._seen]
        old = [run for run in runs if run.position <= self._seen]
        return new + self._random.sample(old, min(_OLD, len(old)))

    def _runs_of(self, job: str) -> list[Run]:
        """Return the runs of a job in the order of its list."""
        found = [run for run in self._ledger.runs.values() if run.job == job]
        return sorted(found, key=lambda run: (run.created, run.id), reverse=True)

    async def _lists(self) -> str | None:
        for job in JOBS:
            runs = self._runs_of(job)
            path = job_path(job).removeprefix(BASE) + "/runs"
            shown = await self._get(f"{path}?limit={_LISTED}")
            found = _differ(runs[:_LISTED], shown["runs"]) or _total(len(runs), shown["totalCount"])
            states = Counter(run.state for run in runs)
            for state in _STATES:
                counted = await self._get(f"{path}?limit=0&state={state}")
                found = found or _total(states[state], counted["totalCount"], f" in state {state}")
            if found is not None:
                return f"the list of {job}: {found}"
        return None

    async def _found(self, parameters: dict[str, str]) -> list[UUID]:
        """Page through the runs of a search."""
        shown: list[UUID] = []
        cursor: str | None = "start"
        while cursor is not None:
            page = await self._get(f"/runs?{urlencode({'limit': str(_MANY), **parameters, 'cursor': cursor})}")
            shown += [UUID(view["id"]) for view in page["runs"]]
            cursor = page["next"]
        return shown

    async def _searched(self) -> str | None:
        """Compare what filters of runs find, and in which order."""
        runs = list(self._ledger.runs.values())
        for search in searches(runs, self._random):
            shown, expected = await self._found(search.parameters), search.found_in(iter(runs))
            if shown != expected:
                place = next(
                    (i for i, pair in enumerate(zip(shown, expected, strict=False)) if pair[0] != pair[1]), None
                )
                return (
                    f"/runs with {search.parameters} shows {len(shown)} runs; {len(expected)} expected; the first"
                    f" difference is at {place}"
                )
        return None

    async def _events(self) -> str | None:
        """Compare the first and the last events of each listener's filters."""
        for follower in self._followers:
            for order, expected in (("asc", follower.expected), ("desc", follower.expected[::-1])):
                parameters = {**follower.listening.parameters, "order": order, "limit": str(_LISTED)}
                events = (await self._get(f"/events?{urlencode(parameters)}"))["events"]
                positions = [event["position"] for event in events]
                shown = [position for position in positions if position <= self._ledger.position]
                wanted = expected[: _LISTED - (len(positions) - len(shown))]
                if shown != wanted:
                    return (
                        f"/events with {parameters} shows {len(shown)} events, {shown[:3]} first;"
                        f" not {len(wanted)}, {wanted[:3]} first"
                    )
        return None

    async def _running(self) -> str | None:
        """Compare all RUNNING runs."""
        found = await self._found({"state": "RUNNING"})
        shown = set(found)
        running = {run.id for run in self._ledger.runs.values() if run.state == "RUNNING"}
        if shown == running and len(found) == len(shown):
            return None
        wrong = len(shown - running)
        return f"/runs?state=RUNNING shows {len(shown)} runs, of which {wrong} are not RUNNING; {len(running)} are"

    async def _jobs(self) -> str | None:
        shown = {job["name"]: job for job in (await self._get(f"/namespaces/{NAMESPACE}/jobs"))["jobs"]}
        if set(shown) != set(JOBS):
            return f"the jobs are shown as {sorted(shown)}"
        for job in JOBS:
            found = _differ(self._runs_of(job)[:10], shown[job]["latestRuns"] or [])
            if found is not None:
                return f"the latest runs of {job}: {found}"
        return None


def _differ(runs: list[Run], views: list[dict[str, Any]]) -> str | None:
    expected, shown = [str(run.id) for run in runs], [view["id"] for view in views]
    if expected != shown:
        place = next((i for i, pair in enumerate(zip(expected, shown, strict=False)) if len(set(pair)) > 1), None)
        return f"{len(shown)} runs are shown, {len(expected)} expected; the first difference is at {place}"
    return next((found for run, view in zip(runs, views, strict=True) if (found := run.differs(view))), None)


def _total(expected: int, shown: int, of: str = "") -> str | None:
    return None if expected == shown else f"totalCount{of} is {shown}; there are {expected}"


def _chunks(items: Iterable[Run], size: int) -> Iterator[list[Run]]:
    listed = list(items)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
