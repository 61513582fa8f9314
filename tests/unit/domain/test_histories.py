"""What holds for any history: of facts in any order, and of commands."""

from histories import (
    COMMANDS,
    ENDS,
    NOON,
    RUN,
    Command,
    Model,
    commands,
    histories,
    merged,
    recorded,
    run_facts,
    timeless,
    times,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.domain.decisions import Decision
from service.domain.event import Event, RunState
from service.domain.run import RunRegisters, apply_event, apply_transition, merge_runs, run_registers_of
from service.http.views import run_view
from service.ledger import drafts
from service.ledger.drafts import Caller
from service.ledger.stored_registers import pack_registers, unpack_run
from service.payloads.json_writer import dump


def next_event(run: RunRegisters, state: str) -> Event:
    draft = drafts.transition(RUN, RunState.RUNNING, NOON, explicit=True, caller=Caller()).of_job("etl", "load")
    return draft.at(run.position + 1, NOON)._replace(state=state)


parts = histories("api", "openlineage", "monitor", least=3).map(recorded)


@given(parts, st.data())
def test_merge_is_associative(found, data):
    one, two, three = (merged(data.draw(st.lists(st.sampled_from(found), max_size=4))) for _ in range(3))
    assert merge_runs(merge_runs(one, two), three) == merge_runs(one, merge_runs(two, three))


@given(parts, st.data())
def test_merge_is_commutative(found, data):
    one, two = (merged(data.draw(st.lists(st.sampled_from(found), max_size=4))) for _ in range(2))
    assert merge_runs(one, two) == merge_runs(two, one)


@given(parts, st.data())
def test_the_merge_stays_one_with_registers_of_before_phases(found, data):
    """Stored registers without phases, and parts of the same events with them, still have one greatest value."""
    old = [without_phases(part) for part in found]
    some = st.lists(st.sampled_from([*found, *old]), max_size=4)
    one, two, three = (merged(data.draw(some)) for _ in range(3))
    assert merge_runs(merge_runs(one, two), three) == merge_runs(one, merge_runs(two, three))
    assert merge_runs(one, two) == merge_runs(two, one)
    assert merge_runs(one, one) == one
    assert unpack_run(pack_registers(one)) == one


def without_phases(run: RunRegisters) -> RunRegisters:
    return run._replace(
        parent_run=run.parent_run and run.parent_run._replace(phase=0),
        nominal=run.nominal and run.nominal._replace(phase=0),
        run_facets={name: facet._replace(phase=0) for name, facet in run.run_facets.items()},
        job_facets={name: facet._replace(phase=0) for name, facet in run.job_facets.items()},
    )


@given(parts)
def test_merge_is_idempotent(found):
    whole = merged(found)
    assert merge_runs(whole, whole) == whole
    assert merge_runs(whole, found[0]) == whole


@given(parts)
def test_nothing_known_is_neutral(found):
    whole = merged(found)
    assert merge_runs(whole, RunRegisters()) == merge_runs(RunRegisters(), whole) == whole


@given(parts, run_facts("api", "openlineage", "monitor"), st.integers(1, 12))
def test_the_short_way_to_advance_a_run_leads_where_the_merge_does(found, fact, position):
    run = merged(found)
    event, content = fact.recorded(position)
    assert apply_event(run, event) == merge_runs(run, run_registers_of(event))
    assert apply_event(run, event, content) == merge_runs(run, run_registers_of(event, content))


@settings(max_examples=250)  # with 50, no start may be later than the one before
@given(run_facts("api"), run_facts("api"), run_facts("api", "openlineage", "monitor"), st.sampled_from(COMMANDS), times)
def test_the_short_way_of_a_run_that_was_created_and_started_leads_where_the_merge_does(new, start, fact, state, time):
    """Nearly all events are of such runs; of histories in general, few are."""
    created = new._replace(state=RunState.NEW)
    run = merged(recorded([created, start._replace(state=RunState.RUNNING, at=time, job=new.job)]))
    event, _ = fact._replace(state=state, parent_run=None, job=new.job).recorded(3)
    applied = apply_transition(run, event, event.position, event.recorded_at)
    assert applied == (None if fact.source == "monitor" else merge_runs(run, run_registers_of(event)))


@given(parts, times, st.sampled_from(RunState), st.integers(1, 12), times)
def test_what_was_sent_moves_a_run_as_what_was_recorded_does(found, at, state, position, recorded_at):
    run = merged(found)
    draft = drafts.transition(RUN, state, at, explicit=True, caller=Caller()).of_job("etl", "load")
    applied = apply_transition(run, draft, position, recorded_at)
    assert applied in (None, merge_runs(run, run_registers_of(draft.at(position, recorded_at))))
    if applied is None:
        created = run.created
        contradicts = state in ENDS and run.terminal is not None and (run.overruled or run.terminal.state != state)
        assert state == "NEW" or created is None or created.implied or contradicts or run.job != ("etl", "load")


@given(parts)
def test_a_state_that_is_not_known_yet_stops_no_fold(found):
    """A later version may have more states, and write them while this one still projects."""
    event = next_event(merged(found), "PAUSED")
    assert apply_event(merged(found), event) == merge_runs(merged(found), run_registers_of(event))


@given(histories("api", "openlineage", least=1), st.randoms())
def test_the_order_of_arrival_does_not_matter(history, random):
    shuffled = list(history)
    random.shuffle(shuffled)
    assert timeless(merged(recorded(history))) == timeless(merged(recorded(shuffled)))


@given(histories("api", "openlineage", least=1), st.data())
def test_how_often_an_event_arrives_does_not_matter(history, data):
    found = recorded(history)
    again = data.draw(st.lists(st.sampled_from(found), max_size=10))
    assert merged([*found, *again]) == merged(found)


@given(histories("api", "openlineage", "monitor", least=1), st.data())
def test_any_snapshot_and_what_came_since_give_the_same_view(history, data):
    found = recorded(history)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(found)), max_size=3)))
    view = RunRegisters()
    for start, end in zip([0, *cuts], [*cuts, len(found)], strict=True):
        view = unpack_run(pack_registers(merge_runs(view, merged(found[start:end]))))
    assert view == merged(found)
    assert dump(run_view("id", view)) == dump(run_view("id", merged(found)))


@given(histories("api", "openlineage", least=1))
def test_every_view_can_be_written(history):
    assert dump(run_view("id", merged(recorded(history))))


@given(histories("openlineage", least=1), run_facts("openlineage"))
def test_an_end_is_never_reopened_by_whatever_else_is_reported(history, late):
    before = merged(recorded(history))
    assume(before.terminal is not None)
    after = merged(recorded([*history, late]))
    assert after.state in ENDS


@given(histories("openlineage"), run_facts("monitor"))
def test_an_inferred_end_never_stands_before_a_reported_one(history, guess):
    run = merged(recorded([*history, guess]))
    if run.terminal is not None:
        assert (run.state, run.ended) == (run.terminal.state, run.terminal)
    elif guess.state in ENDS:
        assert run.state == guess.state


@given(histories("openlineage"), run_facts("monitor"), run_facts("openlineage"))
def test_an_inferred_end_yields_to_whatever_is_recorded_after_it(history, guess, news):
    run = merged(recorded([*history, guess, news]))
    assert run.ended == run.terminal


@given(st.lists(commands, max_size=20))
def test_commands_never_reopen_a_run_nor_change_its_end(history):
    model = Model()
    ended = None
    for command in history:
        model.command(command)
        if ended is not None:
            assert model.view.terminal == ended
        ended = model.view.terminal


@given(st.lists(commands, max_size=20))
def test_an_end_that_is_answered_200_comes_with_its_own_state(history):
    model = Model()
    for command in history:
        verdict = model.command(command)
        if command.state in ENDS and verdict in (Decision.APPEND, Decision.UNCHANGED):
            assert model.view.state == command.state


@given(st.lists(commands, max_size=20))
def test_a_start_that_is_recorded_leaves_a_running_or_an_ended_run(history):
    model = Model()
    for command in history:
        ended = model.view.terminal
        if command.state == RunState.RUNNING and model.command(command) is Decision.APPEND:
            assert model.view.state == (ended.state if ended else RunState.RUNNING)


@given(
    st.lists(commands | run_facts("openlineage"), max_size=15),
    st.lists(commands | run_facts("openlineage"), max_size=15),
)
def test_a_command_that_was_recorded_is_unchanged_at_any_later_time(before, after):
    """With its time or its key; also where an OpenLineage event has overturned the end meanwhile."""
    model = Model()
    accepted = apply_all(model, before)
    apply_all(model, after)
    for command in accepted:
        view, position = model.view, model.position
        assert model.command(command) is Decision.UNCHANGED
        assert (model.view, model.position) == (view, position)


@given(st.lists(commands | run_facts("openlineage"), max_size=15), st.lists(commands, max_size=15))
def test_a_recorded_command_is_unchanged_when_repeated_with_its_time_but_without_its_key(before, after):
    model = Model()
    accepted = apply_all(model, before)
    apply_all(model, after)
    for command in accepted:
        if command.at is not None:
            assert model.command(command._replace(key=None)) is Decision.UNCHANGED


def apply_all(model: Model, history: list) -> list[Command]:
    """Apply a history to the model; return the recorded commands that can be repeated: by their time or their key."""
    accepted = []
    for one in history:
        if not isinstance(one, Command):
            model.fact(one)
        elif model.command(one) is Decision.APPEND and (one.at is not None or one.key is not None):
            accepted.append(one)
    return accepted
