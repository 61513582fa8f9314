"""Containers of the image as people and orchestrators run them."""

import json
import re
import shlex
from uuid import uuid4

import pytest
from documents import blocks
from engine import EMULATED, PASSWORD, Container, container, create_key, docker, http_status, volume, wait_for

MEMORY = "768m" if EMULATED else "256m"

HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    f"--memory={MEMORY}",
    f"--memory-swap={MEMORY}",
)
PUBLISHED = "--publish=127.0.0.1::5000"
KEYS = "--env=RUNFOLD_AUTH=on"
ANY = "--user=1000680000:0"


@pytest.fixture
def passwd(tmp_path, image):
    """/etc/passwd as CRI-O and podman write it: with an entry for the user of the container."""
    file = tmp_path / "passwd"
    entry = "1000680000:x:1000680000:0:1000680000 user:/:/sbin/nologin\n"
    file.write_text(docker("run", "--rm", "--entrypoint", "cat", image, "/etc/passwd") + entry)
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    return f"--volume={file}:/etc/passwd:ro"


def test_it_does_not_serve_others_without_keys(image):
    with volume() as data:
        said = docker("run", "--rm", f"--volume={data}:/var/lib/runfold", image, status=2)
    assert "give --auth on, or --insecure" in said


@pytest.mark.parametrize("command", [(), ("serve", "--insecure"), ("keys", "create", "x", "--scope", "read")])
def test_an_embedded_database_needs_a_volume(image, command):
    said = docker("run", "--rm", KEYS, image, *command, status=2)
    assert "No volume is mounted at /var/lib/runfold" in said
    assert "--database-url" in said


def test_or_a_directory_that_is_named(image):
    with container(image, "serve", "--data-dir", "/var/lib/runfold", options=(KEYS,)) as runfold:
        runfold.wait_until_ready()


def test_data_on_a_volume_outlive_the_container(image):
    with volume() as data:
        options = (KEYS, PUBLISHED, f"--volume={data}:/var/lib/runfold", *HARDENED)
        with container(image, options=options) as runfold:
            runfold.wait_until_ready()
            secret = create_key(runfold)
            assert http_status(f"{runfold.url()}/api/v1/namespaces") == 401
            key = {"Authorization": f"Bearer {secret}"}
            assert (
                http_status(f"{runfold.url()}/api/v1/namespaces/etl", method="PUT", body=b'{"ownerName":"me"}', **key)
                == 200
            )
            docker("kill", "--signal=KILL", runfold.name)
        with container(image, options=options) as runfold:
            runfold.wait_until_ready()
            name = f"{runfold.url()}/api/v1/namespaces/etl"
            wait_for(lambda: http_status(name, **key) != 503, "what was recorded is projected")  # slow under emulation
            assert http_status(name, **key) == 200
            assert " hold. " in runfold.exec("runfold", "verify")


def test_a_user_with_a_name_may_have_any_number_with_an_embedded_database(image, passwd):
    with volume() as data:
        options = (KEYS, ANY, passwd, f"--volume={data}:/var/lib/runfold", *HARDENED)
        with container(image, options=options) as runfold:
            runfold.wait_until_ready()


def test_a_user_without_a_name_is_told_what_to_do(image):
    with volume() as data:
        said = docker("run", "--rm", KEYS, ANY, f"--volume={data}:/var/lib/runfold", image, status=1)
    assert "uid 1000680000, has no entry in /etc/passwd" in said


@pytest.mark.parametrize("user", ["1000680000:0", "0:0"])
def test_with_a_database_any_user_serves(image, database, user):
    with container(image, options=(KEYS, f"--user={user}", *HARDENED, *database)) as runfold:
        runfold.wait_until_ready()


def test_a_run_is_recorded_read_exported_and_verified(image, database):
    run = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
    job = "/api/v1/namespaces/etl/jobs/load"
    with container(image, options=(KEYS, PUBLISHED, *HARDENED, *database)) as runfold:
        runfold.wait_until_ready()
        headers = {"Authorization": f"Bearer {create_key(runfold)}"}

        def call(method, path, body=None):
            content = None if body is None else json.dumps(body).encode()
            return http_status(runfold.url() + path, method=method, body=content, **headers)

        assert call("PUT", "/api/v1/namespaces/etl", {"ownerName": "me"}) == 200
        assert call("PUT", job, {"type": "BATCH", "inputs": [], "outputs": []}) == 200
        assert call("POST", f"{job}/runs", {"id": run}) == 201
        assert call("POST", f"/api/v1/jobs/runs/{run}/start") == 200
        assert call("POST", f"/api/v1/jobs/runs/{run}/complete") == 200
        assert call("GET", f"/api/v1/jobs/runs/{run}") == 200
        assert call("GET", "/") == 200
        exported = map(json.loads, runfold.exec("sh", "-c", "runfold export 2>/dev/null").splitlines())
        assert [event["state"] for event in exported if event.get("id") == run] == ["NEW", "RUNNING", "COMPLETED"]
        assert " hold. " in runfold.exec("runfold", "verify")
        assert "No event is set aside" in runfold.exec("runfold", "doctor")


def run_lines(lines, image, words, *options, **environment):
    """Run a line that starts a container and one that makes a key there, with a name and a port of their own.

    `words`: what stands for words of the lines; `options`: further ones of the container.
    """
    name = f"runfold-test-{uuid4().hex[:12]}"
    words = {"runfold": name, "127.0.0.1:5000:5000": "127.0.0.1::5000"} | words
    start, key = (shlex.split(line) for line in lines)
    assert (start[0], start[-1], key[:3]) == ("docker", "runfold", ["docker", "exec", "runfold"])
    try:
        docker(*(words.get(word, word) for word in start[1:-1]), *options, image, **environment)
        running = Container(name)
        running.wait_until_ready()
        secret = re.search(r"rf_[\w-]{40,}", running.exec(*key[3:]))[0]
        assert http_status(f"{running.url()}/api/v1/namespaces", Authorization=f"Bearer {secret}") == 200
        assert http_status(f"{running.url()}/api/v1/namespaces") == 401
    finally:
        docker("rm", "--force", "--volumes", name, status=None)


def test_the_lines_of_the_documentation_run_it(image, database):
    lines = blocks("docs/containers.md", "Running it")
    network, url = database
    documented = "RUNFOLD_DATABASE_URL=postgresql://runfold@db.example.com/runfold"
    assert documented in lines[0]
    here = url.removeprefix("--env=").replace(f":{PASSWORD}", "")
    run_lines(lines[:2], image, {documented: here}, network, PGPASSWORD=PASSWORD)
    with volume() as data:
        run_lines(lines[2:], image, {"runfold:/var/lib/runfold": f"{data}:/var/lib/runfold"})


def test_the_variables_of_kubernetes_beside_a_service_named_runfold_are_no_settings(image, database):
    variables = ("--env=RUNFOLD_PORT=tcp://10.96.12.3:5000", "--env=RUNFOLD_SERVICE_HOST=10.96.12.3")
    with container(image, options=(KEYS, *variables, *database)) as runfold:
        runfold.wait_until_ready()
        assert "http://0.0.0.0:5000" in runfold.logs()


def test_the_health_check_follows_the_address_and_says_what_is_wrong(image, database, postgres):
    fast = ("--health-interval=1s", "--health-retries=1")
    arguments = ("serve", "--port", "6001", "--host=127.0.0.2")
    with container(image, *arguments, options=(KEYS, *fast, *database)) as runfold:
        wait_for(lambda: runfold.health == "healthy", "healthy")
        docker("pause", postgres.name)
        try:
            wait_for(lambda: runfold.health == "unhealthy", "unhealthy")
            wait_for(lambda: "503 " in runfold.inspect("State.Health.Log")[-1]["Output"], "the reason is logged")
        finally:
            docker("unpause", postgres.name)
        wait_for(lambda: runfold.health == "healthy", "healthy again")


def test_a_health_check_takes_a_hundredth_of_a_second(image, database):
    program = "for i in {1..20}; do runfold-healthcheck || exit 1; done; times"
    with container(image, options=(KEYS, *database)) as runfold:
        runfold.wait_until_ready()
        minutes, user, more_minutes, system = re.findall(r"[\d.]+", runfold.exec("bash", "-c", program).splitlines()[1])
    assert float(minutes) == float(more_minutes) == 0
    assert (float(user) + float(system)) / 20 < 0.02


def test_a_name_is_answered_without_keys_only_if_it_is_allowed(image, database):
    options = (PUBLISHED, "--env=RUNFOLD_INSECURE=true", *database)
    with container(image, options=options) as runfold:
        runfold.wait_until_ready()
        path = f"{runfold.url()}/api/v1/namespaces"
        assert http_status(path) == 200
        assert http_status(path, Host="runfold:5000") == 403
    with container(image, options=(*options, "--env=RUNFOLD_ALLOWED_HOSTS=runfold")) as runfold:
        runfold.wait_until_ready()
        assert http_status(f"{runfold.url()}/api/v1/namespaces", Host="runfold:5000") == 200


def test_it_stops_with_status_0_and_says_so(image, database):
    with container(image, options=(KEYS, *database)) as runfold:
        runfold.wait_until_ready()
        docker("stop", "--time=70", runfold.name)
        assert runfold.inspect("State.ExitCode") == 0
        assert json.loads(runfold.logs().splitlines()[-1])["message"] == "stopped"


SMALL_PARTITIONS = """
create or replace function runfold.payload_partition_size() returns bigint
    language sql immutable as 'select 10::bigint';
drop table runfold.payloads_0, runfold.payloads_1;
select runfold.ensure_payload_partition(0), runfold.ensure_payload_partition(1);
"""


def test_payloads_are_archived_and_restored(image, database, postgres):
    name = database[1].rpartition("/")[2]
    event = {
        "eventType": "START",
        "run": {},
        "job": {"namespace": "etl", "name": "load"},
        "producer": "https://example.com",
    }
    event["schemaURL"] = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    events = [
        event | {"eventTime": f"2020-01-01T00:00:{n:02}Z", "run": {"runId": f"870492da-ecfb-4be0-91b9-9a89ddd3d{n:03}"}}
        for n in range(24)
    ]
    with volume() as archives:
        mounted = (*database, f"--volume={archives}:/archives", "--rm", "--interactive", *HARDENED[:3])

        def runfold(*command, text=""):
            return docker("run", *mounted, image, *command, text=text)

        runfold("migrate")
        postgres.exec("psql", "-U", "runfold", "-v", "ON_ERROR_STOP=1", "-d", name, "-c", SMALL_PARTITIONS)
        for first in range(0, 24, 8):  # no batch may need more than one new partition
            runfold("import", "-", text="".join(json.dumps(one) + "\n" for one in events[first : first + 8]))
        assert "payloads-0-1-10.parquet" in runfold("archive", "--before", "2100-01-01", "--to", "/archives")
        runfold("verify")
        assert "Positions 1 to 10: 10 payloads" in runfold("restore", "3")
        exported = runfold("export", "--output", "/archives/events.parquet")
        assert re.search(r"\d+ events are in /archives/events.parquet", exported)
