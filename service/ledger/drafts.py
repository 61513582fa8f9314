"""Makes events to be appended of what callers say: the columns, and the fact that makes each this one and no other."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import orjson

from service.domain.draft import Draft
from service.domain.event import NO_CONTENT, Content, Kind, RunState, Subject, make_tuple
from service.domain.ids import job_id, namespace_id
from service.domain.payload import EMPTY_PAYLOAD, PayloadContent
from service.domain.run import Created, run_registers_of

_FACT_BYTES = 16


def short_digest(*parts: str | bytes) -> bytes:
    """Return 16 bytes of SHA-256 over parts, each behind its length."""
    return _fact(_behind_lengths(*parts))


def _behind_lengths(*parts: str | bytes) -> bytes:
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join([b"%d:%b" % (len(part), part) for part in raw])


def _fact(preimage: bytes) -> bytes:
    return sha256(preimage).digest()[:_FACT_BYTES]


_RUN, _TRANSITION = Subject.RUN, Kind.TRANSITION

_REPORTED = {state: _behind_lengths("transition", state) for state in RunState}
"""What the fact of a reported transition begins with."""


class Caller:
    """Who asks: the API key's name, and the Idempotency-Key, where there are any."""

    __slots__ = ("actor", "key")

    def __init__(self, actor: str | None = None, key: str | None = None) -> None:
        """Take both as they came."""
        self.actor = actor
        self.key = key

    def fact(self, *content: str | bytes) -> bytes:
        """Return the key's digest where there is a key, else the content's."""
        if self.key is not None:
            return short_digest("key", self.actor or "", self.key)
        return short_digest(*content)

    def request_digest(self, *content: str | bytes) -> bytes | None:
        """Return what a repeated key must come with."""
        return short_digest(*content) if self.key is not None else None


def transition(run_id: UUID, state: RunState, at: datetime, *, explicit: bool, caller: Caller) -> Draft:
    """Return a reported transition; `explicit` says that the caller named the time."""
    time = orjson.dumps(at)[1:-1]  # what isoformat() returns, in a fifth of the time
    keyed = caller.key is not None
    draft = (
        _RUN,
        run_id,
        _TRANSITION,
        state,
        at,
        None,
        None,
        None,
        "api",
        caller.actor,
        caller.fact() if keyed else _fact(_REPORTED[state] + b"%d:%b" % (len(time), time)),
        short_digest("transition", state, time if explicit else "") if keyed else None,
        None,
        None,
        EMPTY_PAYLOAD,
    )
    return make_tuple(Draft, draft)


def new_run(run_id: UUID, names: tuple[str, str], at: datetime, body: bytes, content: Content, caller: Caller) -> Draft:
    """Return the creation of a run; its body is kept when it says anything."""
    nominal = tuple(time.isoformat() if time else "" for time in (content.nominal_start, content.nominal_end))
    parts: tuple[str | bytes, ...] = ("new", *names, content.args, *nominal)
    says = content != NO_CONTENT
    return Draft(
        Subject.RUN,
        run_id,
        Kind.TRANSITION,
        RunState.NEW,
        at,
        *names,
        None,
        "api",
        caller.actor,
        caller.fact(*parts),
        caller.request_digest(*parts),
        sha256(body).digest() if says else None,
        body.decode() if says else None,
        PayloadContent(content),
    )


def definition(
    subject: Subject, names: tuple[str, str | None], at: datetime, body: bytes, decoded: PayloadContent, caller: Caller
) -> Draft:
    """Return the definition of a job or namespace."""
    return Draft(
        subject,
        _named(names),
        Kind.DEFINED,
        None,
        at,
        *names,
        None,
        "api",
        caller.actor,
        decoded.definition.digest if decoded.definition else short_digest(body),
        None,
        sha256(body).digest(),
        body.decode(),
        decoded,
    )


def deletion(subject: Subject, names: tuple[str, str | None], at: datetime, caller: Caller) -> Draft:
    """Return the deletion of a job or namespace: a mark, nothing is removed."""
    return Draft(
        subject,
        _named(names),
        Kind.DELETED,
        None,
        at,
        *names,
        None,
        "api",
        caller.actor,
        short_digest("deleted", at.isoformat()),
        None,
        None,
        None,
        EMPTY_PAYLOAD,
    )


def _named(names: tuple[str, str | None]) -> UUID:
    namespace, job = names
    return namespace_id(namespace) if job is None else job_id(namespace, job)


def created_register(draft: Draft) -> Created:
    """Return the register that the creation of a run sets."""
    created = run_registers_of(draft.at(0, draft.transitioned_at), draft.decoded.content).created
    assert created is not None  # noqa: S101  registers of any event name how the run came to be known
    return created
