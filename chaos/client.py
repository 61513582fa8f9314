"""Asks the service as a scheduler does: again and again, until it is told something else than 503."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import aiohttp

from chaos.waiting import Violation

ATTEMPT_S = 10.0
"""Seconds a client waits for an answer before it asks again: the one before may still be carried out."""

PATIENCE_S = 90.0
"""Seconds after which a request that nobody answered is a violation: whatever happens, the service comes back."""

_JSON = MappingProxyType({"Content-Type": "application/json"})
_TIMEOUT = aiohttp.ClientTimeout(total=ATTEMPT_S, sock_connect=5)
_REFUSED = 409


class Request(NamedTuple):
    """A request, and the statuses that may answer it, 503 apart."""

    method: str
    path: str
    expected: frozenset[int]
    body: bytes | None = None
    headers: Mapping[str, str] = _JSON


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  JSON is anything
        """The body, read."""
        return json.loads(self.body)


class Tally:
    """How often what happened, over all clients."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def answered(self) -> int:
        """How many requests were answered for good."""
        return self.counts["answered"]

    def note(self, what: str) -> None:
        """Count one."""
        self.counts[what] += 1


class GaveUpError(Exception):
    """A client that has no patience was not answered: it does not know what became of its request."""


def _nothing() -> None:
    """Note nothing."""


class Client:
    """One caller, with connections of its own."""

    def __init__(
        self,
        base: str,
        session: aiohttp.ClientSession,
        tally: Tally,
        random: Random,
        patience: float = PATIENCE_S,
    ) -> None:
        """Take the service's address, a session, where to count, chance, and seconds until it gives up."""
        self._base = base
        self._session = session
        self._tally = tally
        self._random = random
        self._patience = patience

    async def ask(self, request: Request, *, sending: Callable[[], None] = _nothing) -> Answer:
        """Ask until answered, calling `sending` before each attempt.

        Raises Violation for an answer that may never come, and where none comes for PATIENCE_S; GaveUpError where the
        client's patience is less than that.
        """
        end = time.monotonic() + self._patience
        attempt = 0
        while True:
            if attempt:
                self._tally.note("repeated")
            sending()
            answer = await self._attempt(request)
            if answer is not None:
                self._tally.note("refused (409)" if answer.status == _REFUSED else "acknowledged")
                self._tally.note("answered")
                return answer
            if time.monotonic() > end:
                self._give_up(request)
            attempt += 1
            # Less than Retry-After asks for: more requests meet the fault, and the moment after it.
            await asyncio.sleep(self._random.uniform(0.02, 0.1) * min(attempt, 5))

    def _give_up(self, request: Request) -> NoReturn:
        if self._patience < PATIENCE_S:
            self._tally.note("given up")
            raise GaveUpError
        raise Violation(f"{request.method} {request.path} was not answered within {self._patience:.0f} s")

    async def _attempt(self, request: Request) -> Answer | None:
        """Ask once. None: not answered, or 503."""
        try:
            async with self._session.request(
                request.method, self._base + request.path, data=request.body, headers=request.headers, timeout=_TIMEOUT
            ) as response:
                answer = Answer(response.status, await response.read())
        except TimeoutError:
            self._tally.note("not answered in time")
            return None
        except (aiohttp.ClientError, ConnectionError):
            self._tally.note("connections broken or refused")
            return None
        if answer.status == 503:
            self._tally.note("503")
            if "Retry-After" not in response.headers:
                raise Violation(f"{request.method} {request.path}: a 503 without Retry-After: {answer.body[:300]!r}")
            return None
        if answer.status not in request.expected:
            raise Violation(f"{request.method} {request.path} was answered {answer.status}: {answer.body[:600]!r}")
        return answer


def session() -> aiohttp.ClientSession:
    """Return a session with few connections, whose answers are read whole."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=8, force_close=False), cookie_jar=aiohttp.DummyCookieJar()
    )
