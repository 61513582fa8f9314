"""The pods that the Helm chart makes: their images, variables, users and restrictions, on the Docker engine."""

import pytest
from chart import of_kind, pod_of, render
from engine import PASSWORD, container, create_key, docker, http_status

ROLE_PASSWORD = 'p@ss"w/rd: #1\\ ü'


@pytest.fixture
def objects(image, database):
    """What the chart makes for this image and an empty database, with a role that serves."""
    name, _, tag = f"{image}:latest".partition(":")
    host = database[1].rpartition("@")[2]
    values = {
        "image": {"repository": name, "tag": tag},
        "database": {"url": f"postgresql://helm_service@{host}", "password": ROLE_PASSWORD},
        "migration": {"url": f"postgresql://runfold@{host}", "password": PASSWORD, "role": "helm_service"},
        "settings": {"workers": 2, "queue-bytes": 67108864},
    }
    return render(values)


def options_of(pod, secrets):
    """Return the options of Docker that run a container as a kubelet runs the one of a pod."""
    (spec,) = pod["containers"]
    user, context = pod["securityContext"], spec["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    options = [
        "--read-only",
        "--security-opt=no-new-privileges:true",
        f"--user={user['runAsUser']}:{user['runAsGroup']}",
        *(f"--cap-drop={name}" for name in context["capabilities"]["drop"]),
        f"--memory={spec['resources']['limits']['memory'].removesuffix('i').lower()}",
    ]
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    options += [f"--tmpfs={mount['mountPath']}" for mount in spec["volumeMounts"] if mount["name"] in empty]
    for entry in spec["env"]:
        if "value" in entry:
            options.append(f"--env={entry['name']}={entry['value']}")
            continue
        reference = entry["valueFrom"]["secretKeyRef"]
        data = secrets[reference["name"]]
        if reference["key"] in data or not reference.get("optional"):
            options.append(f"--env={entry['name']}={data[reference['key']]}")
    # Beside a Service of this name, Kubernetes sets such variables where enableServiceLinks is true.
    assert pod["enableServiceLinks"] is False
    return tuple(options), spec


def test_the_job_migrates_and_the_deployment_serves_as_a_role_with_least_privileges(objects, database, postgres):
    secrets = {found["metadata"]["name"]: found["stringData"] for found in of_kind(objects, "Secret")}
    network = database[:1]
    options, migrate = options_of(pod_of(of_kind(objects, "Job")[0]), secrets)
    said = docker("run", "--rm", *network, *options, migrate["image"], *migrate["args"])
    assert "helm_service" in said
    options, serve = options_of(pod_of(of_kind(objects, "Deployment")[0]), secrets)
    port = serve["ports"][0]["containerPort"]
    with container(serve["image"], options=(*network, *options, f"--publish=127.0.0.1::{port}")) as runfold:
        runfold.wait_until_ready()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert serve[probe]["httpGet"]["port"] == serve["ports"][0]["name"]
            assert http_status(runfold.url(port) + serve[probe]["httpGet"]["path"]) == 200
        assert http_status(f"{runfold.url(port)}/api/v1/namespaces") == 401
        key = create_key(runfold)
        body, headers = b'{"ownerName":"me"}', {"Authorization": f"Bearer {key}"}
        assert http_status(f"{runfold.url(port)}/api/v1/namespaces/etl", method="PUT", body=body, **headers) == 200
        name = database[1].rpartition("/")[2]
        users = f"select distinct usename from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        assert postgres.exec("psql", "-U", "runfold", "-At", "-c", users).strip() == "helm_service"
        hook = serve["lifecycle"]["preStop"]["exec"]["command"]
        assert hook[0] == "sleep"
        runfold.exec(hook[0], "0")
        assert runfold.inspect("State.OOMKilled") is False
        docker("stop", "--time=70", runfold.name)
        assert runfold.inspect("State.ExitCode") == 0
