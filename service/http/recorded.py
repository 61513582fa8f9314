"""The header Runfold-Recorded: whether a request recorded an event, and at which position.

Every route that records one event has it: commands, definitions, deletions, tags, a single OpenLineage event. A batch
reports its events in its body.
"""

from service.domain.decisions import Decision
from service.http.fast_path import NOT_RECORDED, RECORDED
from service.ledger.batch import AppendResult

_APPEND = Decision.APPEND

RECORDED_HEADER = {
    str(RECORDED): "The position of the event that this request recorded; `none` where it changed nothing, because the "
    "ledger has it already."
}
"""The description of the header, by its name."""


def recorded_position(result: AppendResult) -> bytes:
    """Return the value of the header for the result of a command or of a fact, which has no decision."""
    recorded = result.decision is _APPEND or (result.decision is None and result.recorded_at is not None)
    return b"%d" % result.position if recorded and result.position else NOT_RECORDED
