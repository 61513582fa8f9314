"""What a dataset is now: of a definition and a facet that tell the same, the later one counts."""

from datetime import UTC, datetime, timedelta

from service.domain.dataset import DatasetRegisters
from service.domain.dataset_definitions import DatasetDefinition, DatasetField
from service.domain.registers import FirstSeen, StampedFacet, StampedText
from service.payloads.dataset_state import state_of

EARLY = datetime(2024, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(days=1)
SCHEMA = b'{"fields":[{"name":"a","type":"int","fields":[]},{"name":"b"}]}'
FIELDS = (DatasetField("a", "int"), DatasetField("b", None))


def facets(at=EARLY, **values):
    return {name: StampedFacet(at, b"", value) for name, value in values.items()}


def definition(at):
    fields = (DatasetField("z", "text"),)
    return DatasetDefinition(at, b"", "STREAM", "physical", "kafka", fields, None, "https://example.com/schema")


def dataset(**registers):
    return DatasetRegisters("g", "t", updated_at=LATE, **registers)


def test_a_dataset_of_which_only_the_name_is_known():
    assert state_of(dataset()) == ("DB_TABLE", "t", "default", (), None, "", None, LATE)


def test_facets_tell_fields_source_description_and_lifecycle():
    told = facets(
        schema=SCHEMA,
        dataSource=b'{"name":"lake","uri":"s3://lake"}',
        documentation=b'{"description":"orders"}',
        lifecycleStateChange=b'{"lifecycleStateChange":"DROP"}',
    )
    state = state_of(dataset(facets=told, first_seen=FirstSeen(implied=True, at=EARLY)))
    assert state == ("DB_TABLE", "t", "lake", FIELDS, "orders", "DROP", None, EARLY)


def test_a_later_definition_counts_and_a_later_facet_counts_again():
    told = facets(schema=SCHEMA, dataSource=b'{"name":"lake"}', documentation=b'{"description":"told"}')
    defined = state_of(dataset(facets=told, definition=definition(LATE), description=StampedText(LATE, b"", "defined")))
    assert (defined.source, defined.fields[0].name, defined.description) == ("kafka", "z", "defined")
    assert (defined.type, defined.physical_name, defined.schema_location) == (
        "STREAM",
        "physical",
        "https://example.com/schema",
    )
    told_later = state_of(dataset(facets=facets(LATE, schema=SCHEMA), definition=definition(EARLY)))
    assert told_later.fields == FIELDS
    assert told_later.lifecycle is None


def test_a_deleted_facet_takes_its_value_away():
    state = state_of(dataset(facets=facets(LATE, schema=None, documentation=None), definition=definition(EARLY)))
    assert (state.fields, state.description) == ((), None)


def test_what_only_readers_tell_is_shown_and_ill_formed_facets_tell_nothing():
    state = state_of(dataset(read_facets=facets(schema=SCHEMA), facets=facets(dataSource=b'["x"]')))
    assert (state.fields, state.source) == (FIELDS, "default")
