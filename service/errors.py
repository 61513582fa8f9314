"""Every error Runfold tells a caller. The middleware alone turns them into HTTP (api, "Errors").

RunfoldError
├── Malformed                 what was sent cannot be read: JSON, a parameter, a timestamp
├── Unauthenticated           no API key, or none that is known
├── Forbidden                 the API key's scope does not cover the request
├── NotFound                  no such run, job, namespace or route
│   ├── RunNotFound
│   ├── JobNotFound
│   └── NamespaceNotFound
├── Conflict                  the run's history says otherwise; carries the run as it stands
├── TooLarge                  more bytes than are taken in one piece
├── UnsupportedType           the body is not of a type that is read
├── Invalid                   well-formed, but not something that can be recorded
│   └── KeyReused             an Idempotency-Key that came with other content before
└── Unavailable               not now; may have been recorded, safe to repeat
    └── Overloaded            the queue is full; nothing was recorded
"""

from __future__ import annotations

from typing import NamedTuple


class FieldError(NamedTuple):
    """One thing that is wrong, and where."""

    field: str
    message: str


class RunfoldError(Exception):
    """Base of the tree. `code` is stable: clients may lean on it."""

    code = "internal"
    title = "Internal error"

    def __init__(self, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        """Take the sentence for the caller, and each field's error where there are several."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Malformed(RunfoldError):
    """400."""

    code = "malformed"
    title = "The request cannot be read"


class Unauthenticated(RunfoldError):
    """401."""

    code = "unauthenticated"
    title = "An API key is needed"


class Forbidden(RunfoldError):
    """403."""

    code = "forbidden"
    title = "The API key does not allow this"


class NotFound(RunfoldError):
    """404."""

    code = "not-found"
    title = "Not found"


class RunNotFound(NotFound):
    """404."""

    code = "run-not-found"
    title = "Run not found"

    def __init__(self, run_id: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Run '{run_id}' not found.")


class JobNotFound(NotFound):
    """404."""

    code = "job-not-found"
    title = "Job not found"

    def __init__(self, job: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Job '{job}' not found.")


class NamespaceNotFound(NotFound):
    """404."""

    code = "namespace-not-found"
    title = "Namespace not found"

    def __init__(self, namespace: str) -> None:
        """Say it as Marquez does."""
        super().__init__(f"Namespace '{namespace}' not found.")


class Conflict(RunfoldError):
    """409; `run` is the current view as JSON."""

    code = "conflict"
    title = "The run's history says otherwise"

    def __init__(self, detail: str, run: bytes) -> None:
        """Take the sentence and the view."""
        super().__init__(detail)
        self.run = run


class TooLarge(RunfoldError):
    """413."""

    code = "too-large"
    title = "The request is too large"


class UnsupportedType(RunfoldError):
    """415."""

    code = "unsupported-media-type"
    title = "The body is not of a type that is read here"


class Invalid(RunfoldError):
    """422."""

    code = "invalid"
    title = "The request is well-formed but invalid"


class KeyReused(Invalid):
    """422."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key came with other content before"


class Unavailable(RunfoldError):
    """503; `retry_after` in seconds."""

    code = "unavailable"
    title = "Not available right now"
    retry_after = 1


class Overloaded(Unavailable):
    """503."""

    code = "overloaded"
    title = "Too many requests are waiting"
