"""A cache of the states of runs that this process has written to. It saves reads; no response is made from it alone.

A command that is decided by a cached state is appended only if its stream still ends at the position of that state;
else the state is read. So a cached state may be stale without harm (docs/decisions/0004-run-cache.md).
"""

from __future__ import annotations

from uuid import UUID

from service.domain.run import RunRegisters
from service.ledger.stored_registers import decode_run, encode_registers

_GENERATION_RUNS = 32_768
_MAX_BYTES = 1024


class RunCache:
    """The packed registers of runs that have not ended, in two generations.

    When the younger generation is full, it becomes the older one, and the older one is dropped.
    """

    def __init__(self, generation: int = _GENERATION_RUNS) -> None:
        """Take the number of runs in a generation; about 300 bytes each."""
        self._generation = generation
        self._young: dict[int, bytes] = {}
        self._old: dict[int, bytes] = {}

    def get(self, run_id: UUID) -> RunRegisters | None:
        """Return the cached state of a run, which may be stale; None if there is none."""
        packed = self._young.get(run_id.int) or self._old.get(run_id.int)
        return decode_run(packed) if packed is not None else None

    def put(self, run_id: UUID, run: RunRegisters) -> None:
        """Cache the state of a run. An ended run is discarded, as few commands follow; so are runs with facets."""
        key = run_id.int
        if run.terminal is not None or run.run_facets or run.job_facets:
            self.discard(run_id)
            return
        packed = encode_registers(run)
        if len(packed) > _MAX_BYTES:
            self.discard(run_id)
            return
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[key] = packed

    def clear(self) -> None:
        """Remove all runs."""
        self._young, self._old = {}, {}

    def discard(self, run_id: UUID) -> None:
        """Remove a run whose cached state is known to be stale."""
        self._young.pop(run_id.int, None)
        self._old.pop(run_id.int, None)
