"""Sends requests as a scheduler does: repeats each until it gets an answer other than 503."""

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
"""Seconds a client waits for an answer before it repeats the request; the service may still carry out the first."""

PATIENCE_S = 90.0
"""Seconds after which an unanswered request is a violation: the service must recover from every fault."""

_JSON = MappingProxyType({"Content-Type": "application/json"})
_TIMEOUT = aiohttp.ClientTimeout(total=ATTEMPT_S, sock_connect=5)
_REFUSED = 409


class Request(NamedTuple):
    """A request, and the statuses other than 503 that may answer it."""

    method: str
    path: str
    expected: frozenset[int]
    body: bytes | None = None
    headers: Mapping[str, str] = _JSON


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  JSON is anything
        """The decoded body."""
        return json.loads(self.body)


class Tally:
    """Counters over all clients."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    def answered(self) -> int:
        """The number of requests with a final answer."""
        return self.counts["answered"]

    def count(self, name: str) -> None:
        """Increment a counter."""
        self.counts[name] += 1


class GaveUpError(Exception):
    """A client with little patience got no answer; the outcome of its request is unknown."""


def _nothing() -> None:
    """Do nothing."""


class Client:
    """Sends the requests of one caller over its own connections."""

    def __init__(
        self,
        base: str,
        session: aiohttp.ClientSession,
        tally: Tally,
        random: Random,
        secret: str,
        patience: float = PATIENCE_S,
    ) -> None:
        """`base` is the service's URL; `tally` counts the outcomes; after `patience` seconds the client gives up.

        `secret` is that of an API key.
        """
        self._authorization = {"Authorization": f"Bearer {secret}"}
        self._base = base
        self._session = session
        self._tally = tally
        self._random = random
        self._patience = patience

    def with_secret(self, secret: str) -> Client:
        """Return the same client with another API key."""
        return Client(self._base, self._session, self._tally, self._random, secret, self._patience)

    async def send(self, request: Request, *, sending: Callable[[], None] = _nothing) -> Answer:
        """Send a request until it is answered; call `sending` before each attempt.

        Raises Violation for an answer with an unexpected status and if none comes within PATIENCE_S; GaveUpError if the
        client's patience is shorter and has run out.
        """
        end = time.monotonic() + self._patience
        attempt = 0
        while True:
            if attempt:
                self._tally.count("repeated")
            sending()
            answer = await self._attempt(request)
            if answer is not None:
                self._tally.count("refused (409)" if answer.status == _REFUSED else "acknowledged")
                self._tally.count("answered")
                return answer
            if time.monotonic() > end:
                self._give_up(request)
            attempt += 1
            # Shorter than Retry-After, so that more requests meet the fault and the moment after it.
            await asyncio.sleep(self._random.uniform(0.02, 0.1) * min(attempt, 5))

    def _give_up(self, request: Request) -> NoReturn:
        if self._patience < PATIENCE_S:
            self._tally.count("given up")
            raise GaveUpError
        raise Violation(f"{request.method} {request.path} was not answered within {self._patience:.0f} s")

    async def _attempt(self, request: Request) -> Answer | None:
        """Send once. None: no answer, or 503."""
        try:
            async with self._session.request(
                request.method,
                self._base + request.path,
                data=request.body,
                headers={**request.headers, **self._authorization},
                timeout=_TIMEOUT,
            ) as response:
                answer = Answer(response.status, await response.read())
        except TimeoutError:
            self._tally.count("not answered in time")
            return None
        except (aiohttp.ClientError, ConnectionError):
            self._tally.count("connections broken or refused")
            return None
        if answer.status == 503:
            self._tally.count("503")
            if "Retry-After" not in response.headers:
                raise Violation(f"{request.method} {request.path}: a 503 without Retry-After: {answer.body[:300]!r}")
            return None
        if answer.status not in request.expected:
            raise Violation(f"{request.method} {request.path} was answered {answer.status}: {answer.body[:600]!r}")
        return answer


def session() -> aiohttp.ClientSession:
    """Return a session with few connections and without cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=8, force_close=False), cookie_jar=aiohttp.DummyCookieJar()
    )
