"""deploy/compose-ha.yml, as docs/containers.md says to use it: what ends under load, and what is there afterwards."""

import json
import re

import pytest
from documents import blocks
from engine import Container, docker, http_status, wait_for
from load import Load
from project import Project

FILE = "deploy/compose-ha.yml"
MIGRATION = '''"""A migration that replicas of the version before can live with."""

from alembic import op

revision = "9000"
down_revision = "{last}"
oldest_program = "{last}"


def upgrade() -> None:
    op.execute("alter table runfold.catalog_cursor add column of_the_next_version text")


def downgrade() -> None:
    op.execute("alter table runfold.catalog_cursor drop column of_the_next_version")
'''


class Pair(Project):
    secret = ""

    def put(self, name):
        return http_status(
            f"{self.url}/api/v1/namespaces/{name}",
            method="PUT",
            body=b'{"ownerName":"me"}',
            Authorization=f"Bearer {self.secret}",
        )

    def sql(self, service, statement):
        return self.run(f'docker compose exec -T {service} psql -U runfold -At -c "{statement}"').strip()

    def is_primary(self, service):
        return self.sql(service, "select pg_is_in_recovery()") == "f"

    def under_load(self):
        return Load(self.url, self.secret)

    def check(self, load, *, longest_s):
        """Check that no client saw a failure, and that every acknowledged transition is in the ledger."""
        figures = f"{load.count} acknowledged, longest pause {load.longest_s:.1f} s, repeated {dict(load.repeated)}"
        print(f"\n{figures}")  # noqa: T201  shown with ARGS=-s
        assert load.failures == []
        assert load.count > 200
        assert load.longest_s < longest_s
        exported = self.run("docker compose exec -T runfold-1 runfold export 2>/dev/null").splitlines()
        recorded = {(event["id"], event["state"]) for event in map(json.loads, exported) if event["subject"] == "run"}
        assert set(load.acknowledged) <= recorded
        assert " hold. " in self.run("docker compose exec -T runfold-1 runfold verify")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    made = Pair(tmp_path_factory.mktemp("ha"), "runfold-test-ha", 5083, FILE)
    try:
        printed = [made.run(line) for line in blocks("docs/containers.md", "Two replicas and a standby")]
        made.secret = re.search(r"rf_[\w-]{40,}", printed[-1])[0]
        yield made
    finally:
        made.run("docker compose down --volumes --remove-orphans", status=None)


def for_a_while(load, more=300):
    """Return when more transitions were acknowledged."""
    target = load.count + more
    wait_for(lambda: load.count >= target or load.failures, f"{more} more transitions")


def test_the_standby_has_every_event_before_the_answer(pair):
    assert pair.put("first") == 200
    states = "select application_name || ' ' || sync_state from pg_stat_replication"
    assert pair.sql("postgres-1", states) == "postgres-2 sync"
    recorded = "select count(*) from runfold.events where subject = 'namespace' and namespace = 'first'"
    assert int(pair.sql("postgres-1", recorded)) == 1
    wait_for(lambda: int(pair.sql("postgres-2", recorded)) == 1, "the standby shows what it has", 10)


def test_a_replica_is_killed(pair):
    with pair.under_load() as load:
        for_a_while(load)
        docker("kill", "--signal=KILL", pair.container("runfold-1"))
        for_a_while(load)
        pair.run("docker compose up --detach --wait")
        for_a_while(load)
    pair.check(load, longest_s=10)


def test_a_rolling_upgrade_with_a_migration_fails_no_request(pair):
    versions = pair.directory / "alembic" / "versions"
    last = max(file.name.partition("_")[0] for file in versions.glob("[0-9]*.py"))
    (versions / "9000_next.py").write_text(MIGRATION.format(last=last))
    with pair.under_load() as load:
        for line in blocks("docs/containers.md", "Rolling upgrade"):
            pair.run(line.replace("compose build", "compose build --build-arg REVISION=abc123"))
            for_a_while(load)
    pair.check(load, longest_s=5)
    assert not load.repeated
    assert "+gabc123" in pair.run("docker compose exec -T runfold-2 runfold --version")


def test_the_primary_crashes_and_goes_on(pair):
    with pair.under_load() as load:
        for_a_while(load)
        pair.run(
            "docker compose exec -T postgres-1 bash -c 'kill -QUIT 1'", status=None
        )  # it ends without a checkpoint
        server = Container(pair.container("postgres-1"))
        wait_for(lambda: server.inspect("RestartCount") == 1, "Docker starts it again")
        for_a_while(load)
    pair.check(load, longest_s=30)
    assert pair.is_primary("postgres-1")


def test_the_primary_is_killed_and_the_standby_promoted(pair):
    before = pair.sql("postgres-1", "select timeline_id from pg_control_checkpoint()")
    with pair.under_load() as load:
        for_a_while(load)
        docker("kill", "--signal=KILL", pair.container("postgres-1"))
        for line in blocks("docs/containers.md", "Failover")[:2]:
            pair.run(line)
        for_a_while(load)
    pair.check(load, longest_s=60)
    assert pair.is_primary("postgres-2")
    assert not pair.is_primary("postgres-1")
    wait_for(
        lambda: pair.sql("postgres-2", "select timeline_id from pg_control_checkpoint()") > before, "a new timeline"
    )


def test_the_primary_is_changed_while_both_run(pair):
    with pair.under_load() as load:
        for_a_while(load)
        for line in blocks("docs/containers.md", "Failover")[:2]:
            pair.run(line.replace("PRIMARY=postgres-2", "PRIMARY=postgres-1"))
        for_a_while(load)
    pair.check(load, longest_s=60)
    assert pair.is_primary("postgres-1")


def test_without_the_standby_nothing_is_acknowledged_unless_it_is_optional(pair):
    optional, required = blocks("docs/containers.md", "Failover")[2:]
    docker("kill", "--signal=KILL", pair.container("postgres-2"))
    assert pair.put("alone") == 503
    pair.run(optional)
    wait_for(lambda: pair.put("optional") == 200, "recorded without the standby", 60)
    pair.run(required)
    pair.run("docker compose up --detach --wait")
    wait_for(lambda: pair.put("both") == 200, "recorded by both", 60)


def test_a_server_without_data_does_not_become_the_primary_of_one_with_data(pair):
    pair.run("docker compose rm --stop --force postgres-2 && docker volume rm runfold-test-ha_postgres-2")
    environment = "--no-deps --env PRIMARY=postgres-2 --rm postgres-2"
    assert "but postgres-1 has some" in pair.run(f"docker compose run {environment}", status=1)
    pair.run("docker compose up --detach --wait")
    assert pair.put("again") == 200
