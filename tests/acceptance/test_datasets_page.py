"""The commands of docs/datasets.md, word by word."""

import json
import subprocess

from documents import blocks


def test_the_commands_define_a_dataset_and_tag_it(server):
    lines = "\n".join(blocks("docs/datasets.md", "Defining and tagging"))
    script = lines.replace("http://localhost:5000", server.url).replace("curl ", "curl --fail -sS ")
    run = subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True)
    shown = json.loads(run.stdout.splitlines()[-1])
    assert (shown["id"], shown["sourceName"]) == ({"namespace": "shop", "name": "orders"}, "warehouse")
    assert (shown["tags"], shown["fields"][0]["tags"]) == (["finance"], ["PII"])
