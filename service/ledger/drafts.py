"""Makes drafts of events from requests: the columns, and the fact by which the ledger knows a repeated event."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import orjson

from service.domain.binding import Binding
from service.domain.draft import Draft, Target
from service.domain.event import FACT_BYTES, MONITOR, NO_CONTENT, Content, Kind, RunState, Subject, make_tuple
from service.domain.payload import EMPTY_PAYLOAD, PayloadContent
from service.domain.run import Created, run_registers_of
from service.domain.silence import SetBy, Silence
from service.domain.tags import TagChange
from service.payloads.records import write_silence


def short_digest(*parts: str | bytes) -> bytes:
    """Return 16 bytes of SHA-256 over parts, each preceded by its length."""
    return _fact(_with_lengths(*parts))


def _with_lengths(*parts: str | bytes) -> bytes:
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join([b"%d:%b" % (len(part), part) for part in raw])


def _fact(preimage: bytes) -> bytes:
    return sha256(preimage).digest()[:FACT_BYTES]


_RUN, _TRANSITION = Subject.RUN, Kind.TRANSITION

_REPORTED = {state: _with_lengths("transition", state) for state in RunState}
"""The beginning of the text whose digest is the fact of a reported transition."""


def reported_fact(state: RunState, at: datetime) -> bytes:
    """Return the fact of a transition that is reported without an Idempotency-Key."""
    time = orjson.dumps(at)[1:-1]  # equals isoformat(), in a fifth of the time
    return _fact(_REPORTED[state] + b"%d:%b" % (len(time), time))


class Caller:
    """The caller of a request: the name of its API key and its Idempotency-Key; None where it has none.

    `binding`: the namespaces that the API key is bound to; None: it is for all.
    """

    __slots__ = ("actor", "binding", "key")

    def __init__(self, actor: str | None = None, key: str | None = None, binding: Binding | None = None) -> None:
        """Take the name, the key and the binding."""
        self.actor = actor
        self.key = key
        self.binding = binding

    def fact(self, *content: str | bytes) -> bytes:
        """Return the digest of the Idempotency-Key, or without a key that of the content."""
        if self.key is not None:
            return short_digest("key", self.actor or "", self.key)
        return short_digest(*content)

    def request_digest(self, *content: str | bytes) -> bytes | None:
        """Return the digest that a request with the same Idempotency-Key must have; None without a key."""
        return short_digest(*content) if self.key is not None else None


def transition(run_id: UUID, state: RunState, at: datetime, *, explicit: bool, caller: Caller) -> Draft:
    """Return a reported transition. `explicit`: the caller gave the time, it is not the time of the request."""
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
        caller.fact() if keyed else reported_fact(state, at),
        short_digest("transition", state, orjson.dumps(at)[1:-1] if explicit else "") if keyed else None,
        None,
        None,
        EMPTY_PAYLOAD,
    )
    return make_tuple(Draft, draft)


def inferred_end(run_id: UUID, silence: Silence, set_by: SetBy) -> Draft:
    """Return the end of a run that is inferred from a silence; of several after one event, one is recorded."""
    payload = write_silence(silence, set_by)
    return Draft(
        Subject.RUN,
        run_id,
        Kind.TRANSITION,
        RunState.ABORTED,
        silence.ended_at,
        None,
        None,
        None,
        MONITOR,
        None,
        short_digest("silent", str(silence.last_position)),
        None,
        sha256(payload).digest(),
        payload.decode(),
        PayloadContent(Content(silence=silence)),
    )


def new_run(run_id: UUID, names: tuple[str, str], at: datetime, body: bytes, content: Content, caller: Caller) -> Draft:
    """Return the creation of a run. Its body is kept if it has content."""
    nominal = tuple(time.isoformat() if time else "" for time in (content.nominal_start, content.nominal_end))
    parts: tuple[str | bytes, ...] = ("new", *names, content.args, *nominal)
    has_content = content != NO_CONTENT
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
        sha256(body).digest() if has_content else None,
        body.decode() if has_content else None,
        PayloadContent(content),
    )


def definition(target: Target, at: datetime, body: bytes, decoded: PayloadContent, caller: Caller) -> Draft:
    """Return a definition; `body`: its payload."""
    fact = decoded.definition.digest if decoded.definition else short_digest(body)
    return _change(target, Kind.DEFINED, at, fact, body, caller)._replace(decoded=decoded)


def deletion(target: Target, at: datetime, caller: Caller, payload: bytes | None = None) -> Draft:
    """Return a deletion. It hides the name; nothing is removed."""
    return _change(target, Kind.DELETED, at, short_digest("deleted", at.isoformat()), payload, caller)


def tag_change(target: Target, change: TagChange, at: datetime, payload: bytes, caller: Caller) -> Draft:
    """Return the change of a tag of a job or dataset."""
    kind = Kind.TAGGED if change.added else Kind.UNTAGGED
    draft = _change(target, kind, at, short_digest(kind, at.isoformat(), payload), payload, caller)
    return draft._replace(decoded=PayloadContent(NO_CONTENT, tags=(change,)))


def _change(target: Target, kind: Kind, at: datetime, fact: bytes, payload: bytes | None, caller: Caller) -> Draft:
    return Draft(
        target.subject,
        target.stream,
        kind,
        None,
        at,
        target.namespace,
        target.job,
        None,
        "api",
        caller.actor,
        fact,
        None,
        sha256(payload).digest() if payload is not None else None,
        payload.decode() if payload is not None else None,
        EMPTY_PAYLOAD,
    )


def created_register(draft: Draft) -> Created:
    """Return the register that the creation of a run sets."""
    created = run_registers_of(draft.at(0, draft.transitioned_at), draft.decoded.content).created
    assert created is not None  # noqa: S101  run_registers_of sets it for every transition
    return created
