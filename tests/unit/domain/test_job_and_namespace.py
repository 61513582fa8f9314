"""Jobs and namespaces: registers like a run's."""

from functools import reduce
from typing import NamedTuple

import pytest
from histories import RUN, at, contents, times
from hypothesis import given
from hypothesis import strategies as st

from service.domain.event import NO_CONTENT, Content, DatasetName, Event
from service.domain.job import JobDefinition, JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.tags import TagChange, present
from service.ledger.stored_registers import pack_registers, unpack_job, unpack_namespace


class NameFact(NamedTuple):
    """A fact that defines, deletes, tags or mentions job load in namespace etl."""

    subject: str
    kind: str
    at: object
    content: Content
    text: str


def event(fact, position, state=None):
    digest = repr(fact).encode()
    nothing = (None, None, None)
    return Event(
        position, fact.subject, RUN, fact.kind, state, fact.at, at(position), "etl", "load", None, "api", None, digest,
        *nothing[:2],
    )  # fmt: skip


def job_of(history):
    parts = []
    for position, fact in enumerate(history, 1):
        found = event(fact, position)
        defined = fact.subject == "job" and fact.kind == "defined"
        definition = JobDefinition(fact.at, found.fact, "BATCH", fact.text, None) if defined else None
        tags = (TagChange(fact.text, fact.kind == "tagged"),) if fact.kind in ("tagged", "untagged") else ()
        parts.append(job_registers_of(found, fact.content, definition, tags=tags))
    return parts


def namespace_of(history):
    parts = []
    for position, fact in enumerate(history, 1):
        found = event(fact, position)
        defined = fact.subject == "namespace" and fact.kind == "defined"
        definition = NamespaceDefinition(fact.at, found.fact, fact.text, None) if defined else None
        parts.append(namespace_registers_of(found, definition))
    return parts


def facts(*subjects):
    kinds = st.sampled_from(["transition", "facts", "defined", "deleted", "tagged", "untagged"])
    return st.builds(NameFact, st.sampled_from(subjects), kinds, times, contents, st.sampled_from("xyz")).map(sensible)


def sensible(one):
    """Runs transition, names are defined and deleted."""
    plain = one.kind in ("transition", "facts")
    kind = one.kind if plain == (one.subject == "run") else {"run": "transition"}.get(one.subject, "defined")
    return one._replace(kind=kind, content=NO_CONTENT if kind == "deleted" else one.content)


job_parts = st.lists(facts("run", "job"), min_size=1, max_size=7, unique_by=repr).map(job_of)
namespace_parts = st.lists(facts("run", "job", "namespace"), min_size=1, max_size=7, unique_by=repr).map(namespace_of)
AGGREGATES = pytest.mark.parametrize(
    ("parts", "merge", "unpack"),
    [(job_parts, merge_jobs, unpack_job), (namespace_parts, merge_namespaces, unpack_namespace)],
    ids=["jobs", "namespaces"],
)


@AGGREGATES
@given(data=st.data())
def test_merge_is_associative_commutative_and_idempotent(parts, merge, unpack, data):
    found = data.draw(parts)
    some = st.lists(st.sampled_from(found), min_size=1, max_size=4)
    one, two, three = (reduce(merge, data.draw(some)) for _ in range(3))
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, two) == merge(two, one)
    assert merge(one, one) == one
    assert unpack(pack_registers(one)) == one


@AGGREGATES
@given(data=st.data())
def test_any_snapshot_order_and_duplication_give_the_same_registers(parts, merge, unpack, data):
    found = data.draw(parts)
    shuffled = data.draw(st.permutations([*found, *data.draw(st.lists(st.sampled_from(found), max_size=5))]))
    cut = data.draw(st.integers(1, len(shuffled)))
    snapshot = unpack(pack_registers(reduce(merge, shuffled[:cut])))
    assert reduce(merge, shuffled[cut:], snapshot) == reduce(merge, found)


def job(*history):
    return reduce(merge_jobs, job_of(NameFact(*one) for one in history))


def namespace(*history):
    return reduce(merge_namespaces, namespace_of(NameFact(*one) for one in history))


def test_a_job_is_as_it_was_last_defined():
    found = job(("job", "defined", at(2), NO_CONTENT, "new"), ("job", "defined", at(1), NO_CONTENT, "old"))
    assert (found.definition.location, found.first_seen.at) == ("new", at(1))


def test_a_definition_goes_before_a_mention_however_early_that_was():
    found = job(("run", "transition", at(1), NO_CONTENT, ""), ("job", "defined", at(9), NO_CONTENT, "x"))
    assert found.first_seen.at == at(9)
    named = namespace(("run", "transition", at(1), NO_CONTENT, ""), ("namespace", "defined", at(9), NO_CONTENT, "x"))
    assert named.first_seen.at == at(9)


def test_a_jobs_definition_is_only_a_mention_of_its_namespace():
    found = namespace(("job", "defined", at(1), NO_CONTENT, ""), ("namespace", "defined", at(9), NO_CONTENT, "x"))
    assert found.first_seen.at == at(9)


def test_inputs_are_those_of_the_latest_event_that_names_any():
    named, other = (DatasetName("n", "a"),), (DatasetName("n", "b"),)
    found = job(
        ("run", "facts", at(2), Content(inputs=named, outputs=other), ""),
        ("run", "facts", at(3), Content(), ""),
        ("run", "facts", at(1), Content(inputs=other), ""),
    )
    assert (found.inputs.datasets, found.outputs.datasets) == (named, other)


@pytest.mark.parametrize("name", "abcdefgh")
def test_of_a_start_and_an_end_of_one_time_the_end_names_the_datasets(name):
    """The digest, which differs with `name`, decides nothing here."""
    first, last = (
        job_registers_of(
            event(NameFact("run", "transition", at(1), NO_CONTENT, f"{name}{state}"), position, state),
            Content(outputs=(DatasetName("n", state),), job_facets={"f": state.encode()}),
        )
        for position, state in enumerate(("RUNNING", "COMPLETED"), 1)
    )
    for found in (merge_jobs(first, last), merge_jobs(last, first)):
        assert found.outputs.datasets == (DatasetName("n", "COMPLETED"),)
        assert found.facets["f"].value == b"COMPLETED"


def test_a_job_is_hidden_from_its_deletion_until_it_is_heard_of_again():
    history = [
        ("job", "defined", at(1), NO_CONTENT, "x"),
        ("job", "deleted", at(2), NO_CONTENT, ""),
        ("run", "transition", at(0), NO_CONTENT, ""),
    ]
    assert [job(*history[:length]).hidden for length in (1, 2, 3)] == [False, True, False]


def test_a_namespace_is_hidden_from_its_deletion_until_it_is_heard_of_again():
    history = [
        ("namespace", "defined", at(1), NO_CONTENT, "x"),
        ("namespace", "deleted", at(2), NO_CONTENT, ""),
        ("job", "defined", at(0), NO_CONTENT, ""),
    ]
    assert [namespace(*history[:length]).hidden for length in (1, 2, 3)] == [False, True, False]


def test_the_deletion_of_a_job_does_not_delete_its_namespace():
    found = namespace(("namespace", "defined", at(1), NO_CONTENT, "x"), ("job", "deleted", at(2), NO_CONTENT, ""))
    assert not found.hidden


def test_own_position_moves_with_its_own_events_only():
    history = (("job", "defined", at(1), NO_CONTENT, "x"), ("run", "transition", at(2), NO_CONTENT, ""))
    assert (job(*history).own_position, job(*history).position) == (1, 2)
    named = (("namespace", "defined", at(1), NO_CONTENT, "x"), ("job", "defined", at(2), NO_CONTENT, ""))
    assert (namespace(*named).own_position, namespace(*named).position) == (1, 2)


def test_nothing_known_is_not_hidden():
    assert not JobRegisters("etl", "load").hidden
    assert not NamespaceRegisters("etl").hidden


def test_a_tag_stands_until_it_is_removed_and_is_no_sign_of_life():
    history = [
        ("job", "defined", at(1), NO_CONTENT, "x"),
        ("job", "tagged", at(2), NO_CONTENT, "PII"),
        ("job", "tagged", at(3), NO_CONTENT, "pii"),
        ("job", "untagged", at(4), NO_CONTENT, "PII"),
    ]
    found = [job(*history[:length]) for length in (1, 2, 3, 4)]
    assert [present(one.tags) for one in found] == [[], ["PII"], ["PII", "pii"], ["pii"]]
    assert {one.updated_at for one in found} == {at(1)}  # recorded at its position
    assert [one.own_position for one in found] == [1, 2, 3, 4]
    deleted = [history[0], ("job", "deleted", at(5), NO_CONTENT, ""), *history[1:]]
    assert job(*deleted).hidden
    assert namespace(history[0], ("namespace", "deleted", at(5), NO_CONTENT, ""), *history[1:]).hidden
