"""Every error Runfold tells a caller. problems.py alone turns them into HTTP (api, "Errors").

The docstring of each class is its page at /errors/{code}: what it means, and, after an empty line, what to do.

RunfoldError
├── Malformed                 what was sent cannot be read: JSON, a parameter, a timestamp
│   └── ValueRefused          PostgreSQL does not take a value that was sent
├── Unauthenticated           no API key, or none that is known
├── Forbidden                 the API key's scope does not cover the request
├── NotFound                  no such run, job, namespace or route
│   ├── RunNotFound
│   ├── JobNotFound
│   └── NamespaceNotFound
├── Conflict                  the run's history says otherwise; carries the run as it stands
├── TooSlow                   the body did not come in time
├── TooLarge                  more bytes than are taken in one piece
├── UnsupportedType           the body is not of a type that is read
├── Invalid                   well-formed, but not something that can be recorded
│   └── KeyReused             an Idempotency-Key that came with other content before
└── Unavailable               not now; may have been recorded, safe to repeat
    ├── Overloaded            the queue is full; nothing was recorded
    └── DatabaseUnavailable   the database did not carry out a statement, and why

OperatorError                 a command cannot do its work; for whoever runs it, not for callers of the API
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class FieldError(NamedTuple):
    """One thing that is wrong, and where."""

    field: str
    message: str


class RunfoldError(Exception):
    """Something went wrong in the service. It is logged under the X-Request-ID of the answer.

    Tell whoever runs the service, with the X-Request-ID. `code` is stable in all errors: clients may lean on it.
    """

    code = "internal"
    title = "Internal error"
    extensions: Mapping[str, bytes] = MappingProxyType({})
    """Further members of the problem (RFC 9457, 3.2), each as JSON."""

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        """Take the sentence for the caller, and each field's error where there are several."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Malformed(RunfoldError):
    """The body, a parameter or a timestamp cannot be read: broken JSON, a wrong type, a date without a time.

    Correct the request; `detail` says what and where. Sent again as it is, it will fail again. A `+` in a
    time's offset must be sent as `%2B`, though a space in its place is understood.
    """

    code = "malformed"
    title = "The request cannot be read"


class ValueRefused(Malformed):
    """PostgreSQL does not take a value that was sent; sending it again does not help."""


class Unauthenticated(RunfoldError):
    """The service asks for an API key, and none came with the request, or none that is known or in force.

    Send `Authorization: Bearer <secret>`. Whoever runs the service makes keys with `runfold keys create NAME
    --scope read|write|admin`. A new key works everywhere within 5 seconds.
    """

    code = "unauthenticated"
    title = "An API key is needed"


class Forbidden(RunfoldError):
    """The API key is in force, but its scope does not cover this request.

    Use a key of scope `write` for what records something, `read` is enough for GET and for looking runs up.
    """

    code = "forbidden"
    title = "The API key does not allow this"


class NotFound(RunfoldError):
    """There is no such thing, or nothing was known of it at the time asked for.

    Check the path. Names travel percent-encoded: a `/` within a name is `%2F`.
    """

    code = "not-found"
    title = "Not found"


class RunNotFound(NotFound):
    """No event of a run with this id was ever recorded, or the id is no UUID.

    Create the run first (`POST /api/v1/namespaces/{namespace}/jobs/{job}/runs`), or send an OpenLineage event
    that names it. With `knownAt`, ask for a later time.
    """

    code = "run-not-found"
    title = "Run not found"

    def __init__(self, run_id: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Run '{run_id}' not found.")


class JobNotFound(NotFound):
    """No such job in this namespace: it was never defined nor named by a run, or it was deleted.

    Define it with `PUT /api/v1/namespaces/{namespace}/jobs/{job}`. Names travel percent-encoded.
    """

    code = "job-not-found"
    title = "Job not found"

    def __init__(self, job: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Job '{job}' not found.")


class NamespaceNotFound(NotFound):
    """No such namespace: it was never defined nor named by a job or run.

    Define it with `PUT /api/v1/namespaces/{namespace}`. Names travel percent-encoded.
    """

    code = "namespace-not-found"
    title = "Namespace not found"

    def __init__(self, namespace: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Namespace '{namespace}' not found.")


class Conflict(RunfoldError):
    """The run ended in another way, or before this start, or was created with other content. Nothing was recorded.

    Look at `run` in the answer: the run as it stands. Repeating the request will not help; a report of
    another end is for whoever knows which is true.
    """

    code = "conflict"
    title = "The run's history says otherwise"

    def __init__(self, detail: str, run: bytes) -> None:
        """Take the sentence, and the run's current view as JSON."""
        super().__init__(detail)
        self.run = run


class TooSlow(RunfoldError):
    """The request's body did not arrive in time; nothing of it was recorded, but of a batch what `summary` says.

    Send it again; nothing is recorded twice. If the line is slow, send less at once, compressed
    (`Content-Encoding: gzip`).
    """

    code = "too-slow"
    title = "The body did not come in time"


class TooLarge(RunfoldError):
    """The body holds more bytes than are taken in one piece; of a batch was recorded what `summary` says.

    Send less at once; OpenLineage events go to `POST /api/v1/lineage/batch` as lines
    (`application/x-ndjson`), of any number.
    """

    code = "too-large"
    title = "The request is too large"


class UnsupportedType(RunfoldError):
    """The body is of a type, or packed in a way, that is not read here.

    Send `Content-Type: application/json` (`application/x-ndjson` where lines are taken), plain or with
    `Content-Encoding: gzip`.
    """

    code = "unsupported-media-type"
    title = "The body is not of a type that is read here"


class Invalid(RunfoldError):
    """The request can be read, but what it says cannot be recorded. Nothing was.

    A required field may be missing, a time lie more than 24 hours ahead, a text hold a NUL. Correct what `detail`
    says and `errors` names, field by field.
    """

    code = "invalid"
    title = "The request is well-formed but invalid"


class KeyReused(Invalid):
    """The same `Idempotency-Key` came before with other content for this run; nothing was recorded now.

    Use a new key for a new request, and the same key only to repeat one.
    """

    code = "idempotency-key-reused"
    title = "The Idempotency-Key came with other content before"


class Unavailable(RunfoldError):
    """The database does not answer in time, or the service is being stopped. This may have been recorded or not.

    Repeat the request after `Retry-After` seconds: every request is safe to repeat, and records nothing
    twice.
    """

    code = "unavailable"
    title = "Not available right now"
    retry_after = 1
    """Seconds."""


class Overloaded(Unavailable):
    """As many requests as may wait are waiting already. Nothing was recorded.

    Repeat it after `Retry-After` seconds, and wait longer each time it happens again.
    """

    code = "overloaded"
    title = "Too many requests are waiting"


class DatabaseUnavailable(Unavailable):
    """The database did not carry out a statement, or it is unknown whether it did.

    `detail` says what is wrong, for callers; `reason` is the server's own message, for operators: it may name a role or
    a database. `sqlstate` is None where the server did not answer.
    """

    def __init__(self, detail: str, reason: str = "", sqlstate: str | None = None) -> None:
        """Take the sentence for callers, the server's message and its SQLSTATE."""
        super().__init__(detail)
        self.reason = reason
        self.sqlstate = sqlstate

    def __str__(self) -> str:
        """Return both, for the log."""
        return f"{self.detail} ({self.reason})" if self.reason else self.detail


class OperatorError(Exception):
    """A command cannot do its work. The message says what happened, and what the operator can do about it."""
