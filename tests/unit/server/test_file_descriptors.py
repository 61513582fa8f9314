"""The limit on open files."""

import resource
import subprocess
import sys

import pytest

from service.server.file_descriptors import max_connections
from service.settings import CONNECTIONS

_PROGRAM = """
import resource
from service.server.file_descriptors import raise_limit
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "expected"), [(200, 4_000, 4_000), (300, 300, 300)])
def test_the_soft_limit_is_raised_to_the_hard_one(soft, hard, expected):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, check=True, text=True, preexec_fn=limit
    )
    assert [int(word) for word in done.stdout.split()] == [expected, expected, hard]


def test_connections_of_clients_leave_room_for_other_files():
    assert max_connections(65_536) < 65_536 - CONNECTIONS
    assert max_connections(100) == 50
