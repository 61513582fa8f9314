"""What this process knows of runs it has just written: a guess that saves a read, never an answer.

A command judged by such a guess is appended only while its stream still ends where the guess ends; else the truth is
read. So a guess can be stale, not wrong.
"""

from __future__ import annotations

from uuid import UUID

from service.domain.run import RunRegisters
from service.ledger import aggregates

_GENERATION = 32_768
_MAX_BYTES = 1024


class RunCache:
    """The packed registers of runs that have not ended, in two generations: the elder goes when the younger is full."""

    def __init__(self, generation: int = _GENERATION) -> None:
        """Take how many runs a generation holds; about 300 bytes each."""
        self._generation = generation
        self._young: dict[int, bytes] = {}
        self._old: dict[int, bytes] = {}

    def get(self, run_id: UUID) -> RunRegisters | None:
        """Return the guess there is."""
        packed = self._young.get(run_id.int) or self._old.get(run_id.int)
        return aggregates.unpack_run(packed) if packed is not None else None

    def keep(self, run_id: UUID, run: RunRegisters) -> None:
        """Remember a run as it now stands; forget one that has ended: little can be said of it any more."""
        key = run_id.int
        if run.terminal is not None or run.run_facets or run.job_facets:
            self.forget(run_id)
            return
        packed = aggregates.pack_registers(run)
        if len(packed) > _MAX_BYTES:
            self.forget(run_id)
            return
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[key] = packed

    def forget(self, run_id: UUID) -> None:
        """Forget a run whose guess turned out stale."""
        self._young.pop(run_id.int, None)
        self._old.pop(run_id.int, None)
