"""Silent runs: after how many seconds without an event a run is taken to have ended, and why one was."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

OFF = 0
"""The setting for runs that may be silent for any time."""

MAX_SILENT_AFTER_S = 315_360_000
"""Ten years."""


class SetBy(StrEnum):
    """Whose setting applies to a run: its job's, else its namespace's, else the service's."""

    JOB = "job"
    NAMESPACE = "namespace"
    SERVICE = "service"


class SilentAfter(NamedTuple):
    """The setting as an event has it, in seconds: OFF, or None where the next of SetBy applies."""

    seconds: int | None


class StampedSilentAfter(NamedTuple):
    """The setting of a job or namespace, and the event that set it; the later (time, digest) wins."""

    at: datetime
    digest: bytes
    position: int
    seconds: int | None


class Silence(NamedTuple):
    """What an end is inferred from: the run's last event, and for how many seconds none may be missing."""

    last_position: int
    last_at: datetime
    """When that event was recorded."""

    seconds: int

    @property
    def ended_at(self) -> datetime:
        """When the run is taken to have ended."""
        return self.last_at + timedelta(seconds=self.seconds)


class StampedSilence(NamedTuple):
    """What the inferred end at `position` is inferred from."""

    position: int
    silence: Silence


def latest_setting(a: StampedSilentAfter | None, b: StampedSilentAfter | None) -> StampedSilentAfter | None:
    """Return the setting with the later (time, digest)."""
    if a is None or b is None:
        return a or b
    return a if a[:2] >= b[:2] else b
