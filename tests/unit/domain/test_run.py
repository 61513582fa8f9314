"""The registers of a run, one by one."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from histories import ENDS, RunFact, at, merged, recorded

from service.domain.event import NO_CONTENT, Content, RunState
from service.domain.ids import stream_of
from service.domain.run import RunRegisters, merge_runs, milliseconds
from service.ledger.stored_registers import pack_registers, unpack_run


def reported(state=None, minute=0, *, source="openlineage", job="load", parent_run=None, **content):
    return RunFact(
        RunState(state) if state else None, at(minute), job, source, parent_run, NO_CONTENT._replace(**content)
    )


def run_of(*history):
    return merged(recorded(history))


def test_a_run_that_was_only_created_is_new():
    run = run_of(reported("NEW", 1))
    assert (run.state, run.started_at, run.ended, run.duration_ms) == (RunState.NEW, None, None, None)


def test_a_run_of_which_only_facets_are_known_is_new():
    assert run_of(reported(None, 1, run_facets={"a": b"1"})).state == RunState.NEW


def test_a_run_runs_from_its_earliest_start():
    run = run_of(reported("RUNNING", 3), reported("RUNNING", 1), reported("RUNNING", 2))
    assert (run.state, run.started_at) == (RunState.RUNNING, at(1))


@pytest.mark.parametrize("end", ENDS)
def test_an_end_absorbs_whatever_start_comes_after_it(end):
    run = run_of(reported(end, 2), reported("RUNNING", 1), reported("RUNNING", 9), reported(None, 10))
    assert (run.state, run.ended.at, run.started_at) == (end, at(2), at(1))


def test_the_latest_reported_end_stands():
    assert run_of(reported("FAILED", 5), reported("COMPLETED", 6), reported("ABORTED", 4)).state == RunState.COMPLETED
    assert run_of(reported("FAILED", 6), reported("FAILED", 7), reported("FAILED", 5)).ended.at == at(7)


@pytest.mark.parametrize(
    ("one", "two", "stands"),
    [
        ("COMPLETED", "FAILED", "FAILED"),
        ("COMPLETED", "ABORTED", "ABORTED"),
        ("FAILED", "ABORTED", "ABORTED"),
    ],
)
def test_between_ends_of_the_same_time_the_worse_stands(one, two, stands):
    assert (
        run_of(reported(one, 5), reported(two, 5)).state == run_of(reported(two, 5), reported(one, 5)).state == stands
    )


def test_a_run_first_heard_of_by_its_end_was_created_then_and_never_started():
    run = run_of(reported("COMPLETED", 5))
    assert (run.created.at, run.started_at, run.duration_ms) == (at(5), None, None)


def test_a_creation_goes_before_any_earlier_mention():
    run = run_of(
        reported("RUNNING", 1, args=b'{"a":"mention"}'), reported("NEW", 5, args=b'{"a":"creator"}', job="other")
    )
    assert (run.created.at, run.created.args, run.created.job) == (at(5), b'{"a":"creator"}', "other")


def test_of_two_creations_the_earlier_stands():
    assert run_of(reported("NEW", 5, args=b"2"), reported("NEW", 4, args=b"1")).created.args == b"1"


def test_a_nominal_time_facet_goes_before_what_the_creator_said():
    run = run_of(
        reported("NEW", 1, nominal_start=at(10), nominal_end=at(11)),
        reported(None, 2, facet_nominal=(at(20), None)),
    )
    assert run.nominal_times == (at(20), None)


def test_without_a_nominal_time_facet_the_creators_times_stand():
    assert run_of(reported("NEW", 1, nominal_start=at(10))).nominal_times == (at(10), None)
    assert RunRegisters().nominal_times == (None, None)


def test_the_latest_value_of_each_facet_stands():
    run = run_of(
        reported(None, 2, run_facets={"a": b"2", "b": b"2"}, job_facets={"j": b"2"}),
        reported(None, 1, run_facets={"a": b"1", "c": b"1"}, job_facets={"j": b"1"}),
    )
    assert {name: facet.value for name, facet in run.run_facets.items()} == {"a": b"2", "b": b"2", "c": b"1"}
    assert run.job_facets["j"].value == b"2"


def test_a_deleted_facet_stays_deleted_against_an_earlier_value_that_arrives_late():
    assert (
        run_of(reported(None, 2, run_facets={"a": None}), reported(None, 1, run_facets={"a": b"1"}))
        .run_facets["a"]
        .value
        is None
    )


PHASES = [None, "RUNNING", "COMPLETED", "FAILED", "ABORTED"]


@pytest.mark.parametrize("earlier", range(len(PHASES)))
@pytest.mark.parametrize("name", "abcdefgh")
def test_of_events_of_one_time_that_of_the_later_phase_sets_facets_parent_and_nominal_times(earlier, name):
    """The digest, which differs with `name`, decides nothing here."""
    parents = uuid4(), uuid4()
    one, two = (
        reported(
            state, 5, run_facets={"x": name.encode()}, job_facets={"y": state.encode() if state else b"-"},
            parent_run=parents[number], facet_nominal=(at(number), None),
        )
        for number, state in enumerate((PHASES[earlier], PHASES[-1] if earlier < 4 else "ABORTED"))
    )  # fmt: skip
    for run in (run_of(one, two), run_of(two, one)):
        winner = two if earlier < 4 else max(one, two, key=lambda fact: fact.digest())
        assert run.job_facets["y"].value == winner.content.job_facets["y"]
        assert (run.parent_run.run, run.nominal.start) == (winner.parent_run, winner.content.facet_nominal[0])


def test_registers_that_were_stored_before_phases_are_read_and_lose_to_later_phases():
    run = run_of(reported("RUNNING", 1, run_facets={"a": b"1"}, parent_run=uuid4(), facet_nominal=(at(1), None)))
    old = run._replace(
        parent_run=tuple(run.parent_run)[:3],
        nominal=tuple(run.nominal)[:4],
        run_facets={name: tuple(facet)[:3] for name, facet in run.run_facets.items()},
    )
    read = unpack_run(pack_registers(old))
    assert (read.parent_run.phase, read.nominal.phase, read.run_facets["a"].phase) == (0, 0, 0)
    assert merge_runs(read, run) == merge_runs(run, read) == run


def test_the_latest_parent_run_stands():
    first, second = uuid4(), uuid4()
    assert run_of(reported(None, 2, parent_run=second), reported(None, 1, parent_run=first)).parent_run[2] == second


def test_an_inferred_end_counts_while_it_is_the_last_thing_recorded():
    run = run_of(reported("RUNNING", 1), reported("FAILED", 7, source="monitor"))
    assert (run.state, run.ended.at, run.duration_ms) == (RunState.FAILED, at(7), 6 * 60_000)


def test_an_inferred_end_is_gone_as_soon_as_anything_is_recorded_after_it():
    run = run_of(reported("RUNNING", 1), reported("FAILED", 7, source="monitor"), reported(None, 2))
    assert (run.state, run.ended) == (RunState.RUNNING, None)


def test_a_reported_end_goes_before_an_inferred_one():
    run = run_of(reported("COMPLETED", 1), reported("FAILED", 7, source="monitor"))
    assert (run.state, run.ended.at) == (RunState.COMPLETED, at(1))


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        (at(0), at(1), 60_000),
        (at(0) + timedelta(microseconds=999), at(0) + timedelta(microseconds=1000), 1),
        (at(0) + timedelta(microseconds=1), at(0) + timedelta(microseconds=999), 0),
        (at(1), at(0), 0),
    ],
)
def test_a_duration_is_cut_to_the_millisecond_on_both_sides_and_never_below_0(start, end, duration):
    history = [reported("RUNNING")._replace(at=start), reported("COMPLETED")._replace(at=end)]
    assert merged(recorded(history)).duration_ms == duration


def test_milliseconds_before_1970_are_cut_downwards():
    assert milliseconds(at(0).replace(year=1969, microsecond=1500)) % 1000 == 1


def test_updated_at_and_position_are_the_last_recorded_ones():
    run = run_of(reported("COMPLETED", 9), reported("RUNNING", 1))
    assert (run.position, run.updated_at) == (2, at(2))


def test_names_have_streams_of_their_own():
    streams = [
        stream_of("a", "b"),
        stream_of("ab"),
        stream_of("a:b"),
        stream_of("1:a", "b"),
        stream_of("a", "1:b"),
        stream_of("", "ab"),
        stream_of("ab", ""),
        stream_of("a"),
        stream_of("a", "b", ""),
    ]
    assert len(set(streams)) == len(streams)
    assert stream_of("a", "b") == UUID(str(stream_of("a", "b")))
    assert stream_of("a", "b").version == 5


def test_content_says_nothing_by_default():
    assert Content() == NO_CONTENT
    assert run_of(reported("RUNNING")).run_facets == {}
