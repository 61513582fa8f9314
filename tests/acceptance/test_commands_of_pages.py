"""Commands of several pages of the documentation, word by word but for names of what is there."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from documents import blocks
from partitions import LATER, RUNS, fill
from programs import REPOSITORY

from service.domain.silence import OFF


@pytest.fixture
def shell(tmp_path):
    """Return a function that runs lines of shell with `runfold` on the PATH, and returns what they print."""
    wrapper = tmp_path / "runfold"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m service "$@"\n')
    wrapper.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}

    def run(lines, **variables):
        command = ["bash", "-euc", "\n".join(lines)]
        done = subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


async def test_keys_are_created_listed_and_revoked_and_the_catalog_is_verified(shell, dsn):
    lines = blocks("docs/api-keys.md", "API keys") + blocks("docs/auditing.md", "Which answers are evidence")
    said = await asyncio.to_thread(shell, lines, RUNFOLD_DATABASE_URL=dsn)
    assert said.count("rf_") >= 2
    assert "team-a-*" in said
    assert " hold. " in said


async def test_payloads_are_archived_restored_and_erased(shell, dsn, db, connections, tmp_path):
    await fill(db, connections)
    page = "docs/operations.md"
    install, archive = blocks(page, "Archiving")
    assert install.startswith("pip install 'runfold[parquet]'")
    lines = [archive, *blocks(page, "Restoring"), *blocks(page, "Erasing")]
    known = {
        "/archive/runfold": str(tmp_path / "archive"),
        "2025-01-01": LATER.date().isoformat(),
        "870492da-ecfb-4be0-91b9-9a89ddd3db90": str(RUNS[0]),
        "123456": "3",
        "--actor privacy": "--actor privacy --yes",  # nobody is asked without a terminal
    }
    for word, here in known.items():
        assert any(word in line for line in lines)
        lines = [line.replace(word, here) for line in lines]
    (tmp_path / "archive").mkdir()
    said = await asyncio.to_thread(shell, lines, RUNFOLD_DATABASE_URL=dsn)
    assert "payloads are in payloads-0-" in said
    assert "5 payloads are erased." in said
    assert "1 payload is erased." in said


def test_silence_is_allowed_and_looked_at(shell, server):
    serve, *puts = blocks("docs/silent-runs.md", "Silent runs")
    assert serve.startswith("runfold serve --silent-after 6h ")
    lines = [
        line.replace("curl ", "curl --fail -sS --retry 9 ")
        for line in (*puts, *blocks("docs/silent-runs.md", "What to set"))
    ]
    said = shell(lines, RUNFOLD_URL=server.url, RUNFOLD_DATABASE_URL=server.dsn)
    namespace, job, runs = map(json.loads, said.splitlines())
    assert (namespace["silentAfterSeconds"], job["silentAfterSeconds"], runs["runs"]) == (3600, OFF, [])
