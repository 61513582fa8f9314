"""PostgreSQL and Python agree which namespaces are within a binding, and all that events name are found."""

import json
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from tenants import dataset, lineage

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database.statements import load_text
from service.domain import timestamps
from service.domain.binding import Binding
from service.ledger.bound_runs import Ownership, matching_namespaces, read_ownership
from service.ledger.events import append_events
from service.payloads.openlineage import Origin, read_lineage_event

LONG = "x" * 300
CHARACTERS = st.sampled_from(
    [*"ab%_*\\ ", "é", "\u0301", "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "ß", "İ", "\u00ad"]
)
NAMES = st.text(CHARACTERS, min_size=1, max_size=4)
SEVERAL = st.lists(NAMES, max_size=3).map(tuple)
TEST = f"select {load_text('within', namespace='n.name')}".replace(":names", "$1").replace(":prefixes", "$2")


def read(event):
    return read_lineage_event(json.dumps(event).encode(), Origin("openlineage"), timestamps.now())


async def test_sql_compares_names_as_python_does(db):
    statement = await db.prepare(f"{TEST} from unnest($3::text[]) with ordinality as n (name, place) order by n.place")
    generated = []

    @given(SEVERAL, SEVERAL, st.lists(NAMES, max_size=20))
    @settings(max_examples=100)
    def generate(names, prefixes, compared):
        generated.append((Binding((), names, prefixes), compared))

    generate()
    for binding, compared in generated:
        rows = await statement.fetch(list(binding.names), list(binding.prefixes), compared)
        assert [row[0] for row in rows] == [binding.allows(name) for name in compared], binding


async def test_every_namespace_within_is_found(connections):
    """Of jobs and of datasets, projected or not."""
    firsts, rests = ("a", "\ud7ff", "\ue000", "\U0010ffff", LONG), ("", "a", "\U0010ffff", "é")
    names = [first + rest for first in firsts for rest in rests]
    drafts = [read(event) for name in names for event in (lineage(name, str(uuid4())), dataset(f"data {name}"))]
    recorded = []
    for part in (drafts[::3], drafts[1::3], drafts[2::3]):
        await append_events(connections, part, [None] * len(part))
        recorded += [draft.namespace for draft in part]
        for prefix in (*firsts, "aa", LONG + "\U0010ffff", "data ", f"data {LONG}", "d", "b"):
            binding = Binding((), ("é",), (prefix, prefix + "a"))
            expected = {name for name in recorded if binding.allows(name)} | {"é"}
            assert sorted(await matching_namespaces(connections, binding)) == sorted(expected), prefix
        if part[0] is not drafts[2]:  # the last part stays unprojected
            await project_next_page(CatalogProjection(connections))
    assert await matching_namespaces(connections, Binding((), ("b", "a"), ())) == ["b", "a"]


async def test_whose_a_run_is_follows_from_any_of_its_events(connections):
    mine, others, both = (str(uuid4()) for _ in range(3))
    events = [lineage("a", mine), lineage("b", others), lineage("b", both), lineage("ab", both, "COMPLETE", 1)]
    drafts = [read(event) for event in events]
    await append_events(connections, drafts, [None] * len(drafts))
    unknown = uuid4()
    runs = [draft.stream for draft in drafts]
    found = await read_ownership(connections, [*runs, unknown], Binding((), ("a",), ("ab",)))
    own, other, new = Ownership.OWN, Ownership.OTHER, Ownership.NEW
    assert found == {runs[0]: own, runs[1]: other, runs[2]: own, unknown: new}
