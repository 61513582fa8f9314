"""Compares the ledger with the journal: everything that was acknowledged is recorded exactly once."""

from __future__ import annotations

from chaos.journal import Command, Journal, Payload
from chaos.model import ENDS, Ledger, Reported
from chaos.waiting import Violation


def check(journal: Journal, ledger: Ledger) -> None:
    """Raise Violation for the first acknowledged request that the ledger does not hold as it was acknowledged."""
    if ledger.keys != journal.keys:
        raise Violation(f"events of API keys: {journal.keys} were acknowledged, {ledger.keys} are recorded")
    for digest, payload in journal.payloads.items():
        _check_payload(payload, ledger.payloads[digest])
        if not payload.runs <= ledger.streams[digest]:
            raise Violation(f"{payload.what} was answered with {payload.runs}, recorded for {ledger.streams[digest]}")
    for run, commands in journal.commands.items():
        reported = ledger.reported[run]
        for command in commands:
            _check_command(command, [event for event in reported if event.state == command.state])


def _check_payload(payload: Payload, recorded: int) -> None:
    # A creation without id and key makes one run per attempt; runs of unanswered attempts may be recorded as well.
    least = max(1, len(payload.runs)) if payload.acknowledged else 0
    if recorded < least:
        raise Violation(f"{payload.what} was acknowledged and is recorded {recorded} times")


def _check_command(command: Command, reported: list[Reported]) -> None:
    """`reported`: the recorded transitions of this run to this state."""
    if not command.acknowledged:
        return
    if not reported:
        raise Violation(f"acknowledged and not recorded: {command}")
    if not command.alone:
        return
    if command.at is not None:
        if command.at not in {event.at for event in reported}:
            raise Violation(f"acknowledged and not recorded at its time: {command}; recorded: {reported}")
    elif not command.may_repeat:
        _check_shown(command, reported)


def _check_shown(command: Command, reported: list[Reported]) -> None:
    """Check that a command without a time is recorded once, at the time in its answer."""
    if len(reported) != 1:
        raise Violation(f"acknowledged once and recorded {len(reported)} times: {command}; {reported}")
    if command.shown != reported[0].at:
        what = "endedAt" if command.state in ENDS else "startedAt"
        raise Violation(f"answered with {what} {command.shown}, recorded at {reported[0].at}: {command}")
