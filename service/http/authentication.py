"""Admits requests that have an API key of the scope that their route needs.

The ledger holds the keys. Each process follows it: it reads the key events after the last one that it knows. No request
is admitted on knowledge older than STALE_S: while the database cannot be read, requests are answered 503. So a revoked
key stops working within that time in every process, whatever happens.
"""

import asyncio
import hmac
import logging
from contextlib import suppress
from hashlib import sha256
from uuid import UUID
from weakref import WeakValueDictionary

from aiohttp import hdrs, web

from service.auth import keys
from service.auth.keys import SCOPES, Key, bound_digest
from service.database.connections import Connections
from service.errors import DatabaseUnavailable, Forbidden, OutsideNamespaces, Unauthenticated, Unavailable
from service.http.cross_site import CrossSiteGuard
from service.http.key_limits import KeyLimits
from service.http.route import CONTEXT, Context, Reach, Route

STALE_S = 5.0
"""Seconds after which a revoked key no longer works in any process."""

_REFRESH_S = 2.0
_MIN_INTERVAL_S = 1.0
"""Minimum seconds between two refreshes: requests with unknown keys cannot make the service query more often."""

_TIMEOUT_S = 2.0

_log = logging.getLogger(__name__)


class Authenticator:
    """The API keys as this process knows them."""

    def __init__(
        self, connections: Connections, mode: str, cross_site: CrossSiteGuard, limits: KeyLimits | None = None
    ) -> None:
        """Take a connection of its own, the mode (auto, on or off), and what is checked while no key is required.

        `limits`: how many requests each key may send; None: any number.
        """
        self._limits = limits
        self._cross_site = cross_site
        self._connections = connections
        self._mode = mode
        self._keys: dict[UUID, Key] = {}
        self._by_digest: dict[bytes, Key] = {}
        self._position = 0
        self._long_lasting: dict[bytes, WeakValueDictionary[int, web.Request]] = {}
        self._task: asyncio.Task[None] | None = None
        self._refresh_requested = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._next_refresh = asyncio.Event()
        self._refreshes = 0
        self._stale = True
        self._failure = "they have not been read yet"
        self._read_all = self._failing = False
        self.on = mode != "off"
        """Whether requests need a key. In mode `auto` it is true until the keys were read once."""

    async def start(self) -> None:
        """Read the keys and start to follow them."""
        if self._mode != "off":
            await self._refresh()
            self._task = asyncio.create_task(self._follow(), name="guard")

    async def close(self) -> None:
        """Stop following."""
        if self._expiry is not None:
            self._expiry.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._connections.close()

    def admit(self, request: web.Request, route: Route) -> bool:
        """Admit a request, and put its key's name and binding into CONTEXT. False: the key is unknown (admit_later).

        Raises Unauthenticated, Forbidden, RateLimited, or Unavailable while keys cannot be checked; CrossSite while no
        key is required.
        """
        if not self.on:
            self._cross_site.check(request, route)
            return True
        if not route.scope:
            return True
        if self._stale:
            raise Unavailable(f"API keys cannot be checked: {self._failure}")
        digest = _digest(request.headers.get(hdrs.AUTHORIZATION))
        key = self._by_digest.get(digest)
        if key is None:
            digest = bound_digest(digest)
            key = self._by_digest.get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            return False
        if self._limits is not None and request[CONTEXT].actor is None:  # not when it is checked again
            self._limits.take(key.name)
        _check_rights(key, route)
        request[CONTEXT] = Context(route, key.name, key.binding, key.scope)
        if route.long_lasting or not request.content.is_eof():
            self._long_lasting.setdefault(digest, WeakValueDictionary())[id(request)] = request
        elif digest in self._long_lasting:
            self._long_lasting[digest].pop(id(request), None)  # its body was incomplete before
        return True

    def admit_again(self, request: web.Request) -> None:
        """Check the key of an admitted request again: the client may have taken its time to send the body.

        Raises like `admit`, and Unauthenticated for a key that is not known any more.
        """
        if not self.admit(request, request[CONTEXT].route):
            raise Unauthenticated("the API key is not known, or was revoked")

    async def admit_later(self, request: web.Request, route: Route) -> None:
        """Admit a request whose key is found by the next refresh: it may have been created a moment ago."""
        self._refresh_requested.set()
        refreshed, refreshes = self._next_refresh, self._refreshes
        with suppress(TimeoutError):
            async with asyncio.timeout(STALE_S):
                await refreshed.wait()
        if self.admit(request, route):
            return
        if self._refreshes == refreshes:
            raise Unavailable(f"the API key cannot be checked: {self._failure}")
        raise Unauthenticated("the API key is not known, or was revoked")

    def forget_positions(self) -> None:
        """Read all keys again: the ledger has lost its tail, and a key may be created or revoked at an old position.

        If requests needed a key, they go on to need one, even if all keys are lost.
        """
        self._read_all = True
        self._refresh_requested.set()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_MIN_INTERVAL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_S - _MIN_INTERVAL_S):
                    await self._refresh_requested.wait()
            await self._refresh()

    async def _refresh(self) -> None:
        """Read the key events since the last refresh. Requests that start to wait meanwhile wait for the next one."""
        refreshed, self._next_refresh = self._next_refresh, asyncio.Event()
        self._refresh_requested.clear()
        began = asyncio.get_running_loop().time()
        read_all, self._read_all = self._read_all, False
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                events = await keys.read_key_events(self._connections, 0 if read_all else self._position)
            if read_all:
                self._keys, self._by_digest = {}, {}
            self._apply(events)
        except (DatabaseUnavailable, TimeoutError) as error:
            self._read_all = read_all or self._read_all
            timeout = "the database did not answer in time"
            self._failure = error.detail if isinstance(error, DatabaseUnavailable) else timeout
            if not self._failing and not isinstance(error, DatabaseUnavailable):  # which the connections have logged
                _log.warning("API keys could not be read: %s", timeout)
            self._failing = True
        except Exception:  # noqa: BLE001  a refresh that fails must not end the task: the next one may succeed
            self._failure = "an internal error; see the log"
            _log.exception("API keys could not be read")
        else:
            self._mark_fresh(began)
        refreshed.set()

    def _apply(self, events: list[keys.KeyEvent]) -> None:
        if events:
            self._keys = keys.apply_key_events(self._keys, events)
            self._by_digest = {key.digest: key for key in self._keys.values()}
            self._position = events[-1].position
            self._cut_off_revoked()
        self.on = self._mode == "on" or self._position > 0

    def _cut_off_revoked(self) -> None:
        """Abort the requests of revoked keys that are long-lasting, or whose body is incomplete. Others end soon."""
        in_force = {key.digest for key in self._keys.values() if key.revoked_at is None}
        for digest in self._long_lasting.keys() - in_force:
            for request in self._long_lasting.pop(digest).values():
                if request.transport is not None:
                    request.transport.abort()

    def _mark_fresh(self, began: float) -> None:
        self._refreshes += 1
        self._stale = self._failing = False
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_at(began + STALE_S, self._expire)

    def _expire(self) -> None:
        self._stale = True


def _check_rights(key: Key, route: Route) -> None:
    """Raise Unauthenticated for a revoked key, and Forbidden for one that may not use the route."""
    if key.revoked_at is not None:
        raise Unauthenticated("the API key was revoked")
    if SCOPES[key.scope] < route.scope:
        raise Forbidden(f"the scope of API key {key.name} is {key.scope}; this needs {route.scope.name.lower()}")
    if key.binding is not None and route.reach is Reach.ALL:
        raise OutsideNamespaces(f"API key {key.name} is bound to {key.binding}; this is about all namespaces")


GUARD = web.AppKey("guard", Authenticator)


def check_again(request: web.Request) -> None:
    """Check the API key of an admitted request again, as `Authenticator.admit_again` does."""
    request.app[GUARD].admit_again(request)


def _digest(header: str | None) -> bytes:
    if header is None:
        raise Unauthenticated("send an API key: Authorization: Bearer <secret>")
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the Authorization header must be: Bearer <secret>")
    return sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()
