"""docker-compose.yml, as README.md and docs/containers.md say to use it."""

import json
import re

import pytest
from documents import blocks
from engine import Container, docker, http_status, wait_for
from project import Project

RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
NASTY = 'p@ss/w:rd#1 $HOME ${X} "q" \\ %41 ü'
UP = "docker compose up --detach --wait"


class Deployed(Project):
    secret = ""

    def call(self, method, path, body=None):
        content = None if body is None else json.dumps(body).encode()
        return http_status(
            f"{self.url}/api/v1{path}", method=method, body=content, Authorization=f"Bearer {self.secret}"
        )

    def sql(self, statement):
        return self.run(f'docker compose exec -T postgres psql -U runfold -At -c "{statement}"').strip()

    def has_the_run(self):
        return self.call("GET", f"/jobs/runs/{RUN}") == 200


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What the lines under "In production" in README.md make, typed one after the other."""
    made = Deployed(tmp_path_factory.mktemp("project"), "runfold-test-compose", 5081)
    lines = blocks("README.md", "In production")
    assert len(lines) == 3
    try:
        printed = [made.run(line, terminal=True) for line in lines]
        made.secret = re.search(r"rf_[\w-]{40,}", printed[2])[0]
        yield made
    finally:
        made.run("docker compose down --volumes --remove-orphans", status=None)


def test_without_passwords_it_says_where_to_look(tmp_path):
    assert "see .env.example" in Project(tmp_path, "runfold-test-none", 5082).run(UP, status=None)


def test_the_lines_of_the_readme_make_a_service_with_keys(project):
    assert http_status(f"{project.url}/api/v1/namespaces") == 401
    assert project.call("PUT", "/namespaces/etl", {"ownerName": "me"}) == 200
    assert project.call("PUT", "/namespaces/etl/jobs/load", {"type": "BATCH", "inputs": [], "outputs": []}) == 200
    assert project.call("POST", "/namespaces/etl/jobs/load/runs", {"id": RUN}) == 201
    assert project.call("POST", f"/jobs/runs/{RUN}/start") == 200
    assert " hold. " in project.run("docker compose exec runfold runfold verify", terminal=True)


def test_it_is_published_on_the_loopback_interface_only(project):
    assert docker("port", project.container("runfold")).split()[-1] == "127.0.0.1:5081"
    assert docker("port", project.container("postgres")) == ""


def test_it_serves_as_a_role_that_cannot_change_the_ledger(project):
    sessions = "select distinct usename from pg_stat_activity where datname = 'runfold' and pid <> pg_backend_pid()"
    assert project.sql(sessions) == "runfold_service"
    assert project.sql("select rolsuper or rolcreaterole from pg_roles where rolname = 'runfold_service'") == "f"
    said = project.run("docker compose exec -T runfold runfold rebuild", status=1)
    assert "needs the rights of the owner" in said
    assert "The catalog is rebuilt" in project.run("docker compose run --rm owner rebuild")


def test_containers_have_limits(project):
    for service in ("runfold", "owner", "postgres"):
        host = json.loads(docker("inspect", project.container(service)))[0]["HostConfig"]
        assert host["Memory"] > 0
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}
        if service != "postgres":
            assert (host["ReadonlyRootfs"], host["CapDrop"], host["Init"]) == (True, ["ALL"], True)


def test_what_an_interrupted_exec_leaves_behind_is_no_zombie(project):
    left = project.run("docker compose exec -T runfold bash -c 'sleep 0.1 >/dev/null 2>&1 & echo $!'").strip()
    there = f"docker compose exec -T runfold test -e /proc/{int(left)}"
    wait_for(lambda: "1" in project.run(f"{there}; echo $?"), "the process has ended and is no zombie", 30)


def test_a_password_may_have_any_characters_and_can_be_changed(project):
    file = project.directory / ".env"
    before = file.read_text()
    file.write_text(re.sub(r"(?m)^SERVICE_PASSWORD=.*$", lambda _: f"SERVICE_PASSWORD='{NASTY}'", before))
    project.run(UP)
    assert project.run("docker compose exec -T runfold printenv PGPASSWORD").strip() == NASTY
    assert project.has_the_run()
    assert "p@ss" not in project.run("docker compose logs")


def test_postgresql_may_restart(project):
    project.run("docker compose restart postgres")
    wait_for(lambda: project.call("POST", f"/jobs/runs/{RUN}/complete") == 200, "the run completes")


def test_runfold_may_be_killed(project):
    runfold = Container(project.container("runfold"))
    runfold.exec("bash", "-c", "kill -9 $(cat /proc/1/task/1/children)")
    wait_for(lambda: runfold.inspect("RestartCount") == 1 and runfold.health == "healthy", "it is back")
    assert project.has_the_run()


def version(project):
    return project.run("docker compose exec -T runfold runfold --version").strip().rpartition(" ")[2]


def test_it_is_upgraded_and_goes_back(project):
    before = version(project)
    for line in blocks("docs/containers.md", "Upgrade"):
        project.run(
            line.replace("git pull", "true").replace("compose build", "compose build --build-arg REVISION=abc123")
        )
    assert version(project) == f"{before}+gabc123"
    assert project.has_the_run()
    for line in blocks("docs/containers.md", "Back to the previous version"):
        project.run(line)
    assert version(project) == before
    assert project.has_the_run()


def test_a_backup_is_restored_also_after_a_newer_version_has_migrated(project):
    for line in blocks("docs/containers.md", "Backup"):
        project.run(line)
    project.sql("update runfold_version set version_num = '9999', oldest_program = '9999'")
    assert "owner" in project.run(f"{UP} --force-recreate", status=1)
    assert "is at revision 9999, and this version" in project.run("docker compose logs owner")
    *restored, verified = [project.run(line) for line in blocks("docs/containers.md", "Restore")]
    assert restored
    assert " hold. " in verified
    assert "has the hash that /dev/stdin holds" in verified
    assert project.has_the_run()


def test_after_down_everything_is_there(project):
    project.run("docker compose down")
    project.run(UP)
    assert project.has_the_run()
