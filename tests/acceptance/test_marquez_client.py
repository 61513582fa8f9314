"""The Python client of Marquez works with the real program."""

import re
import warnings
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from deprecation import DeprecatedWarning
from marquez_client import MarquezClient, errors
from marquez_client.models import DatasetId, DatasetType, JobType

pytestmark = [
    pytest.mark.filterwarnings("ignore::deprecation.DeprecatedWarning"),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]
AT = "2024-01-01T12:00:{:02}.000000Z"


@pytest.fixture
def marquez(server):
    return MarquezClient(server.url)


@pytest.fixture
def job(marquez):
    namespace, job = f"ns-{uuid4()}", "etl.load"
    marquez.create_namespace(namespace, "me", "what is mine")
    marquez.create_job(namespace, job, JobType.BATCH, location="https://example.com/x.py", description="loads")
    return namespace, job


def test_a_namespace_is_created_and_found(marquez):
    name = f"s3://bucket/{uuid4()}"
    created = marquez.create_namespace(name, "me", "with slashes")
    assert (created["name"], created["ownerName"], created["description"]) == (name, "me", "with slashes")
    assert marquez.get_namespace(name) == created
    assert name in [one["name"] for one in marquez.list_namespaces(limit=1000)["namespaces"]]


def test_a_job_is_created_and_found(marquez, job):
    found = marquez.get_job(*job)
    assert (found["id"], found["type"]) == ({"namespace": job[0], "name": job[1]}, "BATCH")
    assert (found["location"], found["description"]) == ("https://example.com/x.py", "loads")
    assert marquez.list_jobs(job[0])["jobs"] == [found]


def test_a_job_has_its_inputs_and_outputs(marquez, job):
    inputs, outputs = [DatasetId(job[0], "public.a")], [DatasetId(job[0], "public.b")]
    made = marquez.create_job(*job, JobType.STREAM, inputs=inputs, outputs=outputs)
    assert (made["inputs"], made["outputs"]) == ([vars(inputs[0])], [vars(outputs[0])])
    assert made["type"] == "STREAM"


@pytest.mark.parametrize(
    ("mark", "state"),
    [
        (MarquezClient.mark_job_run_as_completed, "COMPLETED"),
        (MarquezClient.mark_job_run_as_failed, "FAILED"),
        (MarquezClient.mark_job_run_as_aborted, "ABORTED"),
    ],
)
def test_a_run_lives_its_life(marquez, job, mark, state):
    run = marquez.create_job_run(
        *job,
        nominal_start_time="2024-01-01T00:00:00Z",
        nominal_end_time="2024-01-02T00:00:00Z",
        run_args={"email": "me@example.com", "retries": 1},
    )
    assert (run["state"], run["args"]) == ("NEW", {"email": "me@example.com", "retries": "1"})
    assert (run["nominalStartTime"], run["nominalEndTime"]) == ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
    started = marquez.mark_job_run_as_started(run["id"], at=AT.format(1))
    assert (started["state"], started["startedAt"], started["endedAt"]) == ("RUNNING", "2024-01-01T12:00:01Z", None)
    ended = mark(marquez, run["id"], at=AT.format(3))
    assert (ended["state"], ended["endedAt"], ended["durationMs"]) == (state, "2024-01-01T12:00:03Z", 2000)
    assert marquez.get_job_run(run["id"]) == ended
    assert marquez.get_job(*job)["latestRun"] == ended
    assert marquez.list_job_runs(*job) == {"runs": [ended], "totalCount": 1}


def test_a_run_may_come_with_its_id_and_be_started_at_once(marquez, job):
    run = str(uuid4())
    started = marquez.create_job_run(*job, run_id=run, mark_as_running=True)
    assert (started["id"], started["state"]) == (run, "RUNNING")


def test_reports_without_a_time_are_taken_as_of_now(marquez, job):
    run = marquez.create_job_run(*job)["id"]
    marquez.mark_job_run_as_started(run)
    ended = marquez.mark_job_run_as_completed(run)
    assert (ended["state"], ended["durationMs"] >= 0) == ("COMPLETED", True)


def test_a_repeated_report_changes_nothing(marquez, job):
    run = marquez.create_job_run(*job)["id"]
    marquez.mark_job_run_as_started(run, at=AT.format(1))
    ended = marquez.mark_job_run_as_completed(run, at=AT.format(2))
    assert marquez.mark_job_run_as_started(run, at=AT.format(1)) == ended
    assert marquez.mark_job_run_as_completed(run, at=AT.format(2)) == ended


def test_what_contradicts_the_end_is_an_error_to_the_client(marquez, job):
    run = marquez.create_job_run(*job)["id"]
    marquez.mark_job_run_as_completed(run, at=AT.format(2))
    with pytest.raises(errors.APIError):
        marquez.mark_job_run_as_failed(run, at=AT.format(3))


@pytest.mark.parametrize(
    "ask",
    [
        lambda marquez: marquez.get_namespace("unknown"),
        lambda marquez: marquez.get_job("unknown", "nothing"),
        lambda marquez: marquez.get_job_run(str(uuid4())),
        lambda marquez: marquez.mark_job_run_as_started(str(uuid4())),
        lambda marquez: marquez.create_job_run("unknown", "nothing"),
    ],
    ids=["namespace", "job", "run", "start", "create"],
)
def test_what_is_not_there_is_an_error_to_the_client(marquez, ask):
    with pytest.raises(errors.APIError):
        ask(marquez)


def test_lists_are_cut_as_asked(marquez, job):
    runs = [marquez.create_job_run(*job)["id"] for _ in range(3)]
    part = marquez.list_job_runs(*job, limit=1, offset=1)
    assert ([run["id"] for run in part["runs"]], part["totalCount"]) == ([runs[1]], 3)


def test_the_client_says_itself_that_it_is_old(marquez, job):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        marquez.create_job_run(*job)
    assert any(issubclass(warning.category, DeprecatedWarning) for warning in caught)


@pytest.fixture
def table(marquez):
    """A dataset with two columns, defined with its source by the client: namespace and name."""
    namespace, name, source = f"ns-{uuid4()}", "public.orders", f"warehouse-{uuid4()}"
    marquez.create_namespace(namespace, "me")
    marquez.create_source(source, "POSTGRESQL", "postgresql://reader:secret@db:5432/shop", "the shop")
    fields = [{"name": "id", "type": "INTEGER", "description": "the id"}, {"name": "email", "type": "VARCHAR"}]
    made = marquez.create_dataset(
        namespace, name, DatasetType.DB_TABLE, "orders", source, "all orders", fields=fields, tags=["PII"]
    )
    assert (made["sourceName"], made["physicalName"], made["tags"]) == (source, "orders", ["PII"])
    return namespace, name


def test_sources_are_created_found_and_listed(marquez, table):
    source = marquez.get_dataset(*table)["sourceName"]
    found = marquez.get_source(source)
    assert (found["type"], found["description"]) == ("POSTGRESQL", "the shop")
    assert found["connectionUrl"] == "postgresql://reader:***@db:5432/shop"
    assert found in marquez.list_sources(limit=1000)["sources"]


def test_datasets_are_found_and_listed_with_their_versions(marquez, table):
    found = marquez.get_dataset(*table)
    assert (found["description"], found["type"], found["deleted"]) == ("all orders", "DB_TABLE", False)
    assert [(field["name"], field["type"], field["description"]) for field in found["fields"]] == [
        ("id", "INTEGER", "the id"),
        ("email", "VARCHAR", None),
    ]
    assert [each["name"] for each in marquez.list_datasets(table[0])["datasets"]] == [table[1]]
    versions = marquez.list_dataset_versions(*table)["versions"]
    assert [each["version"] for each in versions] == [found["currentVersion"]]
    assert marquez.get_dataset_version(*table, found["currentVersion"]) == versions[0]
    assert marquez.list_datasets(table[0], limit=1, offset=1)["datasets"] == []


def test_a_stream_has_the_location_of_its_schema(marquez, table):
    source = marquez.get_dataset(*table)["sourceName"]
    location = "https://example.com/schemas/1"
    made = marquez.create_dataset(
        table[0], "topic", DatasetType.STREAM, "topic", source, schema_location=location, description="events"
    )
    assert (made["type"], made["schemaLocation"]) == ("STREAM", location)


def test_datasets_and_their_fields_are_tagged(marquez, table):
    made = marquez.create_tag(f"tag-{uuid4()}", "what it means")
    assert made in marquez.list_tags(limit=10_000)["tags"]
    assert marquez.tag_dataset(*table, made["name"])["tags"] == sorted(["PII", made["name"]])
    tagged = marquez.tag_dataset_field(*table, "id", made["name"])
    assert {field["name"]: field["tags"] for field in tagged["fields"]} == {"id": [made["name"]], "email": []}


def test_column_lineage_is_found_by_dataset_field_and_job(marquez, server):
    namespace, run = f"ns-{uuid4()}", str(uuid4())
    facet = {"_producer": "https://example.com", "_schemaURL": "https://example.com/schema"}
    schema = {"schema": facet | {"fields": [{"name": "id", "type": "int"}]}}
    fields = {"id": {"inputFields": [{"namespace": namespace, "name": "in", "field": "id"}]}}
    event = {
        "eventType": "COMPLETE",
        "eventTime": "2024-01-01T00:00:00Z",
        "run": {"runId": run},
        "job": {"namespace": namespace, "name": "job"},
        "inputs": [{"namespace": namespace, "name": "in", "facets": schema}],
        "outputs": [
            {"namespace": namespace, "name": "out", "facets": schema | {"columnLineage": facet | {"fields": fields}}}
        ],
        "producer": "https://example.com",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    assert requests.post(f"{server.url}/api/v1/lineage", json=event, timeout=10).status_code == 201
    column = f"datasetField:{namespace}:{{}}:id"
    version = marquez.get_dataset(namespace, "out")["currentVersion"]
    for graph in (
        marquez.get_column_lineage_by_dataset(namespace, "out", depth=2, with_downstream=True),
        marquez.get_column_lineage_by_dataset_field(namespace, "out", "id"),
        marquez.get_column_lineage_by_job(namespace, "job"),
    ):
        assert [node["id"] for node in graph["graph"]] == [column.format("in"), column.format("out")]
    graph = marquez.get_column_lineage_by_dataset(namespace, "out", version=version)["graph"]
    assert {node["id"].partition("#")[0] for node in graph} == {column.format("in"), column.format("out")}


def test_events_are_not_where_the_client_looks_for_them(marquez):
    """It asks for /events, which Marquez 0.51 does not have either."""
    for namespace in (None, "default"):
        with pytest.raises(errors.APIError):
            marquez.list_events(namespace)


def test_all_calls_of_the_client_are_made_here():
    """A newer client may have more."""
    calls = {name for name in vars(MarquezClient) if not name.startswith("_")}
    tested = set(re.findall(r"(?:marquez|MarquezClient)\.(\w+)", Path(__file__).read_text(encoding="utf-8")))
    assert calls - tested == set()
