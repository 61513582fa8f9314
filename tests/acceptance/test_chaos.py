"""The short forms of `make chaos` and `make soak`: the same faults and checks, for seconds. docs/testing.md."""

from dataclasses import replace

import pytest

from chaos import overload
from chaos.options import print_progress
from chaos.rounds import Force, chaos
from chaos.soak import soak
from chaos.world import Ground

SEED = "short"
SHORT = Force(seconds=8, clients=10, before=40, longest=1.5, turns=1)

FAULTS = {
    "embedded": ("kill_service", "kill_postmaster", "kill_both", "kill_backend", "clock_far_ahead", "clock_ahead"),
    "workers": ("kill_service", "kill_worker", "kill_helper", "pause_service", "terminate_all", "revoke_key"),
    "beside": ("kill_server_beside", "lose_answers", "cut_requests", "stall", "refuse", "lock_events"),
    "disk": ("stop_in_need", "open_snapshot", "fill_disk", "hide_keys", "cut_connections"),
}


def ground(directory, kind):
    print_progress(f"seed {SEED}")
    beside = kind in ("beside", "disk")
    return Ground(directory, f"{SEED}/{kind}", 1 if kind == "embedded" else 2, embedded=not beside)


@pytest.mark.parametrize("kind", FAULTS)
async def test_whatever_befalls_it_what_it_acknowledged_is_there_once(kind, tmp_path):
    outcome = await chaos(ground(tmp_path, kind), replace(SHORT, only=FAULTS[kind]), print_progress)
    assert outcome.struck
    assert outcome.transitions > 20  # two faults on a slow machine
    assert outcome.payloads > 20
    assert outcome.heard > outcome.positions
    assert outcome.questions > 0
    assert outcome.verified.startswith(f"Positions 1 to {outcome.positions} hold.")


async def test_asked_steadily_it_neither_grows_nor_falls_behind_and_asked_too_much_it_answers(tmp_path):
    soaked = await soak(ground(tmp_path, "embedded"), 10, 8, print_progress, overload.SHORT)
    assert soaked.transitions > 100
    assert soaked.verified.startswith(f"Positions 1 to {soaked.positions + soaked.overloaded.recorded} hold.")
