"""The requests of README.md, word by word."""

import json
import subprocess

from documents import blocks


def test_the_requests_of_the_readme_show_a_run_that_is_running(server):
    lines = blocks("README.md", "Quick start")
    requests = [line.replace("http://localhost:5000", server.url) for line in lines if line.startswith("curl")]
    answers = [
        json.loads(subprocess.run(["bash", "-c", f"{line} --fail -s"], check=True, capture_output=True).stdout)
        for line in requests
    ]
    assert len(answers) == 4
    example = json.loads("".join(line for line in lines if line.startswith(("{", " "))))
    assert example.keys() == answers[-1].keys()
    own = {"createdAt", "updatedAt"}
    assert {name: answers[-1][name] for name in example.keys() - own} == {
        name: example[name] for name in example.keys() - own
    }
