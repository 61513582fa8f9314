"""Patterns of API keys, and what a key that is bound to namespaces may see and report."""

import string

import pytest
from histories import at
from hypothesis import given
from hypothesis import strategies as st

from service.domain.binding import MAX_PATTERNS, NOWHERE, parse_binding
from service.domain.decisions import Create, Decision, KnownEvent, Report, Transition, Within
from service.domain.event import JobName, RunState
from service.domain.run import MAX_JOBS, Created, RunRegisters

NAMES = st.text(st.sampled_from([*string.ascii_lowercase[:3], "*", "\\", "é", "\U0001f600"]), min_size=1, max_size=6)


def escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("*", "\\*")


@given(NAMES, NAMES)
def test_an_escaped_name_allows_that_name_only(name, other):
    binding = parse_binding([escaped(name)])
    assert binding.allows(name)
    assert binding.allows(other) is (name == other)


@given(NAMES, st.text())
def test_an_asterisk_at_the_end_stands_for_any_text(prefix, rest):
    binding = parse_binding([escaped(prefix) + "*"])
    assert binding.allows(prefix + rest)
    assert binding.allows(rest) is rest.startswith(prefix)


def test_several_patterns_allow_what_any_of_them_allows_and_case_counts():
    binding = parse_binding(["team-a-*", "shared", "shared"])
    assert binding.patterns == ("team-a-*", "shared")
    assert all(binding.allows(name) for name in ("team-a-", "team-a-x", "shared"))
    assert not any(
        binding.allows(name) for name in ("team-a", "Team-a-x", "shared-x", "", "team-b-x", "xteam-a-", None)
    )


@pytest.mark.parametrize(
    "pattern", ["", "*", "**", "a*b", "a**", "*a", "\\", "a\\", "\\a", "a\\*b*c", "a\0", "a\ud800", "x" * 1025]
)
def test_any_other_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match=r"."):
        parse_binding(["team-a", pattern])


def test_there_are_patterns_but_not_too_many():
    with pytest.raises(ValueError, match="must be a pattern"):
        parse_binding([])
    parse_binding(map(str, range(MAX_PATTERNS)))
    with pytest.raises(ValueError, match="more than"):
        parse_binding(map(str, range(MAX_PATTERNS + 1)))


def created_of(namespace: str) -> Created:
    return Created(
        implied=False,
        at=at(0),
        fact=b"",
        namespace=namespace,
        job="load",
        args=b"",
        nominal_start=None,
        nominal_end=None,
    )


def run_of(*namespaces: str) -> RunRegisters:
    """Return a run whose own job is in the first namespace, and whose events name jobs in all of them."""
    jobs = tuple(JobName(name, "load") for name in sorted(namespaces)) if len(namespaces) > 1 else ()
    return RunRegisters(1, at(0), created_of(namespaces[0]), jobs=jobs)


A = parse_binding(["team-a*"])


@pytest.mark.parametrize(
    ("run", "sees", "reports"),
    [
        (run_of("team-a"), True, True),
        (run_of("team-a", "team-a2"), True, True),
        (run_of("team-b"), False, False),
        (run_of("team-a", "team-b"), False, True),
        (run_of("team-b", "team-a"), False, True),
        (run_of("team-b", "team-c"), False, False),
        (RunRegisters(1, at(0)), False, False),
        (run_of("team-a")._replace(jobs=(JobName("team-a", "load"),) * MAX_JOBS), False, True),
    ],
)
def test_a_run_is_seen_if_all_its_jobs_are_within_and_reported_if_one_is(run, sees, reports):
    assert (A.may_see(run), A.may_report(run)) == (sees, reports)
    transition = Within(Transition(RunState.RUNNING, at(1)), A).decide(run)
    assert (transition is Decision.OUTSIDE) is not sees
    assert (Within(Create(created_of("team-a")), A).decide(run) is Decision.OUTSIDE) is not sees
    assert (Report(A).decide(run) is Decision.OUTSIDE) is not reports


def test_what_is_recorded_already_is_not_told_of_a_run_that_is_not_seen():
    known = KnownEvent(1, None)
    hidden = run_of("team-b")
    assert Within(Transition(RunState.RUNNING, at(1)), A).decide(hidden, known) is Decision.OUTSIDE
    assert Report(A).decide(hidden, known) is Decision.OUTSIDE
    assert Report(A).decide(run_of("team-a"), known) is Decision.UNCHANGED


def test_a_run_that_does_not_exist_can_be_created_and_reported_but_not_started():
    assert Within(Transition(RunState.RUNNING, at(1)), A).decide(None) is Decision.UNKNOWN
    assert Within(Create(created_of("team-a")), A).decide(None) is Decision.APPEND
    assert Report(A).decide(None) is Decision.APPEND


@given(
    st.lists(st.sampled_from(["team-a", "team-a2", "team-b"]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(["team-a", "team-b", "team-c"]), max_size=3),
)
def test_who_may_report_a_run_may_do_so_whatever_is_reported_later(earlier, later):
    before, after = run_of(*earlier), run_of(*dict.fromkeys([*earlier, *later]))
    assert not A.may_report(before) or A.may_report(after)
    assert not A.may_see(after) or A.may_see(before)


def test_no_namespace_at_all_allows_nothing():
    assert not NOWHERE.allows("")
    assert not NOWHERE.may_see(run_of("a"))
    assert not NOWHERE.may_report(run_of("a"))
