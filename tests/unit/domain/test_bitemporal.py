"""The state of a run at a time that has passed."""

from histories import RunFact, at, histories, known_at, merged, recorded, times, valid_at
from hypothesis import given
from hypothesis import strategies as st

from service.domain.event import Content, RunState


def reported(state, minutes, source="api", content=Content()):  # noqa: B008
    return RunFact(state, at(minutes), "load", source, None, content)


def of(history):
    return [one.recorded(position) for position, one in enumerate(history, 1)]


@given(histories("api", "openlineage", "monitor"), st.integers(0, 9))
def test_what_was_known_is_the_fold_of_the_prefix(history, position):
    found = known_at(of(history), position)
    prefix = recorded(history)[:position]
    assert found == (merged(prefix) if prefix else None)


@given(histories("api", "openlineage", least=1), times)
def test_what_was_valid_does_not_depend_on_the_order_of_arrival(history, time):
    one, other = valid_at(of(history), time), valid_at(of(history[::-1]), time)
    assert one.state == other.state
    assert (one.started_at, one.terminal, one.created) == (other.started_at, other.terminal, other.created)


@given(histories("api", "openlineage", least=1), times)
def test_nothing_that_happened_later_is_in_it(history, time):
    found = valid_at(of(history), time)
    assert found.started_at is None or found.started_at <= time
    assert found.terminal is None or found.terminal.at <= time


@given(histories("api", "openlineage", "monitor", least=1))
def test_at_the_end_of_time_it_is_the_run_as_it_is(history):
    assert valid_at(of(history), max(one.at for one in history)) == merged(recorded(history))


def test_before_its_first_transition_a_run_is_new_and_has_its_args():
    history = of([reported(RunState.NEW, 0, content=Content(args=b'{"a":"1"}')), reported(RunState.RUNNING, 5)])
    found = valid_at(history, at(-60))
    assert found.state == RunState.NEW
    assert found.created.args == b'{"a":"1"}'
    assert valid_at(history, at(3)).state == RunState.NEW
    assert valid_at(history, at(5)).state == RunState.RUNNING


def test_an_end_that_was_inferred_and_proved_wrong_was_never_valid():
    history = of(
        [reported(RunState.RUNNING, 0), reported(RunState.ABORTED, 5, "monitor"), reported(RunState.RUNNING, 9)]
    )
    assert valid_at(history, at(6)).state == RunState.RUNNING


def test_nothing_is_known_of_a_run_without_events():
    assert valid_at([], at(0)) is None
    assert known_at([], 5) is None
