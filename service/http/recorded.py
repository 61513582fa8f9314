"""The header Runfold-Recorded: whether a request recorded an event, and at which position."""

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
    """Return the value of the header for the result of a command."""
    return b"%d" % result.position if result.decision is _APPEND and result.position else NOT_RECORDED
