"""Ends that are inferred from silence: what holds for any life of a run, in any order of merges."""

from datetime import timedelta

from histories import ENDS, RUN, RunFact, at, merged, run_facts
from hypothesis import given
from hypothesis import strategies as st

from service.domain.decisions import Decision, InferEnd, KnownEvent
from service.domain.event import RunState
from service.domain.run import RunRegisters, run_registers_of
from service.domain.silence import SetBy, Silence, SilentAfter, StampedSilentAfter, latest_setting
from service.http.views import run_view
from service.ledger import drafts
from service.ledger.stored_registers import pack_registers, unpack_run
from service.payloads.contents import decode_payload

SILENT = "silent"
reports = run_facts("api", "openlineage", "import")
beats = reports.map(lambda one: one._replace(state=RunState.RUNNING))
lives = st.lists(beats | st.just(SILENT) | st.just(SILENT), min_size=1, max_size=6) | st.lists(
    reports | beats | st.just(SILENT), min_size=1, max_size=10
)
"""Runs that only start and report now and then, and any."""


def lived(life: list[RunFact | str]) -> tuple[list[RunRegisters], Silence | None]:
    """Record a life like the service: an end is inferred where the run is RUNNING. Returns the registers of each event,
    and what the last event infers, if it does."""
    parts: list[RunRegisters] = []
    silence = None
    for step in life:
        position, run = len(parts) + 1, merged(parts)
        if not isinstance(step, RunFact):
            found = Silence(run.position, run.updated_at, 60)
            draft = drafts.inferred_end(RUN, found, SetBy.JOB)
            if InferEnd(run.position).decide(run if parts else None) is Decision.APPEND:
                event = draft.of_job("etl", "named by no report").at(position, at(position))
                parts.append(run_registers_of(event, decode_payload(event, draft.payload).content))
                silence = found
        else:
            parts.append(run_registers_of(*step.recorded(position)))
            silence = None
    return parts, silence


@given(lives, st.data())
def test_an_inferred_end_counts_until_anything_is_recorded_whatever_order_the_events_are_merged_in(life, data):
    parts, silence = lived(life)
    again = data.draw(st.lists(st.sampled_from(parts), max_size=4)) if parts else []
    run = unpack_run(pack_registers(merged(data.draw(st.permutations([*parts, *again])))))
    assert run == merged(parts)
    reported = [one for one in life if isinstance(one, RunFact)]
    view = run_view("id", run)
    if silence is not None:
        assert (run.state, run.is_inferred, run.inferred_from) == (RunState.ABORTED, True, silence)
        assert view["endedAt"] == silence.last_at + timedelta(seconds=60)
        assert view["stateReason"] == {
            "code": "silent",
            "source": "monitor",
            "position": len(parts),
            "lastEventPosition": len(parts) - 1,
            "lastEventAt": silence.last_at,
            "silentAfterSeconds": 60,
        }
    else:
        ended = any(one.state in ENDS for one in reported)
        started = any(one.state == RunState.RUNNING for one in reported)
        assert (run.state in ENDS) is ended
        assert ended or run.state == (RunState.RUNNING if started else RunState.NEW)
        assert (run.is_inferred, run.inferred_from, "stateReason" in view) == (False, None, False)
    assert run.created == merged([run_registers_of(*one.recorded(1)) for one in reported]).created
    assert {run.job, *run.other_jobs} - {None} == {("etl", one.job) for one in reported}


@given(lives)
def test_an_end_is_inferred_for_running_runs_alone_and_after_their_last_event(life):
    parts, _ = lived(life)
    run = merged(parts)
    for position in range(len(parts) + 2):
        silent = run.state == RunState.RUNNING and position == run.position
        assert InferEnd(position).decide(run) is (Decision.APPEND if silent else Decision.UNCHANGED)
        assert InferEnd(position).decide(run, KnownEvent(7, None)) is Decision.UNCHANGED


def test_of_an_unknown_run_no_end_is_inferred():
    assert InferEnd(0).decide(None) is Decision.UNKNOWN


def test_two_monitors_infer_one_and_the_same_fact_from_one_event():
    one = drafts.inferred_end(RUN, Silence(7, at(1), 60), SetBy.JOB)
    two = drafts.inferred_end(RUN, Silence(7, at(1), 90), SetBy.SERVICE)
    assert one.fact == two.fact != drafts.inferred_end(RUN, Silence(8, at(1), 60), SetBy.JOB).fact


settings = st.builds(
    StampedSilentAfter,
    at=st.integers(0, 3).map(at),
    digest=st.binary(min_size=1, max_size=1),
    position=st.just(1),
    seconds=st.none() | st.integers(0, 9),
)


@given(st.lists(st.none() | settings, min_size=3, max_size=3, unique_by=lambda one: one and one[:2]))
def test_settings_merge_in_any_order(three):
    a, b, c = three
    assert latest_setting(a, latest_setting(b, c)) == latest_setting(latest_setting(c, a), b)
    assert latest_setting(a, a) == a
    assert SilentAfter(None) != SilentAfter(0)
