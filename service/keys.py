"""API keys: streams of subject `key` in the ledger, created and revoked there like everything else.

An event's payload is {"name", "scope", "digest"}; the digest is the SHA-256 of the secret, which is shown once and kept
nowhere. A secret has 256 random bits, so a plain hash of it tells nobody anything; a slow one would cost every request.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from service import ledger, timestamps
from service.domain import NO_CONTENT, Kind, Subject, stream_of
from service.drafts import digest
from service.ledger import LOG, Draft, Outcome
from service.link import Link, load
from service.schemas import KeyPayload, decode_key_payload
from service.subjects import Said

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


SCOPES = {"read": Scope.READ, "write": Scope.WRITE, "admin": Scope.ADMIN}


class KeyExists(Exception):
    """A key of this name was created and not revoked since."""


class NoSuchKey(Exception):
    """No key of this name is in force."""


class Key(NamedTuple):
    """A key as its events make it; `digest` is empty where its payload was erased, and nothing matches it then."""

    name: str
    scope: str
    digest: bytes
    position: int
    created_at: datetime
    revoked_at: datetime | None = None


class KeyEvent(NamedTuple):
    """A row of the ledger that is about a key."""

    position: int
    kind: str
    recorded_at: datetime
    payload: str | None


async def any_keys(dsn: str) -> bool:
    """Say whether a key was ever created: then callers are asked for one, though all may be revoked by now.

    Raises Unreachable.
    """
    link = Link(dsn)
    try:
        async with link.connection() as connection:
            return bool(await connection.fetchval(_ANY, LOG))
    finally:
        await link.close()


async def events_after(link: Link, position: int) -> list[KeyEvent]:
    """Return what happened to keys after a position. Raises Unreachable."""
    async with link.connection() as connection:
        return [KeyEvent(*row) for row in await connection.fetch(_EVENTS, LOG, position)]


def fold(standing: Mapping[str, Key], events: Iterable[KeyEvent]) -> dict[str, Key]:
    """Return the keys, revoked ones too, by name; a name may be created again after it was revoked."""
    found = dict(standing)
    for event in events:
        if event.payload is None:  # archived or erased: the key it was about cannot be told
            continue
        said = decode_key_payload(event.payload)
        if event.kind == Kind.CREATED:
            key = Key(said.name, said.scope, bytes.fromhex(said.digest), event.position, event.recorded_at)
            found[said.name] = key
        elif said.name in found:
            found[said.name] = found[said.name]._replace(position=event.position, revoked_at=event.recorded_at)
    return found


async def all_keys(link: Link) -> dict[str, Key]:
    """Return all keys by name. Raises Unreachable."""
    return fold({}, await events_after(link, 0))


async def create(link: Link, name: str, scope: str) -> str:
    """Create a key and return its secret, which nobody can ever see again. Raises KeyExists."""
    secret = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    hashed = sha256(secret.encode()).hexdigest()

    def judge(standing: Key | None) -> KeyPayload:
        if standing and standing.revoked_at is None:
            raise KeyExists(name)
        return KeyPayload(name, scope, hashed)

    await _append(link, name, Kind.CREATED, judge)
    return secret


async def revoke(link: Link, name: str) -> None:
    """Revoke a key. Raises NoSuchKey."""

    def judge(standing: Key | None) -> KeyPayload:
        if standing is None or standing.revoked_at is not None:
            raise NoSuchKey(name)
        return KeyPayload(name, standing.scope, standing.digest.hex())

    await _append(link, name, Kind.REVOKED, judge)


async def _append(link: Link, name: str, kind: Kind, judge: Callable[[Key | None], KeyPayload]) -> None:
    """Record what the judge says of the key as it stands, unless another process was quicker: then ask it again."""
    for _ in range(_ROUNDS):
        standing = (await all_keys(link)).get(name)
        draft = _draft(name, kind, judge(standing))
        appended = await ledger.append(link, [draft], [standing.position if standing else 0])
        if appended.outcomes[0] == Outcome.RECORDED:
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
        fact=digest(kind, payload.digest),
        request_digest=None,
        payload_digest=sha256(body).digest(),
        payload=body.decode(),
        said=Said(NO_CONTENT),
    )
