"""Runs a Python module and samples its CPU time: `python bench/sampler.py FILE MODULE [ARGUMENT …]`.

From SIGUSR1 to SIGUSR2 it takes the stack of Python functions once per millisecond of CPU time (not of waiting);
time in C counts for the Python function that called it. FILE gets one line per stack, `outer;…;inner count`, the
format of flame graph tools.
"""

from __future__ import annotations

import collections
import runpy
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, FrameType

INTERVAL_S = 0.001
ROOT = Path(__file__).resolve().parents[1]
STACKS: collections.Counter[tuple[CodeType, ...]] = collections.Counter()


def sample(_number: int, frame: FrameType | None) -> None:
    """Count the current stack of the main thread."""
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    STACKS[tuple(reversed(stack))] += 1


def main() -> None:
    """Run the module under the sampler."""
    output, module, *arguments = sys.argv[1:]

    def begin(_number: int, _frame: FrameType | None) -> None:
        STACKS.clear()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        lines = (f"{';'.join(map(_name, stack))} {count}\n" for stack, count in STACKS.items())
        Path(output).write_text("".join(lines))

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.path.insert(0, str(ROOT))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _name(code: CodeType) -> str:
    path = Path(code.co_filename)
    if "site-packages" in path.parts:
        path = Path(*path.parts[path.parts.index("site-packages") + 1 :])
    elif path.is_relative_to(ROOT):
        path = path.relative_to(ROOT)
    else:
        path = Path(*path.parts[-2:])
    return f"{path}:{code.co_qualname}"


if __name__ == "__main__":
    main()
