"""Holds the ledger against the journal: what was acknowledged is there, exactly once."""

from __future__ import annotations

from chaos.journal import Command, Journal, Payload
from chaos.model import ENDS, Ledger, Reported
from chaos.waiting import Violation


def check(journal: Journal, ledger: Ledger) -> None:
    """Raise Violation for the first thing acknowledged that the ledger does not have as it was acknowledged."""
    for digest, payload in journal.payloads.items():
        _check_payload(payload, ledger.payloads[digest])
        if not payload.runs <= ledger.streams[digest]:
            raise Violation(f"{payload.what} was answered with {payload.runs}, recorded of {ledger.streams[digest]}")
    for run, commands in journal.commands.items():
        reported = ledger.reported[run]
        for said in commands:
            _check_command(said, [one for one in reported if one.state == said.state])


def _check_payload(payload: Payload, recorded: int) -> None:
    # A creation without id and key makes a run an answer; those that nobody was told of may be there as well.
    least = max(1, len(payload.runs)) if payload.acknowledged else 0
    if recorded < least:
        raise Violation(f"{payload.what} was acknowledged and is recorded {recorded} times")


def _check_command(said: Command, reported: list[Reported]) -> None:
    """`reported`: the recorded transitions of this run to this state."""
    if not said.acknowledged:
        return
    if not reported:
        raise Violation(f"acknowledged and not recorded: {said}")
    if not said.alone:
        return
    if said.at is not None:
        if said.at not in {one.at for one in reported}:
            raise Violation(f"acknowledged and not recorded at its time: {said}; there is {reported}")
    elif not said.may_repeat:
        _check_shown(said, reported)


def _check_shown(said: Command, reported: list[Reported]) -> None:
    """A command without a time is recorded once, at the time that the answer shows."""
    if len(reported) != 1:
        raise Violation(f"acknowledged once and recorded {len(reported)} times: {said}; {reported}")
    if said.shown != reported[0].at:
        what = "endedAt" if said.state in ENDS else "startedAt"
        raise Violation(f"answered with {what} {said.shown}, recorded at {reported[0].at}: {said}")
