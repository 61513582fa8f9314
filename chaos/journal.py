"""What the clients sent and how it was answered: the ledger is compared with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Payload:
    """A request with a unique body: a creation, a definition or an OpenLineage event."""

    what: str
    actor: str
    """The name of the API key with which it is sent."""
    limit: int | None = 1
    """How often it may be recorded; None: once per attempt, as a creation without id and key is."""
    attempts: int = 0
    acknowledged: int = 0
    runs: set[UUID] = field(default_factory=set)
    """The runs named in the answers."""

    def sending(self) -> None:
        """Count an attempt."""
        self.attempts += 1


@dataclass(slots=True)
class Command:
    """A transition reported by the run API."""

    run: UUID
    state: str
    at: datetime | None
    key: str | None
    actor: str
    alone: bool
    """Whether no other command competes with it for this run."""
    since: datetime = field(default_factory=now)
    attempts: int = 0
    acknowledged: bool = False
    shown: datetime | None = None
    """startedAt or endedAt in the answer, by state."""

    def sending(self) -> None:
        """Count an attempt."""
        self.attempts += 1

    @property
    def may_repeat(self) -> bool:
        """Whether each attempt may be an event of its own: each has its own time, and the earliest start counts."""
        return self.at is None and self.key is None and self.state == "RUNNING"


class Journal:
    """Everything that was sent to one ledger."""

    def __init__(self) -> None:
        self.payloads: dict[bytes, Payload] = {}
        self.commands: defaultdict[UUID, list[Command]] = defaultdict(list)
        self.keys: Counter[tuple[str, str]] = Counter()
        """The events of API keys, by name and kind."""

    def payload(self, what: str, body: bytes, actor: str, limit: int | None = 1) -> Payload:
        """Enter a body before it is sent for the first time."""
        return self.payloads.setdefault(sha256(body).digest(), Payload(what, actor, limit))

    def command(
        self,
        run: UUID,
        state: str,
        at: datetime | None = None,
        key: str | None = None,
        *,
        actor: str,
        alone: bool = True,
    ) -> Command:
        """Enter a command before it is sent for the first time."""
        command = Command(run, state, at, key, actor, alone)
        self.commands[run].append(command)
        return command

    @property
    def acknowledged(self) -> tuple[int, int]:
        """How many transitions, and how many payloads, were acknowledged."""
        transitions = sum(command.acknowledged for sent in self.commands.values() for command in sent)
        return transitions, sum(payload.acknowledged > 0 for payload in self.payloads.values())
