"""Runs a Python module, sampling where its CPU time goes: `python bench/sampler.py FILE MODULE [ARGUMENT …]`.

From SIGUSR1 to SIGUSR2, each millisecond of CPU time (not of waiting) notes the stack of Python functions;
time in C counts for the Python function that called it. FILE gets one line a stack, `outer;…;inner count`, as
flame graph tools read it.
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


def note(_number: int, frame: FrameType | None) -> None:
    """Note where the main thread is."""
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    STACKS[tuple(reversed(stack))] += 1


def main() -> None:
    """Run the module."""
    output, module, *arguments = sys.argv[1:]

    def begin(_number: int, _frame: FrameType | None) -> None:
        STACKS.clear()
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        lines = (f"{';'.join(map(_name, stack))} {count}\n" for stack, count in STACKS.items())
        Path(output).write_text("".join(lines))

    signal.signal(signal.SIGPROF, note)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.path.insert(0, str(ROOT))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _name(code: CodeType) -> str:
    parts = Path(code.co_filename).parts
    where = parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-2:]
    return f"{'/'.join(where)}:{code.co_qualname}"


if __name__ == "__main__":
    main()
