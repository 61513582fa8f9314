"""What the clients said and what they were told: the other side of the ledger, to hold it against."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Payload:
    """Something sent with a body that is sent for nothing else: a creation, a definition or an OpenLineage event."""

    what: str
    limit: int | None = 1
    """How often it may be recorded; None: once an attempt, as a creation without id and key is."""
    attempts: int = 0
    acknowledged: int = 0
    runs: set[UUID] = field(default_factory=set)
    """The runs that the answers named."""

    def sending(self) -> None:
        """Note an attempt."""
        self.attempts += 1


@dataclass(slots=True)
class Command:
    """A transition reported by the run API."""

    run: UUID
    state: str
    at: datetime | None
    key: str | None
    alone: bool
    """Whether nothing else that is said of this run can stand in its place."""
    since: datetime = field(default_factory=now)
    attempts: int = 0
    acknowledged: bool = False
    shown: datetime | None = None
    """startedAt or endedAt in the answer."""

    def sending(self) -> None:
        """Note an attempt."""
        self.attempts += 1

    @property
    def may_repeat(self) -> bool:
        """Whether several attempts may be several events: each has a time of its own, and the earliest start counts."""
        return self.at is None and self.key is None and self.state == "RUNNING"


class Journal:
    """Everything that was sent to one ledger."""

    def __init__(self) -> None:
        self.payloads: dict[bytes, Payload] = {}
        self.commands: defaultdict[UUID, list[Command]] = defaultdict(list)

    def payload(self, what: str, body: bytes, limit: int | None = 1) -> Payload:
        """Note a body before it is sent for the first time."""
        return self.payloads.setdefault(sha256(body).digest(), Payload(what, limit))

    def command(
        self, run: UUID, state: str, at: datetime | None = None, key: str | None = None, *, alone: bool = True
    ) -> Command:
        """Note a command before it is sent for the first time."""
        said = Command(run, state, at, key, alone)
        self.commands[run].append(said)
        return said

    @property
    def acknowledged(self) -> tuple[int, int]:
        """How many transitions, and how many payloads, were acknowledged."""
        transitions = sum(said.acknowledged for of_run in self.commands.values() for said in of_run)
        return transitions, sum(payload.acknowledged > 0 for payload in self.payloads.values())
