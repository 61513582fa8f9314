"""API keys: streams of subject `key` in the ledger, created and revoked there like everything else.

An event's payload is {"name", "scope", "digest"}; the digest is the SHA-256 of the secret, which is shown once
and kept nowhere. A secret has 256 random bits: nobody finds it from a plain hash, and a slow one would cost every
request.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from service.database.connections import Connections
from service.database.statements import load
from service.domain import timestamps
from service.domain.draft import Draft
from service.domain.event import Kind, Subject
from service.domain.ids import stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.ledger.drafts import short_digest
from service.ledger.events import LOG, AppendOutcome, append_events

_ANY = load("any_keys")
_EVENTS = load("key_events")
_PREFIX = "rf_"
_RANDOM_BYTES = 32
_ROUNDS = 3


class Scope(IntEnum):
    """What a key may do; each includes the ones before it. OPEN is what needs no key."""

    OPEN = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


ScopeName = Literal["read", "write", "admin"]

SCOPES: dict[ScopeName, Scope] = {"read": Scope.READ, "write": Scope.WRITE, "admin": Scope.ADMIN}


class KeyExists(Exception):
    """A key of this name was created and not revoked since."""


class NoSuchKey(Exception):
    """No key of this name is in force."""


class KeyPayload(msgspec.Struct):
    """What the events of a key carry; the digest in hexadecimal."""

    name: str
    scope: ScopeName
    digest: str


_decode = msgspec.json.Decoder(KeyPayload).decode


class Key(NamedTuple):
    """A key as its events make it."""

    name: str
    scope: ScopeName
    digest: bytes
    position: int
    created_at: datetime
    revoked_at: datetime | None = None


class KeyEvent(NamedTuple):
    """A row of the ledger that is about a key."""

    position: int
    stream: UUID
    kind: str
    recorded_at: datetime
    payload: str | None


async def any_key_exists(dsn: str) -> bool:
    """Say whether a key was ever created: then callers are asked for one, though all may be revoked by now.

    Raises DatabaseUnavailable.
    """
    async with Connections(dsn) as connections, connections.connection() as connection:
        return bool(await connection.fetchval(_ANY, LOG))


async def read_key_events(connections: Connections, position: int) -> list[KeyEvent]:
    """Return what happened to keys after a position. Raises DatabaseUnavailable."""
    async with connections.connection() as connection:
        return [KeyEvent(*row) for row in await connection.fetch(_EVENTS, LOG, position)]


def apply_key_events(standing: Mapping[UUID, Key], events: Iterable[KeyEvent]) -> dict[UUID, Key]:
    """Return the keys by stream, revoked ones too; a name may be created again after it was revoked."""
    found = dict(standing)
    for event in events:
        if event.kind == Kind.REVOKED:
            if key := found.get(event.stream):
                found[event.stream] = key._replace(position=event.position, revoked_at=event.recorded_at)
        elif event.payload is not None:  # archived or erased, it lets nobody in
            decoded = _decode(event.payload)
            digest_ = bytes.fromhex(decoded.digest)
            found[event.stream] = Key(decoded.name, decoded.scope, digest_, event.position, event.recorded_at)
    return found


async def all_keys(connections: Connections) -> dict[UUID, Key]:
    """Return all keys by stream. Raises DatabaseUnavailable."""
    return apply_key_events({}, await read_key_events(connections, 0))


async def create_key(connections: Connections, name: str, scope: ScopeName) -> str:
    """Create a key and return its secret, which nobody can ever see again. Raises KeyExists."""
    secret = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    hashed = sha256(secret.encode()).hexdigest()

    def judge(standing: Key | None) -> KeyPayload:
        if standing and standing.revoked_at is None:
            raise KeyExists(name)
        return KeyPayload(name, scope, hashed)

    await _append(connections, name, Kind.CREATED, judge)
    return secret


async def revoke_key(connections: Connections, name: str) -> None:
    """Revoke a key. Raises NoSuchKey."""

    def judge(standing: Key | None) -> KeyPayload:
        if standing is None or standing.revoked_at is not None:
            raise NoSuchKey(name)
        return KeyPayload(name, standing.scope, standing.digest.hex())

    await _append(connections, name, Kind.REVOKED, judge)


async def _append(connections: Connections, name: str, kind: Kind, judge: Callable[[Key | None], KeyPayload]) -> None:
    """Record what the judge says of the key as it stands; where another process was quicker, ask it again."""
    for _ in range(_ROUNDS):
        standing = (await all_keys(connections)).get(stream_of("key", name))
        draft = _draft(name, kind, judge(standing))
        appended = await append_events(connections, [draft], [standing.position if standing else 0])
        if appended.outcomes[0] == AppendOutcome.RECORDED:
            return
    raise KeyExists(name)


def _draft(name: str, kind: Kind, payload: KeyPayload) -> Draft:
    body = msgspec.json.encode(payload)
    return Draft(
        subject=Subject.KEY,
        stream=stream_of("key", name),
        kind=kind,
        state=None,
        transitioned_at=timestamps.now(),
        namespace=None,
        job=None,
        parent_run=None,
        source="api",
        actor=None,
        fact=short_digest(kind, payload.digest),
        request_digest=None,
        payload_digest=sha256(body).digest(),
        payload=body.decode(),
        decoded=EMPTY_PAYLOAD,
    )
