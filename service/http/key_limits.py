"""Limits how many requests a second the clients with one API key may send, so that one of them cannot take it all.

A request beyond the limit is answered 429. The events of a batch are not refused: the batch waits for its turn, and the
service reads no more of its body meanwhile. So a stream of events is slowed down, and never makes single requests of
the same key fail. Each key takes constant memory and each request constant time, as in the generic cell rate
algorithm: all that is remembered of a key is the time at which its allowance will be whole again.

Decision record: docs/decisions/0040-overload.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator

from aiohttp import web

from service.errors import RateLimited

BURST_S = 10.0
"""A key that was quiet may send at once what it may send in this number of seconds."""

_CHECK_S = 1.0
"""Seconds between two looks at whether a batch that waits is still wanted."""

_MAX_NAMES = 100
OTHER_KEYS = "(other)"
"""Stands in metrics for all keys beyond the first _MAX_NAMES that were refused."""

_clock = time.monotonic


class KeyLimits:
    """The allowance of each API key in this process."""

    def __init__(self, per_second: float) -> None:
        """Take the number of requests that a key may send each second, and the events that its batches may have."""
        self._per_second = per_second
        self._interval_s = 1 / per_second
        self._whole_at: dict[str, float] = {}
        self._events_whole_at: dict[str, float] = {}
        self._refused: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Count a request. Raises RateLimited if the key has sent too many."""
        now = _clock()
        whole_at = max(self._whole_at.get(key, now), now)
        if whole_at - now > BURST_S - self._interval_s / 2:  # half: counted times are not exact
            self._refused[key if key in self._refused or len(self._refused) < _MAX_NAMES else OTHER_KEYS] += 1
            raise RateLimited(f"API key {key} may send {self._per_second:g} requests a second")
        self._whole_at[key] = whole_at + self._interval_s

    async def wait_for_events(self, key: str, events: int, check: Callable[[], None]) -> None:
        """Count events of a batch, and wait until the key may send them.

        `check` is called every second; where it raises, the wait ends so, and the events do not count.
        """
        now = _clock()
        whole_at = max(self._events_whole_at.get(key, now), now)
        self._events_whole_at[key] = whole_at + events * self._interval_s
        try:
            while (left := whole_at - BURST_S - _clock()) > 0:
                check()
                await asyncio.sleep(min(left, _CHECK_S))
        except BaseException:
            self._events_whole_at[key] -= events * self._interval_s
            raise

    def refused(self) -> Iterator[tuple[str, int]]:
        """Yield for each key that sent too many requests its name, and how many were refused."""
        yield from self._refused.items()


KEY_LIMITS: web.AppKey[KeyLimits | None] = web.AppKey("key_limits", KeyLimits)
"""None: there is no limit."""
