"""The Helm chart: what it renders is valid, restricted, and complete; values that make no sense are refused."""

import dataclasses
import json
import shlex

import kubernetes_validate
import pytest
import yaml
from chart import CHART, OWN_SECRET, Refused, helm, of_kind, pod_of, render
from documents import blocks

from service.settings import Settings

PASSWORD = 'p@ss"w: #1\\ ü'
URLS = OWN_SECRET | {
    "database": {"url": "postgresql://runfold_service@db1,db2/runfold", "password": PASSWORD},
    "migration": {"url": "postgresql://owner@db1/runfold", "password": f"owner {PASSWORD}", "role": "runfold_service"},
}
EVERYTHING = URLS | {
    "image": {"repository": "r.example.com/runfold", "digest": "sha256:" + "0" * 64},
    "pullSecrets": [{"name": "registry"}],
    "settings": {"workers": 2, "queue-bytes": 67108864, "database-timeout": 2.5, "access-log": True, "auth": "on"},
    "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/ca/ca.crt"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "high",
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "data"},
    "networkPolicy": {"from": [{"podSelector": {}}], "database": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "hosts": [{"host": "runfold.example.com", "paths": ["/"]}],
        "tls": [{"secretName": "tls", "hosts": ["runfold.example.com"]}],
    },
    "serviceMonitor": {"enabled": True, "keySecret": {"name": "prometheus-key"}, "labels": {"release": "prometheus"}},
}  # fmt: skip
VARIANTS = pytest.mark.parametrize("values", [OWN_SECRET, URLS, EVERYTHING], ids=["own secret", "urls", "everything"])
OPERATORS_OWN = {"ServiceMonitor", "PrometheusRule"}
RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}


def job(objects):
    (found,) = of_kind(objects, "Job")
    return found


def deployment(objects):
    (found,) = of_kind(objects, "Deployment")
    return found


def env(pod):
    return {entry["name"]: entry for entry in pod["containers"][0]["env"]}


@VARIANTS
def test_helm_finds_no_fault(values):
    said = helm("lint", "--strict", str(CHART), "--kube-version", "1.34", values=values)
    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@VARIANTS
@pytest.mark.parametrize("kubernetes", ["1.27", "1.37"])
def test_every_object_is_valid(values, kubernetes):
    objects = render(values, kubernetes=kubernetes)
    assert {found["kind"] for found in objects} >= {
        "Deployment",
        "Service",
        "ServiceAccount",
        "PodDisruptionBudget",
        "Job",
    }
    for found in objects:
        if found["kind"] not in OPERATORS_OWN:
            kubernetes_validate.validate(found, kubernetes, strict=True)


def test_a_wrong_field_would_be_found():
    found = deployment(render(OWN_SECRET))
    pod_of(found)["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found, "1.37", strict=True)


@VARIANTS
@pytest.mark.parametrize("owner", [deployment, job], ids=["deployment", "job"])
def test_pods_meet_the_restricted_pod_security_standard(values, owner):
    pod = pod_of(owner(render(values)))
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all("hostPort" not in port for port in container.get("ports", []))
        assert container["resources"]["limits"]["memory"]
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@VARIANTS
def test_passwords_are_in_secrets_only_and_unchanged(values):
    objects = render(values)
    secrets = of_kind(objects, "Secret")
    others = [found for found in objects if found not in secrets]
    assert "p@ss" not in json.dumps(others)
    if "url" in values["database"]:
        assert {found["stringData"]["password"] for found in secrets} == {PASSWORD, f"owner {PASSWORD}"}


@VARIANTS
def test_the_migration_runs_before_everything_else_with_secrets_that_are_there(values):
    objects = render(values)
    annotations = job(objects)["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    earlier = {"db"}
    for found in of_kind(objects, "Secret"):
        hook = found["metadata"].get("annotations", {})
        if hook.get("helm.sh/hook") == annotations["helm.sh/hook"]:
            assert int(hook["helm.sh/hook-weight"]) < int(annotations["helm.sh/hook-weight"])
            earlier.add(found["metadata"]["name"])
    used = {
        entry["valueFrom"]["secretKeyRef"]["name"]
        for entry in env(pod_of(job(objects))).values()
        if "valueFrom" in entry
    }
    assert used <= earlier
    assert "serviceAccountName" not in pod_of(job(objects))  # the chart's is made later


def test_without_a_database_of_the_owner_the_role_that_serves_migrates():
    objects = render(OWN_SECRET)
    assert env(pod_of(job(objects)))["RUNFOLD_DATABASE_URL"]["valueFrom"]["secretKeyRef"]["name"] == "db"
    assert pod_of(job(objects))["containers"][0]["args"] == ["migrate"]
    assert of_kind(objects, "Secret") == []


def test_a_service_finds_the_pods_that_serve_and_not_those_of_the_migration():
    objects = render(EVERYTHING)
    (service,) = of_kind(objects, "Service")
    (budget,) = of_kind(objects, "PodDisruptionBudget")
    (policy,) = of_kind(objects, "NetworkPolicy")
    serving = deployment(objects)["spec"]["template"]["metadata"]["labels"]
    migrating = job(objects)["spec"]["template"]["metadata"]["labels"]
    for selector in (
        service["spec"]["selector"],
        deployment(objects)["spec"]["selector"]["matchLabels"],
        budget["spec"]["selector"]["matchLabels"],
        policy["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= serving.items()
        assert not selector.items() <= migrating.items()


def test_settings_are_variables_that_serve_knows():
    given = env(pod_of(deployment(render(EVERYTHING))))
    settings = {name: entry for name, entry in given.items() if name.startswith("RUNFOLD_")}
    assert settings.keys() <= {f"RUNFOLD_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    values = {name: entry["value"] for name, entry in settings.items() if "value" in entry}
    assert values == {
        "RUNFOLD_AUTH": "on",
        "RUNFOLD_WORKERS": "2",
        "RUNFOLD_QUEUE_BYTES": "67108864",
        "RUNFOLD_DATABASE_TIMEOUT": "2.5",
        "RUNFOLD_ACCESS_LOG": "true",
    }


def test_a_pod_has_time_to_stop():
    pod = pod_of(deployment(render(OWN_SECRET | {"drainSeconds": 20})))
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "20"]
    assert pod["terminationGracePeriodSeconds"] == 90


def test_on_openshift_the_cluster_chooses_the_user():
    objects = render(OWN_SECRET | {"podSecurityContext": {"runAsUser": None, "runAsGroup": None}})
    for owner in (deployment, job):
        assert pod_of(owner(objects))["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }


def test_what_is_off_by_default():
    assert {found["kind"] for found in render(OWN_SECRET)} == {
        "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"
    }  # fmt: skip


def test_the_alerts_are_those_of_deploy_prometheus():
    (rule,) = of_kind(render(OWN_SECRET | {"prometheusRule": {"enabled": True}}), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((CHART / "../../prometheus/runfold.rules.yml").read_text(encoding="utf-8"))


def test_the_documented_installation_is_what_the_chart_takes():
    (line,) = (line for line in blocks("docs/install.md", "Kubernetes") if line.startswith("helm "))
    words = shlex.split(line)
    given = words[words.index("deploy/helm/runfold") + 1 :]
    text = helm("template", "runfold", str(CHART), "--kube-version", "1.34", *given)
    objects = [found for found in yaml.safe_load_all(text) if found]
    used = {entry["valueFrom"]["secretKeyRef"]["name"] for found in (deployment(objects), job(objects))
            for entry in env(pod_of(found)).values() if "valueFrom" in entry}  # fmt: skip
    assert used == {"runfold-service", "runfold-owner"}
    assert deployment(objects)["metadata"]["name"] == "runfold"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"database": {"existingSecret": "db"}}, "/image/repository"),
        ({"image": {"repository": "r"}}, "/database"),
        (OWN_SECRET | {"replica": 3}, "replica"),
        (OWN_SECRET | {"image": {"repository": "r", "tga": "1"}}, "tga"),
        (OWN_SECRET | {"image": {"repository": "r", "digest": "latest"}}, "/image/digest"),
        (OWN_SECRET | {"database": {"url": "mysql://db"}}, "/database/url"),
        (OWN_SECRET | {"settings": {"port": 80}}, "propertyName 'port'"),
        (OWN_SECRET | {"settings": {"RUNFOLD_WORKERS": 2}}, "propertyName 'RUNFOLD_WORKERS'"),
        (OWN_SECRET | {"ingress": {"enabled": True}}, "/ingress/hosts"),
        (OWN_SECRET | {"service": {"type": "External"}}, "/service/type"),
        (OWN_SECRET | {"migration": {"role": "a-b; drop"}}, "/migration/role"),
    ],
)
def test_values_without_sense_are_refused(values, message):
    with pytest.raises(Refused, match=message):
        render(values)


def names(schema):
    return {name: names(part) for name, part in schema.get("properties", {}).items()}


def test_the_schema_and_the_default_values_have_the_same_names():
    schema = names(json.loads((CHART / "values.schema.json").read_text()))
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert schema.pop("global") == {}
    assert schema.keys() == values.keys()
    for name, part in schema.items():
        assert not part or part.keys() == values[name].keys()
