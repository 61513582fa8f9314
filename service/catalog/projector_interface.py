"""What the parts of the service that tell of appended events and of readers need to know of a projector."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from service.trace_context import TraceContext

OnProgress = Callable[[int], None]
"""Is called with the position up to which the catalog is projected."""


class ProjectorStatus(NamedTuple):
    """Whether a projector works, with the reason where it does not, and how often it was started again."""

    problem: str | None
    restarts: int


class CatalogProjector(Protocol):
    """Projects the ledger into the catalog, in this process or in another one."""

    def start(self, on_progress: OnProgress) -> None:
        """Start; `on_progress` is called after every page."""

    async def close(self) -> None:
        """Stop; the next process that starts, or that needs the catalog, projects the rest."""

    def notify_appended(self, position: int) -> None:
        """Report that this process appended events up to a position; they are projected when there is time."""

    def link(self, position: int, batch: TraceContext) -> None:
        """Name the span of the batch that ends at a position, for the span of the page that projects it."""

    def prioritize(self, position: int) -> None:
        """Project up to a position as soon as possible: a reader waits for it."""

    def pace(self, *, slow: bool) -> None:
        """Project slowly from now on, or as fast as possible again. A position that a reader waits for is not late."""

    def status(self) -> ProjectorStatus:
        """Return whether it works."""

    def forget_positions(self) -> None:
        """Forget all positions, because the ledger lost its tail; the next progress is that of the catalog as it is."""
