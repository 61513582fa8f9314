"""Lets in who has an API key of the right scope, and knows by what name.

The ledger is the truth about keys; each process follows it, reading what happened to keys since it last looked.
Nobody is let in on knowledge older than STALE_S: while the database cannot be asked, requests are answered 503. So
a revoked key stops within that time in every process, whatever happens.
"""

import asyncio
import hmac
import logging
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from uuid import UUID
from weakref import WeakValueDictionary

from aiohttp import hdrs, web

from service.auth import keys
from service.auth.keys import SCOPES, Key, Scope
from service.database.connections import Connections
from service.errors import DatabaseUnavailable, Forbidden, Unauthenticated, Unavailable
from service.http.paths import LONG, OPEN, READING, REST

ACTOR: web.RequestKey[str | None] = web.RequestKey("actor", type(None))
"""Where a request has the name of its API key; None where it needs none."""

STALE_S = 5.0
"""Seconds after which a key that was revoked stops working everywhere, at the latest."""

_REFRESH_S = 2.0
_LEAST_S = 1.0
"""Seconds between two looks, at least: keys that nobody knows cannot make the service ask more often."""

_PATIENCE_S = 2.0

_READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})

_log = logging.getLogger(__name__)


class Authenticator:
    """The keys as this process knows them."""

    def __init__(self, connections: Connections, mode: str) -> None:
        """Take a connection of its own and auto, on or off."""
        self._connections = connections
        self._mode = mode
        self._keys: dict[UUID, Key] = {}
        self._by_digest: dict[bytes, Key] = {}
        self._position = 0
        self._scopes: dict[web.AbstractRoute, Scope] = {}
        self._long: set[web.AbstractRoute] = set()
        self._lasting: dict[bytes, WeakValueDictionary[int, web.Request]] = {}
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._looking = self._looked = asyncio.Event()
        self._looks = 0
        self._stale = True
        self.on = mode != "off"
        """Whether callers need a key. Until the keys were read once, `auto` is on."""

    async def start(self, routes: Iterable[web.AbstractRoute]) -> None:
        """Read the keys and go on following them."""
        self._scopes = {route: _scope(route) for route in routes}
        self._long = {route for route in self._scopes if _path(route) in LONG}
        if self._mode != "off":
            await self._look()
            self._task = asyncio.create_task(self._follow(), name="guard")

    async def close(self) -> None:
        """Stop following."""
        if self._expiry is not None:
            self._expiry.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._connections.close()

    def admit(self, request: web.Request) -> bool:
        """Let the request in, with its key's name as ACTOR; False where the key is not known (see admit_later).

        Raises Unauthenticated, Forbidden, or Unavailable while keys cannot be checked.
        """
        needed = self._scopes.get(request.match_info.route, Scope.READ)
        if not needed:
            return True
        if self._stale:
            raise Unavailable("API keys cannot be checked: the database does not answer")
        digest = _digest(request.headers.get(hdrs.AUTHORIZATION))
        key = self._by_digest.get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            return False
        if key.revoked_at is not None:
            raise Unauthenticated("the API key was revoked")
        if SCOPES[key.scope] < needed:
            raise Forbidden(f"the scope of API key {key.name} is {key.scope}; this needs {needed.name.lower()}")
        request[ACTOR] = key.name
        if request.match_info.route in self._long:
            self._lasting.setdefault(digest, WeakValueDictionary())[id(request)] = request
        return True

    async def admit_later(self, request: web.Request) -> None:
        """Let in whose key the next look at the ledger finds; it may have been created a moment ago."""
        self._asked.set()
        look, looks = self._looking, self._looks
        with suppress(TimeoutError):
            async with asyncio.timeout(STALE_S):
                await look.wait()
        if not self.on or self.admit(request):
            return
        if self._looks == looks:
            raise Unavailable("the API key cannot be checked: the database does not answer")
        raise Unauthenticated("the API key is not known")

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LEAST_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_S - _LEAST_S):
                    await self._asked.wait()
            await self._look()

    async def _look(self) -> None:
        """Read what happened since the last look. Who begins to wait from here on waits for the look after it."""
        look, self._looking = self._looking, asyncio.Event()
        self._asked.clear()
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                events = await keys.read_key_events(self._connections, self._position)
            self._learn(events)
        except (DatabaseUnavailable, TimeoutError):
            _log.warning("API keys could not be read; the database does not answer")
        except Exception:  # noqa: BLE001  whatever happens to one look, the next is made
            _log.exception("API keys could not be read")
        else:
            self._fresh_since(began)
        look.set()

    def _learn(self, events: list[keys.KeyEvent]) -> None:
        if events:
            self._keys = keys.apply_key_events(self._keys, events)
            self._by_digest = {key.digest: key for key in self._keys.values()}
            self._position = events[-1].position
            self._end_what_lasts()
        self.on = self._mode == "on" or self._position > 0

    def _end_what_lasts(self) -> None:
        """Cut off the streams of keys that were revoked; on other routes a request is over before long."""
        in_force = {key.digest for key in self._keys.values() if key.revoked_at is None}
        for digest in self._lasting.keys() - in_force:
            for request in self._lasting.pop(digest).values():
                if request.transport is not None:
                    request.transport.abort()

    def _fresh_since(self, began: float) -> None:
        self._looks += 1
        self._stale = False
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_at(began + STALE_S, self._expire)

    def _expire(self) -> None:
        self._stale = True


def _digest(header: str | None) -> bytes:
    if header is None:
        raise Unauthenticated("send an API key: Authorization: Bearer <secret>")
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the Authorization header must be: Bearer <secret>")
    return sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()


def _path(route: web.AbstractRoute) -> str:
    return route.resource.canonical if route.resource else ""


def _scope(route: web.AbstractRoute) -> Scope:
    path = _path(route)
    if path in OPEN:
        return Scope.OPEN
    return Scope.READ if route.method in _READING or path in READING or path == REST else Scope.WRITE
