"""API keys: streams of subject `key` in the ledger, which events create and revoke.

The payload of an event is {"name", "scope", "digest"}. The digest is the SHA-256 of the secret, which is shown once and
not stored. A secret has 256 random bits, so it cannot be found from a fast hash; a slow hash would delay every request.

A key that is bound to namespaces has {"namespaces"}, too, and another digest: see `bound_digest`.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from hashlib import sha256
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from service.database.connections import Connections
from service.database.statements import load
from service.domain import timestamps
from service.domain.binding import NOWHERE, Binding, parse_binding
from service.domain.draft import Draft
from service.domain.event import CLI, Kind, Subject
from service.domain.ids import stream_of
from service.domain.payload import EMPTY_PAYLOAD
from service.errors import OperatorError
from service.ledger.drafts import short_digest
from service.ledger.events import LOG, AppendOutcome, append_events

_ANY_KEYS, _KEY_EVENTS = load("any_keys"), load("key_events")
_PREFIX = "rf_"
_RANDOM_BYTES = 32
_MAX_ATTEMPTS = 3


class Scope(IntEnum):
    """The rights of a key; each scope includes those before it. OPEN needs no key."""

    OPEN = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


ScopeName = Literal["read", "write", "admin"]

SCOPES: dict[ScopeName, Scope] = {"read": Scope.READ, "write": Scope.WRITE, "admin": Scope.ADMIN}


class KeyExists(Exception):
    """There is a key of this name that is not revoked."""


class NoSuchKey(Exception):
    """There is no key of this name, or it is revoked."""


class KeyPayload(msgspec.Struct):
    """The payload of the events of a key; the digest in hexadecimal. `namespaces`: the patterns of a bound key."""

    name: str
    scope: ScopeName
    digest: str
    namespaces: tuple[str, ...] | UnsetType = UNSET


_decode = msgspec.json.Decoder(KeyPayload).decode


class Key(NamedTuple):
    """The state of a key. `binding`: the namespaces that it is bound to; None: it is for all."""

    name: str
    scope: ScopeName
    digest: bytes
    position: int
    created_at: datetime
    revoked_at: datetime | None = None
    binding: Binding | None = None


class KeyEvent(NamedTuple):
    """An event of a key, with its payload (None: archived or erased)."""

    position: int
    stream: UUID
    kind: str
    recorded_at: datetime
    payload: str | None


def bound_digest(digest: bytes) -> bytes:
    """Return the digest of a key that is bound to namespaces, from the SHA-256 of its secret.

    A program of a version that knows no such keys ignores `namespaces`: it must not admit the secret at all.
    """
    return sha256(b"bound to namespaces:" + digest).digest()


async def any_key_exists(dsn: str) -> bool:
    """Return whether a key was ever created. From then on requests need a key, even if all keys are revoked.

    Raises DatabaseUnavailable.
    """
    async with Connections(dsn) as connections, connections.connection() as connection:
        return bool(await connection.fetchval(_ANY_KEYS, LOG))


async def read_key_events(connections: Connections, position: int) -> list[KeyEvent]:
    """Return the events of keys after a position. Raises DatabaseUnavailable."""
    async with connections.connection() as connection:
        rows = await connection.fetch(_KEY_EVENTS, LOG, position)
    return [KeyEvent(row["position"], row["stream"], row["kind"], row["recorded_at"], row["body"]) for row in rows]


def apply_key_events(current: Mapping[UUID, Key], events: Iterable[KeyEvent]) -> dict[UUID, Key]:
    """Return the keys by stream, with the revoked ones. A key may be created again after it was revoked."""
    keys = dict(current)
    for event in events:
        if event.kind == Kind.REVOKED:
            if key := keys.get(event.stream):
                keys[event.stream] = key._replace(position=event.position, revoked_at=event.recorded_at)
        elif event.payload is not None:  # without its payload a key is not valid
            decoded = _decode(event.payload)
            digest = bytes.fromhex(decoded.digest)
            binding = None if decoded.namespaces is UNSET else _read_binding(decoded.namespaces)
            keys[event.stream] = Key(
                decoded.name, decoded.scope, digest, event.position, event.recorded_at, binding=binding
            )
    return keys


def _read_binding(patterns: tuple[str, ...]) -> Binding:
    """Return a key's binding. A key with a pattern that this program cannot read is bound to no namespace at all."""
    try:
        return parse_binding(patterns)
    except ValueError:
        return NOWHERE._replace(patterns=patterns)


async def all_keys(connections: Connections) -> dict[UUID, Key]:
    """Return all keys by stream. Raises DatabaseUnavailable."""
    return apply_key_events({}, await read_key_events(connections, 0))


async def create_key(
    connections: Connections,
    name: str,
    scope: ScopeName,
    actor: str | None = None,
    binding: Binding | None = None,
) -> str:
    """Create a key and return its secret, which cannot be read again; `actor` creates it.

    `binding`: the namespaces that it is bound to; None: it is for all. Raises KeyExists, and OperatorError where others
    change the key at the same time.
    """
    secret = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    digest = sha256(secret.encode()).digest()
    payload = KeyPayload(name, scope, digest.hex())
    if binding is not None:
        payload = KeyPayload(name, scope, bound_digest(digest).hex(), binding.patterns)

    def decide(key: Key | None) -> KeyPayload:
        if key and key.revoked_at is None:
            raise KeyExists(name)
        return payload

    await _append(connections, name, Kind.CREATED, actor, decide)
    return secret


async def revoke_key(connections: Connections, name: str, actor: str | None = None) -> None:
    """Revoke a key; `actor` revokes it. Raises NoSuchKey, OperatorError."""

    def decide(key: Key | None) -> KeyPayload:
        if key is None or key.revoked_at is not None:
            raise NoSuchKey(name)
        return KeyPayload(name, key.scope, key.digest.hex(), key.binding.patterns if key.binding else UNSET)

    await _append(connections, name, Kind.REVOKED, actor, decide)


async def _append(
    connections: Connections, name: str, kind: Kind, actor: str | None, decide: Callable[[Key | None], KeyPayload]
) -> None:
    """Append the event that `decide` returns for the key's state; decide again if another process was faster."""
    for _ in range(_MAX_ATTEMPTS):
        key = (await all_keys(connections)).get(stream_of("key", name))
        draft = _draft(name, kind, decide(key), actor)
        appended = await append_events(connections, [draft], [key.position if key else 0])
        if appended.outcomes[0] == AppendOutcome.RECORDED:
            return
    raise OperatorError(f"Others changed the key {name} during each attempt; run this again.")


def _draft(name: str, kind: Kind, payload: KeyPayload, actor: str | None) -> Draft:
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
        source=CLI,
        actor=actor,
        fact=short_digest(kind, payload.digest),
        request_digest=None,
        payload_digest=sha256(body).digest(),
        payload=body.decode(),
        decoded=EMPTY_PAYLOAD,
    )
