"""The allowance of an API key: never more than its rate and the burst, and all of that."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RateLimited
from service.http import key_limits
from service.http.key_limits import BURST_S, OTHER_KEYS, KeyLimits


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def clock():
    with pytest.MonkeyPatch.context() as patch:
        made = Clock()
        patch.setattr(key_limits, "_clock", made)
        yield made


def takes(limits, key):
    try:
        limits.take(key)
    except RateLimited:
        return False
    return True


@given(
    rate=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_in_any_period_a_key_gets_its_rate_and_a_burst_and_not_more(clock, rate, pauses):
    limits, taken, refused = KeyLimits(rate), [], []
    for pause in pauses:
        clock.now += pause
        (taken if takes(limits, "a") else refused).append(clock.now)
    for first, begin in enumerate(taken):
        for number, end in enumerate(taken[first:], 1):
            assert number <= rate * (BURST_S + end - begin) + 1
    for at in refused:  # since the last time at which nothing was owed, everything was used
        used = [time for time in taken if time <= at]
        assert len(used) >= rate * BURST_S - 1e-3
    clock.now += BURST_S
    assert [takes(limits, "a") for _ in range(int(rate * BURST_S) + 1)] == [True] * int(rate * BURST_S) + [False]
    assert takes(limits, "b")


@pytest.mark.usefixtures("clock")
def test_the_names_in_metrics_are_bounded():
    limits = KeyLimits(1)
    for number in range(300):
        while takes(limits, f"key {number}"):
            pass
    refused = dict(limits.refused())
    assert len(refused) == 101
    assert refused[OTHER_KEYS] == 200


async def test_a_batch_that_is_no_longer_wanted_waits_no_longer_and_takes_no_allowance():
    class Unwanted(Exception):
        pass

    def unwanted():
        raise Unwanted

    limits = KeyLimits(1000)
    await limits.wait_for_events("ann", 10_000_000, unwanted)
    for _ in range(3):
        with pytest.raises(Unwanted):
            await limits.wait_for_events("ann", 10_000_000, unwanted)
    assert limits._events_whole_at["ann"] - time.monotonic() <= 10_000
