"""The errors of Runfold. service/http/problems.py alone maps them to HTTP responses. Those of NotFound: not_found.py.

The docstring of each class is its page at /errors/{code}: the meaning and, after an empty line, what to do.

RunfoldError
├── Malformed                 the body, a parameter or a timestamp cannot be parsed
│   └── ValueRefused          PostgreSQL refuses a value
├── Unauthenticated           no API key, or not a valid one
├── Forbidden                 the API key's scope does not allow the request
│   ├── OutsideNamespaces     the API key is bound to other namespaces
│   └── CrossSite             without authentication: a foreign Host, or a page of another origin
├── NotFound                  no such run, job, namespace or route
│   ├── RunNotFound
│   ├── JobNotFound
│   ├── JobVersionNotFound
│   ├── DatasetNotFound
│   ├── DatasetVersionNotFound
│   ├── FieldNotFound
│   ├── SourceNotFound
│   └── NamespaceNotFound
├── Conflict                  the request contradicts the run's history; has the current run
├── RateLimited               the clients with this API key send too many requests
├── TooSlow                   the body did not arrive in time
├── TooLarge                  the body has too many bytes
├── UnsupportedType           the body has an unsupported type or encoding
├── Invalid                   well-formed, but it cannot be recorded
│   └── KeyReused             an Idempotency-Key was used before with other content
└── Unavailable               temporary; it may have been recorded or not
    ├── Overloaded            the queue is full; nothing was recorded
    ├── ClockAhead            the database's clock is wrong; nothing was recorded
    └── DatabaseUnavailable   the database did not execute a statement, and why

OperatorError                 a command of the program failed; for operators, not for callers of the API
└── ExtraMissing              a package that only an extra installs is needed
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class FieldError(NamedTuple):
    """An error in a field of a request."""

    field: str
    message: str


class RunfoldError(Exception):
    """The service failed. It has logged the reason under the X-Request-ID of the response.

    Report it to the operator of the service, with the X-Request-ID. The `code` of every error is stable: clients may
    rely on it.
    """

    code = "internal"
    title = "Internal error"
    extensions: Mapping[str, bytes] = MappingProxyType({})
    """Further members of the problem (RFC 9457, 3.2), each as JSON."""

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        """Take the message for the caller, and the errors of fields."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Malformed(RunfoldError):
    """The body, a parameter or a timestamp cannot be parsed: broken JSON, a wrong type, a date without a time.

    Correct the request; `detail` names the error and its place. The same request will fail again. Encode the `+` of
    a time's offset as `%2B`; a space in its place is accepted, too.
    """

    code = "malformed"
    title = "The request cannot be read"


class ValueRefused(Malformed):
    """PostgreSQL refuses a value of the request; the same request will fail again. `reason` is the driver's message."""

    def __init__(self, reason: str) -> None:
        """Take the message of the server or of the driver."""
        super().__init__(f"a value cannot be used: {reason}")
        self.reason = reason


class Unauthenticated(RunfoldError):
    """The service requires an API key. The request has none, or it is unknown or revoked.

    Send `Authorization: Bearer <secret>`. The operator of the service creates keys with `runfold keys create NAME
    --scope read|write|admin`. A new key is valid in all processes within 5 seconds.
    """

    code = "unauthenticated"
    title = "An API key is needed"


class Forbidden(RunfoldError):
    """The API key is valid, but its scope does not allow this request.

    Use a key of scope `write` for requests that record something; `read` is enough for GET and for looking up runs.
    """

    code = "forbidden"
    title = "The API key does not allow this"


class OutsideNamespaces(Forbidden):
    """The API key is bound to namespaces, and the request concerns others. Nothing was recorded.

    Use names in the namespaces of the key. If a run id is refused, another team may use it: ids that a program makes
    from names or times are not unique across teams. The ledger's head, its verification and the metrics are about all
    namespaces, so they need a key that is not bound.
    """

    code = "outside-namespaces"
    title = "The API key is bound to other namespaces"

    @classmethod
    def of_run(cls, run_id: str) -> OutsideNamespaces:
        """Return the error for a run id that is in use elsewhere. It says nothing else of that run."""
        return cls(f"the id of run '{run_id}' is not free for this API key; use another id")


class CrossSite(Forbidden):
    """The service requires no API key, and a web page of another site may have caused this request.

    Programs: use the address that the service listens on, or let the operator start it with `--allowed-hosts` and the
    name that you use. With API keys (`--auth on`), any name is answered.
    """

    code = "cross-site"
    title = "The request may come from a foreign web page"


class NotFound(RunfoldError):
    """The resource does not exist, or did not exist at the requested time.

    Check the path. Names are percent-encoded: a `/` in a name is `%2F`.
    """

    code = "not-found"
    title = "Not found"


class ConflictKind(StrEnum):
    """Why a request contradicts a run's history."""

    START_AFTER_END = "start_after_end"
    OTHER_END = "other_end"
    OTHER_CONTENT = "other_content"


class Conflict(RunfoldError):
    """The run ended in another state or before this start, or was created with other content. Nothing was recorded.

    `run` in the response is the current run. The same request will fail again. If reports of two ends contradict each
    other, find out which one is true.
    """

    code = "conflict"
    title = "The request contradicts the run's history"

    def __init__(self, detail: str, run: bytes, kind: ConflictKind) -> None:
        """Take the message, the current run as JSON, and the reason."""
        super().__init__(detail)
        self.run = run
        self.kind = kind


class RateLimited(RunfoldError):
    """The clients with this API key send more requests than `--requests-per-key` allows. Nothing was recorded.

    Repeat the request after `Retry-After` seconds, and send fewer: several events as one batch
    (`POST /api/v1/lineage/batch`), which is slowed down instead of refused.
    """

    code = "rate-limited"
    title = "This API key sends too many requests"
    retry_after = 2
    """Seconds. At any limit, some requests are allowed again then; Unavailable says why it is not 1."""


class TooSlow(RunfoldError):
    """The request's body did not arrive in time. Nothing was recorded, except what `summary` of a batch counts.

    Repeat the request; nothing is recorded twice. On a slow connection, send smaller or compressed bodies
    (`Content-Encoding: gzip`).
    """

    code = "too-slow"
    title = "The body did not arrive in time"


class TooLarge(RunfoldError):
    """The body has too many bytes. Nothing was recorded, except what `summary` of a batch counts.

    Send smaller bodies. `POST /api/v1/lineage/batch` takes any number of OpenLineage events as lines
    (`application/x-ndjson`).
    """

    code = "too-large"
    title = "The request is too large"


class UnsupportedType(RunfoldError):
    """The type or encoding of the body is not supported.

    Send `Content-Type: application/json` (or `application/x-ndjson` where lines are accepted), uncompressed or with
    `Content-Encoding: gzip`.
    """

    code = "unsupported-media-type"
    title = "The type of the body is not supported"


class Invalid(RunfoldError):
    """The request is well-formed, but its content cannot be recorded. Nothing was recorded.

    A required field may be missing, a time may be more than 24 hours ahead, a text may contain a NUL character.
    Correct the fields that `errors` lists.
    """

    code = "invalid"
    title = "The request is well-formed but invalid"


class KeyReused(Invalid):
    """The `Idempotency-Key` was used before with other content for this run. Nothing was recorded.

    Use a new key for a new request, and the same key only to repeat one.
    """

    code = "idempotency-key-reused"
    title = "The Idempotency-Key was used before with other content"


class Unavailable(RunfoldError):
    """The database cannot execute the request, or the service is stopping. The request may have been recorded or not.

    Repeat the request after `Retry-After` seconds. That records nothing twice, with one exception: a run that is
    created without `id` and without `Idempotency-Key` is a new run each time. So send one of the two.
    """

    code = "unavailable"
    title = "Not available right now"
    retry_after = 2
    """Seconds.

    Clients take it in place of their own waits. openlineage-python tries six times, and waits 9 s in all between them
    by itself: 1 would shorten that to 5 s, 3 would lengthen it to 15 s, and Airflow ends its process after 10 s.
    """


class Overloaded(Unavailable):
    """The queue of waiting requests is full. Nothing was recorded.

    Repeat the request after `Retry-After` seconds, and wait longer after each further failure.
    """

    code = "overloaded"
    title = "Too many requests are waiting"


class ClockAhead(Unavailable):
    """The event would be recorded with a time far ahead of the service's clock. Nothing was recorded.

    The clock of the database or that of the service is wrong. Repeat the request later; the operator of the service
    has to correct the clock.
    """

    code = "clock-ahead"
    title = "A clock is wrong"


class DatabaseUnavailable(Unavailable):
    """The database did not execute a statement, or it is unknown whether it did.

    `detail` names the cause, for callers. `reason` is the server's own message, for operators: it may name a role or a
    database. `sqlstate` is None if there is none, as when the server did not answer.
    """

    def __init__(self, detail: str, reason: str = "", sqlstate: str | None = None) -> None:
        """Take the message for callers, the server's message and its SQLSTATE."""
        super().__init__(detail)
        self.reason = reason
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        """Return both messages, for the log."""
        return f"{self.detail} ({self.reason})" if self.reason else self.detail


class OperatorError(Exception):
    """A command failed. The message has the cause, and what the operator can do about it."""


class ExtraMissing(OperatorError):
    """A package that only an extra of Runfold installs is needed."""

    def __init__(self, what: str, extra: str) -> None:
        python = shlex.quote(sys.executable)
        super().__init__(
            f"{what}: {python} -m pip install 'runfold[{extra}]' (an image is built with {extra.upper()}=yes)."
        )
