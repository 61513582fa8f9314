"""The types of ids of versions in answers, for /openapi.json only; see responses.py."""

from typing import Any
from uuid import UUID

from msgspec import Struct

# ruff: noqa: N815  the names of JSON fields


class VersionOfJob(Struct, forbid_unknown_fields=True):
    """The id of a version of a job."""

    namespace: str
    name: str
    version: UUID


class VersionOfDataset(Struct, forbid_unknown_fields=True):
    """The id of a version of a dataset."""

    namespace: str
    name: str
    version: UUID


class VersionOfRun(Struct, forbid_unknown_fields=True):
    """A version that a run read or wrote, and the facets that the run tells of that."""

    datasetVersionId: VersionOfDataset
    facets: dict[str, Any]
