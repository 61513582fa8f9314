"""The types of answers about many jobs in brief, for /openapi.json only; see responses.py."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

# ruff: noqa: N815  the names of JSON fields


class RunInBrief(Struct, forbid_unknown_fields=True):
    """A run as it stands, without what was reported with it."""

    id: UUID
    state: Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]
    startedAt: datetime | None
    durationMs: int | None


class JobInBrief(Struct, forbid_unknown_fields=True):
    """A job with its newest runs, newest first, at most 10."""

    namespace: str
    name: str
    updatedAt: datetime
    latestRuns: list[RunInBrief]


class JobsInBrief(Struct, forbid_unknown_fields=True):
    """Jobs, latest event first."""

    totalCount: int
    jobs: list[JobInBrief]
