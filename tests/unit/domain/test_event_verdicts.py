"""The effect of each event of a history."""

from datetime import timedelta

from histories import RunFact, at, histories, judge_history, merged_events, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.event import MONITOR, Content, RunState
from service.domain.event_verdicts import Effect, HistoryJudge, report_of, restarts_of
from service.domain.run import RunRegisters, merge_runs, run_registers_of


def reported(state, minutes, source="api", content=Content()):  # noqa: B008
    return RunFact(state, at(minutes), "load", source, None, content)


def judged(*history):
    return judge_history(one.recorded(position) for position, one in enumerate(history, 1))


def test_a_life_as_it_should_be_stands():
    new, start, end = judged(reported(RunState.NEW, 0), reported(RunState.RUNNING, 1), reported(RunState.COMPLETED, 2))
    assert [new.effect, start.effect, end.effect] == [Effect.STANDS] * 3
    assert (new.changed, start.changed, end.changed) == (("created",), ("startedAt",), ("ended",))
    assert not any(one.late for one in (new, start, end))


def test_an_event_of_the_same_time_is_not_late():
    _, start, end = judged(reported(RunState.NEW, 0), reported(RunState.RUNNING, 1), reported(RunState.COMPLETED, 1))
    assert (start.late, end.late) == (False, False)


def test_a_heartbeat_changes_nothing():
    *_, beat = judged(reported(RunState.NEW, 0), reported(RunState.RUNNING, 1), reported(RunState.RUNNING, 2))
    assert beat.effect is Effect.UNCHANGED
    assert beat.changed == ()


def test_an_earlier_start_is_late_and_supersedes_the_one_before():
    _, first, second = judged(reported(RunState.NEW, 0), reported(RunState.RUNNING, 2), reported(RunState.RUNNING, 1))
    assert (first.effect, first.superseded_by) == (Effect.SUPERSEDED, 3)
    assert (second.effect, second.late) == (Effect.STANDS, True)


def test_a_later_end_supersedes_the_one_before():
    _, first, second = judged(reported(RunState.NEW, 0), reported(RunState.COMPLETED, 2), reported(RunState.FAILED, 3))
    assert (first.effect, first.superseded_by) == (Effect.SUPERSEDED, 3)
    assert second.effect is Effect.STANDS


def test_an_earlier_end_in_the_same_state_is_a_late_report_that_changes_nothing():
    *_, late = judged(reported(RunState.NEW, 0), reported(RunState.COMPLETED, 3), reported(RunState.COMPLETED, 2))
    assert (late.effect, late.late) == (Effect.UNCHANGED, True)
    assert "takes precedence" in late.reason


def test_an_earlier_end_in_another_state_contradicts_the_one_that_stands():
    *_, end, late = judged(reported(RunState.NEW, 0), reported(RunState.COMPLETED, 3), reported(RunState.FAILED, 2))
    assert (end.effect, end.changed) == (Effect.STANDS, ("ended",))
    assert (late.effect, late.changed, late.reason) == (Effect.STANDS, ("ends",), "a late report that set ends")


STARTS = Content(starts=True)


def test_attempts_are_counted_from_each_start_after_an_end_by_the_times_of_the_reports():
    verdicts = judged(
        reported(RunState.RUNNING, 1),
        reported(RunState.FAILED, 3),
        reported(RunState.RUNNING, 5),
        reported(RunState.COMPLETED, 7),
        reported(RunState.RUNNING, 2, "openlineage"),
        reported(RunState.RUNNING, 6, "openlineage"),
        reported(RunState.RUNNING, 9, "openlineage"),
        reported(RunState.RUNNING, 9, "openlineage", STARTS),
    )
    assert [verdict.attempt for verdict in verdicts] == [1, 1, 2, 2, 1, 2, 3, 3]
    assert verdicts[2].changed == verdicts[7].changed == ("restartedAt",)
    assert verdicts[2].reason == "a report that set restartedAt; replaced by position 4"
    assert (verdicts[7].effect, verdicts[6].effect) == (Effect.STANDS, Effect.UNCHANGED)


def test_a_start_of_another_job_under_the_same_id_is_no_further_attempt():
    one = reported(RunState.RUNNING, 1), reported(RunState.FAILED, 2)
    other = (report._replace(job="clean", at=report.at + timedelta(minutes=5)) for report in one)
    assert [verdict.attempt for verdict in judged(*one, *other)] == [1] * 4


def test_an_inferred_end_is_superseded_by_whatever_comes_after_it():
    _, inferred, beat = judged(
        reported(RunState.NEW, 0),
        reported(RunState.ABORTED, 5, "monitor"),
        reported(RunState.RUNNING, 1, "openlineage"),
    )
    assert (inferred.effect, inferred.superseded_by) == (Effect.SUPERSEDED, 3)
    assert inferred.reason == "an inference that set ended; replaced by position 3"
    assert set(beat.changed) == {"startedAt", "ended"}


def test_a_facet_said_anew_is_superseded_while_the_start_it_came_with_stands():
    first = reported(RunState.RUNNING, 1, "openlineage", Content(run_facets={"a": b"1"}))
    second = reported(None, 2, "openlineage", Content(run_facets={"a": b"2"}))
    third = reported(None, 3, "openlineage", Content(run_facets={"a": b"3"}))
    start, middle, last = judged(first, second, third)
    assert start.effect is Effect.STANDS
    assert (middle.effect, middle.superseded_by) == (Effect.SUPERSEDED, 3)
    assert last.changed == ("facets.run.a",)


def view(run):
    ended = run.ended
    facets = {k: v[:2] for k, v in run.run_facets.items()}, {k: v[:2] for k, v in run.job_facets.items()}
    ends = run.contradicting_ends, run.restarted_at
    return run.created, run.started_at, ended, ends, run.parent_run, run.nominal, facets


@given(histories("api", "openlineage", "monitor"))
def test_an_event_is_unchanged_exactly_where_the_view_is_the_same_before_and_after(history):
    verdicts = judge_history(one.recorded(position) for position, one in enumerate(history, 1))
    run = RunRegisters()
    for part, verdict in zip(recorded(history), verdicts, strict=True):
        after = merge_runs(run, part)
        assert (view(run) == view(after)) == (verdict.effect is Effect.UNCHANGED)
        run = after


@given(histories("api", "openlineage", "monitor", least=1))
def test_what_changed_the_view_last_stands(history):
    verdicts = judge_history(one.recorded(position) for position, one in enumerate(history, 1))
    reported = any(fact.source != "monitor" for fact in history)
    assert any(verdict.effect is Effect.STANDS for verdict in verdicts) or not reported
    for position, verdict in enumerate(verdicts, 1):
        assert verdict.superseded_by is None or position < verdict.superseded_by <= len(history)


def judge_part(history, begin, end, group):
    """Judge a part of a history from what comes before it, the final registers, and groups of the events after it."""
    judge = HistoryJudge(
        merged_events(history[:begin]), max((one.transitioned_at for one, _ in history[:begin]), default=None)
    )
    for event, content in history[begin:end]:
        judge.add(event, content)
    rest = history[end:]
    judge.settle(merged_events(history))
    while judge.is_open() and rest:
        if not judge.skip(merged_events(rest[:group])):
            for event, content in rest[:group]:
                judge.follow(event, content)
        del rest[:group]
    reports = [report_of(event, run_registers_of(event, content)) for event, content in history]
    return list(judge.verdicts(restarts_of(report for report in reports if report is not None)))


@settings(max_examples=200)
@given(
    histories("api", "openlineage", MONITOR, least=1, most=12), st.integers(0, 11), st.integers(1, 4), st.integers(1, 4)
)
def test_a_part_of_a_history_is_judged_like_the_whole(history, begin, length, group):
    events = [one.recorded(position) for position, one in enumerate(history, 1)]
    begin = min(begin, len(events) - 1)
    end = min(begin + length, len(events))
    assert judge_part(events, begin, end, group) == judge_history(events)[begin:end]


def test_what_an_inferred_end_set_is_superseded_also_where_a_later_end_sets_it_again():
    started = reported(RunState.RUNNING, 5)
    history = [
        started,
        reported(RunState.ABORTED, 1, MONITOR),
        reported(RunState.RUNNING, 0),
        reported(RunState.ABORTED, 1),
    ]
    events = [one.recorded(position) for position, one in enumerate(history, 1)]
    inferred = judge_part(events, 1, 2, 1)[0]
    assert (inferred.effect, inferred.superseded_by) == (Effect.SUPERSEDED, 3)
    assert inferred.changed == ("ended",), "a START before an inferred end is no restart"
    assert merged_events(events).restarted_at == at(5)
