"""The state of a run at a point of valid time (`validAt`: when things happened, not when they were recorded). Pure."""

from __future__ import annotations

from service.domain.run import RunRegisters


def valid_at(known: RunRegisters, happened: RunRegisters | None) -> RunRegisters:
    """Return a run as it was at a time: `known` are all of its events, `happened` those whose own time had come.

    The creator's content always counts; before its first transition a run is NEW. An inferred end counts only while no
    event was recorded after it, as in any state of a run: a run that reported again had not ended.
    """
    return (happened or RunRegisters(updated_at=known.updated_at))._replace(
        created=known.created,
        position=known.position,
        last_report_position=known.last_report_position,
        jobs=known.jobs,
    )
