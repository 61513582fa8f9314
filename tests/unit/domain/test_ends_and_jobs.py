"""The latest report of each terminal state, the latest START, and the jobs of a run, in whatever order and number."""

import pytest
from histories import ENDS, RunFact, at, histories, merged, recorded, run_facts
from hypothesis import given
from hypothesis import strategies as st

from service.domain import run as run_module
from service.domain.event import Content, JobName, RunState
from service.domain.run import merge_runs
from service.http.views import run_view
from service.ledger.stored_registers import pack_registers, unpack_run

REPORTED = ("api", "openlineage", "import")
RANK = {state: rank for rank, state in enumerate(ENDS)}


def reported(state, minutes, job="load", source="openlineage", *, starts=False):
    return RunFact(state, at(minutes), job, source, None, Content(starts=starts))


def parts_of(history, data):
    """Return the registers of some splits of a history, in any order, with repetitions, packed and unpacked."""
    alone = recorded(history)
    again = data.draw(st.lists(st.sampled_from(alone), max_size=4))
    shuffled = data.draw(st.permutations([*alone, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    bounds = zip([0, *cuts], [*cuts, len(shuffled)], strict=True)
    return [unpack_run(pack_registers(merged(shuffled[start:end]))) for start, end in bounds]


@given(histories(*REPORTED, "monitor", least=1), st.data())
def test_the_ends_are_the_latest_reports_of_each_state_and_the_one_that_stands_follows(history, data):
    run = merged(parts_of(history, data))
    latest: dict[RunState, tuple] = {}
    for fact in history:
        if fact.state in ENDS and fact.source != "monitor":
            end = fact.at, RANK[fact.state], fact.state
            latest[fact.state] = max(end, latest.get(fact.state, end))
    expected = sorted(latest.values())
    stands = (*run.terminal[::2],) if run.terminal else None
    assert stands == ((expected[-1][0], expected[-1][2]) if expected else None)
    contradicting = [(end.at, end.state) for end in run.contradicting_ends]
    assert contradicting == ([(when, state) for when, _, state in expected] if len(expected) > 1 else [])


@given(histories(*REPORTED, "monitor", least=1), st.data())
def test_the_latest_start_is_that_of_a_command_or_of_an_event_that_is_no_heartbeat(history, data):
    run = merged(parts_of(history, data))
    starts = [one.at for one in history if one.state == "RUNNING" and (one.source == "api" or one.content.starts)]
    assert run.latest_start == max(starts, default=None)
    after = run.latest_start is not None and run.terminal is not None and run.latest_start > run.terminal.at
    assert run.restarted_at == (run.latest_start if after else None)


JOBS = st.sampled_from(["load", "clean", "a", "b", "c"])


@pytest.mark.parametrize("most", [1, 2, 3, 256])
@given(facts=st.lists(st.tuples(run_facts(*REPORTED), JOBS), min_size=1, max_size=8), data=st.data())
def test_the_jobs_are_those_of_the_events_the_first_so_many_and_the_runs_own(most, facts, data):
    history = list({one.digest(): one for one in (fact._replace(job=job) for fact, job in facts)}.values())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_module, "MAX_JOBS", most)
        run = merged(parts_of(history, data))
        assert merge_runs(run, run) == run
    named = sorted({fact.job for fact in history})[:most]
    assert {run.job, *run.other_jobs} == {run.job} | {JobName("etl", name) for name in named}
    assert run.job not in run.other_jobs
    assert run.jobs in ((), tuple(JobName("etl", name) for name in named))


def test_a_failed_write_of_spark_is_completed_and_shows_both_ends():
    run = merged(recorded([reported("RUNNING", 0), reported("FAILED", 1), reported("COMPLETED", 1.1)]))
    view = run_view("id", run)
    assert (view["state"], view["endedAt"]) == ("COMPLETED", at(1.1))
    assert view["ends"] == [{"state": "FAILED", "endedAt": at(1)}, {"state": "COMPLETED", "endedAt": at(1.1)}]


def test_ends_of_one_state_do_not_contradict():
    run = merged(recorded([reported("FAILED", 1), reported("FAILED", 2), reported("ABORTED", 3, source="monitor")]))
    assert "ends" not in run_view("id", run)
    assert run.contradicting_ends == ()


def test_a_second_life_shows_its_start_until_it_has_ended_too():
    first = [reported("RUNNING", 0, starts=True), reported("FAILED", 1)]
    heartbeat = reported("RUNNING", 5)
    again = reported("RUNNING", 3, starts=True)
    assert "restartedAt" not in run_view("id", merged(recorded([*first, heartbeat])))
    view = run_view("id", merged(recorded([*first, again, heartbeat])))
    assert (view["state"], view["restartedAt"]) == ("FAILED", at(3))
    over = run_view("id", merged(recorded([*first, again, reported("COMPLETED", 6)])))
    assert (over["state"], over["durationMs"], "restartedAt" in over) == ("COMPLETED", 6 * 60_000, False)


def test_several_jobs_of_one_run_are_shown_and_a_single_one_is_not():
    run = merged(recorded([reported("RUNNING", 1, "load"), reported("RUNNING", 2, "clean")]))
    view = run_view("id", run)
    assert view["job"] == {"namespace": "etl", "name": "load"}
    assert view["jobs"] == [{"namespace": "etl", "name": "clean"}, {"namespace": "etl", "name": "load"}]
    assert "jobs" not in run_view("id", merged(recorded([reported("RUNNING", 1), reported("COMPLETED", 2)])))
