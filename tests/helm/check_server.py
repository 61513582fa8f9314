"""The chart in a real API server: it takes every object, and admits the pods to a restricted namespace.

No controller and no node runs there, so no pod starts. tests/containers/check_helm.py runs the containers.
"""

import base64
import copy
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from chart import CHART, HELM, OWN_SECRET, REPOSITORY, helm, of_kind, render
from documents import blocks

BINARIES = Path(os.environ.get("SERVER_DIRECTORY", "/nonexistent"))
VALUES = OWN_SECRET | {
    "database": {"url": "postgresql://runfold_service@db/runfold", "password": "secret"},
    "migration": {"url": "postgresql://runfold@db/runfold", "password": "secret", "role": "runfold_service"},
    "ingress": {"enabled": True, "hosts": [{"host": "runfold.example.com", "paths": ["/"]}]},
}
NAMESPACE = "restricted"
DEADLINE_S = 120
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
CONTEXT = ssl._create_unverified_context()  # noqa: S323  the server makes a certificate for itself

pytestmark = pytest.mark.skipif(not BINARIES.is_dir(), reason="needs SERVER=yes")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return bound.getsockname()[1]


class Cluster:
    def __init__(self, url, directory):
        self.url = url
        self.config = directory / "config.json"
        self.config.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
                    "users": [{"name": "u", "user": {"token": "token"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )

    def call(self, method, path, body=None):
        """Return status and content of an answer."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", content, method=method)  # noqa: S310  ours
        request.add_header("Authorization", "Bearer token")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=CONTEXT, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_ready(self):
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def helm(self, *arguments, values=None):
        return helm("--kubeconfig", str(self.config), "--namespace", NAMESPACE, *arguments, values=values)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    subprocess.run(["openssl", "genrsa", "-out", directory / "key.pem", "2048"], check=True, capture_output=True)
    (directory / "tokens.csv").write_text('token,admin,1,"system:masters"\n')
    store, peer, port = (free_port() for _ in range(3))
    etcd = [
        BINARIES / "etcd",
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]
    server = [
        BINARIES / "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={directory / 'certificates'}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        f"--service-account-key-file={directory / 'key.pem'}",
        f"--service-account-signing-key-file={directory / 'key.pem'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
    ]
    made = Cluster(f"https://127.0.0.1:{port}", directory)
    with (directory / "log").open("w") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in (etcd, server)]
        try:
            ends_at = time.monotonic() + DEADLINE_S
            while not made.is_ready():
                assert processes[1].poll() is None, (directory / "log").read_text()[-4000:]
                assert time.monotonic() < ends_at, (directory / "log").read_text()[-4000:]
                time.sleep(0.2)
            namespace = {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
            assert made.call("POST", "/api/v1/namespaces", namespace)[0] == 201
            account = {"metadata": {"name": "default"}}
            assert made.call("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)[0] == 201
            yield made
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(DEADLINE_S)


def test_it_is_installed_upgraded_and_rolled_back(cluster):
    hooks = "--no-hooks"  # no controller runs the Job
    cluster.helm("install", "runfold", str(CHART), "--dry-run=server", values=VALUES)
    cluster.helm("install", "runfold", str(CHART), hooks, values=OWN_SECRET)
    cluster.helm("upgrade", "runfold", str(CHART), hooks, values=VALUES | {"replicas": 3})
    deployments = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/runfold"
    assert json.loads(cluster.call("GET", deployments)[1])["spec"]["replicas"] == 3
    cluster.helm("rollback", "runfold", "1", hooks)
    assert json.loads(cluster.call("GET", deployments)[1])["spec"]["replicas"] == 2
    cluster.helm("uninstall", "runfold", hooks)
    assert cluster.call("GET", deployments)[0] == 404


def test_the_lines_of_the_documentation_install_it(cluster, tmp_path):
    """Word by word, from the line that makes the namespace on; the hook and the last line need nodes."""
    *lines, key = blocks("docs/install.md", "Kubernetes")[2:]
    assert "kubectl -n runfold exec deploy/runfold" in key
    assert lines[-1].startswith("helm ")
    lines[-1] = f"{HELM} {lines[-1].removeprefix('helm ')} --no-hooks"
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    for name in ("service.txt", "owner.txt"):
        (tmp_path / name).write_text("p@ss/w:rd#%")
    environment = os.environ | {"KUBECONFIG": str(cluster.config)}
    subprocess.run(["bash", "-euxc", "\n".join(lines)], cwd=tmp_path, env=environment, check=True)
    objects = "/apis/apps/v1/namespaces/runfold/deployments/runfold", "/api/v1/namespaces/runfold/secrets/runfold-owner"
    deployment, secret = (json.loads(cluster.call("GET", path)[1]) for path in objects)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/runfold:0.1.0"
    assert base64.b64decode(secret["data"]["password"]).decode() == "p@ss/w:rd#%"


def test_the_objects_of_the_hook_are_taken(cluster):
    objects = render(VALUES, release="runfold")
    for found in of_kind(objects, "Secret"):
        assert cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", found)[0] == 201
    (job,) = of_kind(objects, "Job")
    assert cluster.call("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", job)[0] == 201


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_a_restricted_namespace_admits_the_pods(cluster, kind):
    (owner,) = of_kind(render(VALUES, release="runfold"), kind)
    template = owner["spec"]["template"]
    template["spec"].pop("serviceAccountName", None)
    pod = {"metadata": {"generateName": "pod-", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    assert cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod)[0] == 201
    loose = copy.deepcopy(pod)
    del loose["spec"]["containers"][0]["securityContext"]["capabilities"]
    status, said = cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", loose)
    assert status == 403
    assert "violates PodSecurity" in said
