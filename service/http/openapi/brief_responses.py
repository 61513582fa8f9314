"""The types of answers about many jobs or runs in brief, for /openapi.json only; see responses.py."""

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


class RunOfTree(Struct, forbid_unknown_fields=True):
    """A run in a tree of runs. `depth`: levels below the root. `parent`: the run that it names as its parent."""

    id: UUID
    parent: UUID | None
    depth: int
    namespace: str
    job: str
    state: Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]
    createdAt: datetime
    startedAt: datetime | None
    endedAt: datetime | None


class RunTree(Struct, forbid_unknown_fields=True):
    """A page of a tree of runs: level by level, the children of a run together, the oldest first.

    `root`: the topmost run. It is not among the runs where nothing was reported of it but that it is a parent. `next`:
    the cursor of the page after this one. `isWhole`, decided on the last page: whether there are no more levels nor
    runs.
    """

    root: UUID
    runs: list[RunOfTree]
    next: UUID | None
    isWhole: bool
