"""Verifies parts of the ledger for requests: of bounded length, and few at once."""

from __future__ import annotations

from service.audit.ledger_reader import LedgerReader
from service.audit.verification import VerificationResult, verify_ledger
from service.errors import Malformed, Overloaded
from service.http.parameters import check_bounds

MAX_POSITIONS = 200_000
"""Positions verified for one request, which takes seconds. `runfold verify` verifies the whole ledger."""

MAX_CONCURRENT = 2
"""Verifications at once in a process: each takes two connections and a share of a core."""


class LedgerVerifier:
    """Verifies positions of the ledger on connections that it opens for each verification."""

    def __init__(self, database_url: str, ledger: LedgerReader) -> None:
        """Take the database, and what reads the ledger's head."""
        self._database_url = database_url
        self._ledger = ledger
        self._running = 0

    async def verify(self, first: int | None, last: int | None) -> VerificationResult:
        """Verify positions first to last; by default the last MAX_POSITIONS up to the ledger's head.

        Raises Malformed for positions that the ledger does not have or that are too many, Overloaded, Unavailable.
        """
        first, last = await self._bounds(first, last)
        if self._running >= MAX_CONCURRENT:
            raise Overloaded(f"{MAX_CONCURRENT} verifications are running already")
        self._running += 1
        try:
            return await verify_ledger(self._database_url, first, last)
        finally:
            self._running -= 1

    async def _bounds(self, first: int | None, last: int | None) -> tuple[int, int]:
        end = (await self._ledger.head()).position
        if last is None:
            last = end
        check_bounds("to", last, 0 if end == 0 else 1, max(end, 1))
        if first is None:
            first = max(1, last - MAX_POSITIONS + 1)
        if first > max(last, 1):
            raise Malformed(f"parameter to ({last}) lies before from ({first})")
        if last - first >= MAX_POSITIONS:
            raise Malformed(f"a request verifies {MAX_POSITIONS} positions at most; `runfold verify` has no limit")
        return first, last
