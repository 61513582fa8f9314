"""One bound, in bytes, over the heads and bodies of all requests that this process is receiving.

Limits of a single body do not bound a process: clients can send any number of bodies at once, and take their time. A
request that would exceed the bound is answered 503 and may be repeated.
"""

from __future__ import annotations

from typing import Self

from aiohttp import web

from service.errors import Overloaded


class BodyBudget:
    """The bytes that may be held, and those that are."""

    def __init__(self, limit: int) -> None:
        """Take the bound in bytes."""
        self.limit = limit
        self.used = 0
        """Bytes held now."""
        self.refused = 0
        """Requests that were refused because of the bound."""

    def hold(self) -> HeldBytes:
        """Return a share of 0 bytes, to be used as a context manager."""
        return HeldBytes(self)


class HeldBytes:
    """The share of one request. It is returned when the context ends."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: BodyBudget) -> None:
        """Take the budget."""
        self._budget = budget
        self.size = 0
        """Bytes held."""

    def resize(self, size: int) -> None:
        """Hold this number of bytes from now on. Raises Overloaded where the budget has not as many left."""
        budget, more = self._budget, size - self.size
        if more > 0 and budget.used + more > budget.limit:
            budget.refused += 1
            raise Overloaded(f"all requests under way have more than {budget.limit} bytes; nothing was recorded")
        budget.used += more
        self.size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.used -= self.size
        self.size = 0


BODY_BUDGET = web.AppKey("body_budget", BodyBudget)
