"""Runs with some of their facets only."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from service.domain.facet_selection import reported_bytes, select_facets
from service.domain.registers import OMITTED, StampedFacet, count_omitted
from service.domain.run import RunRegisters

AT = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["parent", "errorMessage", "a", "b", ""])
FACETS = st.dictionaries(
    NAMES, st.builds(StampedFacet, st.just(AT), st.binary(max_size=2), st.one_of(st.none(), st.binary(max_size=9)))
)


@given(FACETS, FACETS, st.frozensets(NAMES), st.frozensets(NAMES))
def test_facets_that_are_not_selected_count_as_left_out(facets, of_job, names, others):
    run = RunRegisters(7, AT, run_facets=facets, job_facets=of_job)
    selected = select_facets(run, names)
    assert selected._replace(run_facets=facets, job_facets=of_job) == run
    assert selected.job_facets == {}
    for name, facet in facets.items():
        kept = name in names or not facet.value
        assert selected.run_facets[name] == (facet if kept else facet._replace(value=OMITTED))
    left_out = [name for name, facet in facets.items() if facet.value == OMITTED or (facet.value and name not in names)]
    assert count_omitted(selected.run_facets) == len(left_out)
    assert reported_bytes(selected) == sum(len(each.value or b"") for name, each in facets.items() if name in names)
    assert select_facets(selected, others) == select_facets(run, names & others)
