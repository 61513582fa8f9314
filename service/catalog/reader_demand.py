"""Predicts whether a reader will wait for the catalog soon."""

from __future__ import annotations

import math

_DEMAND_WINDOW_S = 2.0
"""Two list requests within this window switch the projector to low latency, for as long again."""


class ReaderDemand:
    """Predicts whether a reader will wait soon: after two requests within a short time, a third is expected."""

    def __init__(self) -> None:
        """Begin without a request."""
        self._last_request = self._expected_until = -math.inf

    def record_request(self, now: float) -> None:
        """Record that a reader waits."""
        if now - self._last_request < _DEMAND_WINDOW_S:
            self._expected_until = now + _DEMAND_WINDOW_S
        self._last_request = now

    def is_high(self, now: float) -> bool:
        """Tell whether another request is expected."""
        return now < self._expected_until
