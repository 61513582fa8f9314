"""The decision table, cell by cell. A run here starts at minute 10 and ends at minute 20, where it does."""

import pytest
from histories import RunFact, at, merged, recorded

from service.domain.decisions import RULES, Create, Decision, KnownEvent, Transition
from service.domain.event import NO_CONTENT, Content, RunState

APPEND, UNCHANGED, CONFLICT = Decision.APPEND, Decision.UNCHANGED, Decision.CONFLICT
START, COMPLETE, FAIL, ABORT = RunState.RUNNING, RunState.COMPLETED, RunState.FAILED, RunState.ABORTED


def run(*history, source="api"):
    facts = [RunFact(RunState(state), at(minute), "load", source, None, NO_CONTENT) for state, minute in history]
    return merged(recorded(facts))


NEW = run(("NEW", 0))
RUNNING = run(("NEW", 0), ("RUNNING", 10))
ENDED = {end: run(("NEW", 0), ("RUNNING", 10), (end, 20)) for end in (COMPLETE, FAIL, ABORT)}
NEVER_STARTED = {end: run(("NEW", 0), (end, 20)) for end in (COMPLETE, FAIL, ABORT)}
ENDED_BEFORE_START = run(("NEW", 0), ("RUNNING", 10), ("COMPLETED", 5))
INFERRED = merged(
    recorded(
        [
            RunFact(START, at(10), "load", "api", None, NO_CONTENT),
            RunFact(FAIL, at(20), "load", "monitor", None, NO_CONTENT),
        ]
    )
)

CELLS = [
    # line, the run, the command, its minute, the verdict
    *[(2, f"a run that {end}", ENDED[end], START, 21, CONFLICT) for end in ENDED],
    *[(2, f"a run that {end} unstarted", NEVER_STARTED[end], START, 21, CONFLICT) for end in ENDED],
    (2, "a run that ended before it started", ENDED_BEFORE_START, START, 10, CONFLICT),
    (2, "a run that ended before it started", ENDED_BEFORE_START, START, 6, CONFLICT),
    (3, "a running run", RUNNING, START, 10, UNCHANGED),
    (3, "a running run", RUNNING, START, 11, UNCHANGED),
    *[(3, f"a run that {end}", ENDED[end], START, minute, UNCHANGED) for end in ENDED for minute in (10, 15, 20)],
    (4, "a new run", NEW, START, 10, APPEND),
    (4, "a new run, before it was created", NEW, START, -5, APPEND),
    (4, "a running run, earlier than known", RUNNING, START, 9, APPEND),
    *[(4, f"a run that {end}, earlier than known", ENDED[end], START, 9, APPEND) for end in ENDED],
    *[(4, f"a run that {end} unstarted", NEVER_STARTED[end], START, m, APPEND) for end in ENDED for m in (10, 20)],
    (4, "a run that ended before it started", ENDED_BEFORE_START, START, 5, APPEND),
    (4, "a run whose end is only inferred", INFERRED, START, 30, APPEND),
    (4, "a run whose end is only inferred", INFERRED, START, 10, APPEND),
    (4, "a run whose end is only inferred", INFERRED, START, 5, APPEND),
    *[(5, f"a run that {end}", ENDED[end], end, minute, UNCHANGED) for end in ENDED for minute in (5, 20, 99)],
    *[(5, f"a run that {end} unstarted", NEVER_STARTED[end], end, 30, UNCHANGED) for end in ENDED],
    *[
        (6, f"a run that {end}", ENDED[end], other, minute, CONFLICT)
        for end in ENDED
        for other in ENDED
        for minute in (5, 20, 99)
        if other != end
    ],
    *[(7, "a new run", NEW, end, minute, APPEND) for end in ENDED for minute in (-5, 0, 30)],
    *[(7, "a running run", RUNNING, end, minute, APPEND) for end in ENDED for minute in (5, 10, 30)],
    *[(7, "a run whose end is only inferred", INFERRED, end, minute, APPEND) for end in ENDED for minute in (5, 30)],
]


@pytest.mark.parametrize(
    ("line", "state", "command", "minute", "verdict"),
    [(line, state, command, minute, verdict) for line, _, state, command, minute, verdict in CELLS],
    ids=[f"line {cell[0]}: {cell[3]} at {cell[4]} on {cell[1]}" for cell in CELLS],
)
def test_the_first_line_that_matches_decides(line, state, command, minute, verdict):
    transition = Transition(command, at(minute))
    matching = [rule for rule in RULES if command in rule.states and rule.when(state, transition)]
    assert (matching[0].number, matching[0].then) == (line, verdict)
    assert transition.decide(state) is verdict


def test_every_line_of_the_table_has_cells():
    assert {cell[0] for cell in CELLS} == {line.number for line in RULES}


def test_every_command_on_every_run_is_decided():
    for command in (START, COMPLETE, FAIL, ABORT):
        assert any(command in line.states and line.when(NEW, Transition(command, at(0))) for line in RULES[-4:])


@pytest.mark.parametrize("command", [START, COMPLETE, FAIL, ABORT])
def test_line_1_an_unknown_run_is_unknown(command):
    assert Transition(command, at(0)).decide(None) is Decision.UNKNOWN


@pytest.mark.parametrize("command", [START, COMPLETE, FAIL, ABORT])
@pytest.mark.parametrize("state", [NEW, RUNNING, *ENDED.values(), None])
def test_line_0_an_event_that_is_recorded_already_changes_nothing(command, state):
    assert Transition(command, at(99)).decide(state, KnownEvent(7, None)) is UNCHANGED


def test_line_0_a_key_that_comes_with_the_same_content_changes_nothing():
    assert Transition(START, at(10), b"content").decide(RUNNING, KnownEvent(7, b"content")) is UNCHANGED


def test_line_0_a_key_that_comes_with_other_content_is_refused():
    assert Transition(START, at(10), b"other").decide(RUNNING, KnownEvent(7, b"content")) is Decision.KEY_REUSED


def creation(job="load", digest=None, **content):
    fact = RunFact(RunState.NEW, at(0), job, "api", None, Content(**content))
    created = merged(recorded([fact])).created
    assert created is not None
    return Create(created, digest)


CREATED = {"args": b'{"a":"1"}', "nominal_start": at(1), "nominal_end": at(2)}
CREATED_RUN = merged(recorded([RunFact(RunState.NEW, at(0), "load", "api", None, Content(**CREATED))]))


def test_line_8_an_unknown_run_is_created():
    assert creation().decide(None) is APPEND


def test_line_8_the_same_creation_again_changes_nothing():
    assert creation(**CREATED).decide(CREATED_RUN) is UNCHANGED


def test_line_8_a_creation_is_the_same_whatever_became_of_the_run():
    ended = merged(
        [
            *recorded([RunFact(RunState.NEW, at(0), "load", "api", None, Content(**CREATED))]),
            *recorded([RunFact(COMPLETE, at(20), "load", "openlineage", None, Content(args=b"other"))]),
        ]
    )
    assert creation(**CREATED).decide(ended) is UNCHANGED


@pytest.mark.parametrize(
    "other",
    [
        {"args": b'{"a":"2"}'},
        {"args": b""},
        {"nominal_start": at(9)},
        {"nominal_start": None},
        {"nominal_end": at(9)},
        {"nominal_end": None},
        {"job": "other"},
    ],
)
def test_line_8_other_content_or_another_job_is_a_conflict(other):
    assert creation(**{**CREATED, **other}).decide(CREATED_RUN) is CONFLICT


def test_line_8_a_run_first_heard_of_by_openlineage_gets_its_creator():
    assert creation(**CREATED).decide(run(("RUNNING", 10), source="openlineage")) is APPEND


def test_line_8_a_run_first_heard_of_under_another_job_is_a_conflict():
    assert creation(job="other").decide(run(("RUNNING", 10), source="openlineage")) is CONFLICT


@pytest.mark.parametrize(("digest", "verdict"), [(b"same", UNCHANGED), (b"other", Decision.KEY_REUSED)])
def test_line_0_goes_before_line_8(digest, verdict):
    assert creation(digest=digest).decide(CREATED_RUN, KnownEvent(1, b"same")) is verdict
