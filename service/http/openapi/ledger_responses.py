"""The types of answers about the ledger's head and chain, for /openapi.json only; see responses.py."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

# ruff: noqa: N815  the names of JSON fields


class LedgerHead(Struct, forbid_unknown_fields=True):
    """The last position of a log, and its hash."""

    log: int
    position: int
    hash: str
    recordedAt: datetime | None


class VerifiedHead(Struct, forbid_unknown_fields=True):
    """The last position of the log when its chain was verified."""

    log: int
    position: int
    hash: str


class Verification(Struct, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """Whether the chain holds between two positions, or where it breaks first.

    `complete`: these are all positions of the ledger.
    """

    ok: bool
    first: int
    last: int
    complete: bool
    head: VerifiedHead
    brokenAt: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
