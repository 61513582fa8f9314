"""The Python client of Marquez works with the real program."""

import warnings
from uuid import uuid4

import pytest
from deprecation import DeprecatedWarning
from marquez_client import MarquezClient, errors
from marquez_client.models import DatasetId, JobType

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
