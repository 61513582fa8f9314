"""deploy/systemd/runfold.service under a real systemd, installed as docs/install.md says."""

import os
import re

import pytest
from documents import blocks
from engine import container, docker, wait_for
from project import copy_checkout

# The stand-in for Python's image has no wheels for venv. What is masked would change the kernel of this machine: its
# handlers of foreign programs, its settings, its modules.
DOCKERFILE = """
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get -qq update \\
 && apt-get -qq install -y --no-install-recommends systemd dbus \\
 && if dpkg -s python3-pip-whl >/dev/null 2>&1; then apt-get -qq install -y --reinstall python3-pip-whl; fi \\
 && systemctl mask systemd-modules-load systemd-resolved systemd-binfmt systemd-sysctl \\
      proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount
STOPSIGNAL SIGRTMIN+3
"""
# Kernels with control groups of version 1 need the arguments; they mean nothing to others.
INIT = ("/lib/systemd/systemd", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0")
ASK = """
import sys, urllib.error, urllib.request as u
method, path, key = sys.argv[1:]
request = u.Request("http://127.0.0.1:5000" + path, b'{"ownerName":"me"}' if method == "PUT" else None, method=method)
request.add_header("Content-Type", "application/json")
request.add_header("Authorization", "Bearer " + key)
try:
    print(u.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print(0)
"""


class Machine:
    """A machine with systemd: a container."""

    def __init__(self, running):
        self._running = running

    def run(self, line, status=0):
        return self._running.exec("bash", "-c", f"cd /opt/checkout && {line}", status=status)

    def ask(self, method, path, key=""):
        return int(self._running.exec("python3", "-c", ASK, method, path, key))

    def show(self, name):
        return self.run(f"systemctl show runfold --property {name} --value").strip()

    def wait_until_ready(self):
        wait_for(lambda: self.ask("GET", "/readyz") == 200, "the service is ready")


@pytest.fixture
def machine(tmp_path, database):
    arguments = ("--build-arg", f"PYTHON_IMAGE={os.environ['PYTHON_IMAGE']}")
    docker("build", "--progress=plain", *arguments, "--tag", "runfold-test-systemd", "-", text=DOCKERFILE)
    options = ("--privileged", "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/tmp", "--env=container=docker")
    with container("runfold-test-systemd", *INIT, options=(*options, database[0])) as running:
        copy_checkout(tmp_path)
        docker("cp", f"{tmp_path}/.", f"{running.name}:/opt/checkout")
        made = Machine(running)
        if certificates := os.environ.get("CA_CERTIFICATES"):
            running.exec("bash", "-c", "cat >>/etc/ssl/certs/ca-certificates.crt", text=certificates + "\n")
            made.run("printf '[global]\\ncert = /etc/ssl/certs/ca-certificates.crt\\n' >/etc/pip.conf")
        wait_for(lambda: "running" in made.run("systemctl is-system-running", status=None), "systemd runs")
        yield made


def test_the_lines_of_the_documentation_make_a_service(machine, database):
    lines = blocks("docs/install.md", "systemd")
    installed = next(number for number, line in enumerate(lines) if "daemon-reload" in line)
    for line in lines[:installed]:
        machine.run(line)

    # With the embedded PostgreSQL.
    settings = "/etc/runfold/runfold.env"
    assert machine.run(f"stat --format %U:%a {settings}") == "root:600\n"
    machine.run(f"sed -i 's/^RUNFOLD_DATABASE_URL/#&/; s/^#RUNFOLD_DATA_DIR/RUNFOLD_DATA_DIR/' {settings}")
    *started, create_key = lines[installed:]
    for line in started:
        machine.run(line)
    machine.wait_until_ready()
    key = re.search(r"rf_[\w-]{40,}", machine.run(create_key))[0]
    assert machine.ask("GET", "/api/v1/namespaces") == 401
    assert machine.ask("PUT", "/api/v1/namespaces/etl", key) == 200

    # It may not do more than it needs.
    status = machine.run("cat /proc/$(systemctl show runfold --property MainPID --value)/status")
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    assert machine.run("stat --format %U:%a /var/lib/runfold") == "runfold:700\n"
    rating = machine.run("systemd-analyze security runfold --no-pager | tail -n 1")
    assert float(re.search(r"runfold.service: ([\d.]+)", rating)[1]) <= 2.0

    # It is started again when it was killed, and stops in peace.
    machine.run("systemctl kill --kill-whom=main --signal=KILL runfold")
    wait_for(lambda: machine.show("NRestarts") == "1", "systemd starts it again")
    machine.wait_until_ready()
    assert machine.ask("GET", "/api/v1/namespaces/etl", key) == 200
    machine.run("systemctl stop runfold")
    assert (machine.show("ActiveState"), machine.show("Result")) == ("inactive", "success")
    assert "stopped" in machine.run("journalctl --unit runfold --no-pager | tail -n 5")

    # With a PostgreSQL server.
    url = database[1].partition("RUNFOLD_DATABASE_URL=")[2]
    machine.run(f"sed -i 's|^#RUNFOLD_DATABASE_URL=.*|RUNFOLD_DATABASE_URL={url}|; /^RUNFOLD_DATA_DIR/d' {settings}")
    machine.run("systemctl start runfold")
    machine.wait_until_ready()
    assert machine.ask("PUT", "/api/v1/namespaces/etl", key) == 401
    key = re.search(r"rf_[\w-]{40,}", machine.run(create_key))[0]
    assert machine.ask("PUT", "/api/v1/namespaces/etl", key) == 200

    # A mistake in the settings is not tried for ever.
    machine.run(f"systemctl stop runfold; echo RUNFOLD_WORKRES=2 >>{settings}")
    machine.run("systemctl start runfold", status=None)
    wait_for(lambda: machine.show("ActiveState") == "failed", "it fails")
    assert "RUNFOLD_WORKERS" in machine.run("journalctl --unit runfold --no-pager | tail -n 5")
