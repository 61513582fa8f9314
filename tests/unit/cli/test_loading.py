"""A command loads the modules that it needs, and no others: they take most of the time of a short command."""

import gc
import os
import signal
import subprocess
import sys

from click.testing import CliRunner
from programs import SETTINGS

from service.cli.loading import loading
from service.cli.main import cli

LOADED = """
import sys
from click.testing import CliRunner
from service.cli.main import cli
assert CliRunner().invoke(cli, sys.argv[1:]).exit_code == 2
print(*sys.modules)
"""


def loaded(*arguments, **environment):
    """Return the modules that a command loads before it complains about its arguments."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", LOADED, *arguments, "--unheard-of"]
    return set(subprocess.check_output(command, text=True, env=clean | environment).split())


def test_a_command_loads_no_other_and_no_server():
    found = loaded("keys", "list", RUNFOLD_WORKERS="2", RUNFOLD_SERVICE_PORT_HTTP="80")
    assert "service.cli.commands.keys" in found
    assert not found & {"service.cli.commands.serve", "service.cli.commands.verify", "service.http.app", "aiohttp"}


def test_every_command_is_loaded_to_tell_a_misspelt_variable():
    assert {"service.cli.commands.keys", "service.cli.commands.serve"} <= loaded("keys", "list", RUNFOLD_PROT="80")


def test_ctrl_c_is_an_exception_again_when_modules_are_loaded():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with loading():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with loading():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_garbage_is_collected_meanwhile_and_that_is_so_again_afterwards():
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
        made = []
    assert gc.isenabled()
    assert not any(each is made for each in gc.get_objects())  # frozen
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_shells_complete_commands_that_are_not_loaded():
    words = {"_RUNFOLD_COMPLETE": "bash_complete", "COMP_WORDS": "runfold se", "COMP_CWORD": "1"}
    assert CliRunner().invoke(cli, env=words, prog_name="runfold").stdout == "plain,serve\n"


def test_there_is_no_other_command():
    result = CliRunner().invoke(cli, ["kays"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'kays'. Did you mean 'keys'?" in result.stderr
