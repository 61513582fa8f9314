"""What is different while modules are loaded: no garbage is collected, and Ctrl-C ends the program at once."""

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Load modules in this block.

    Nearly every object that a module makes is kept: collections take a sixth of the time and find nothing, and later
    ones leave these objects out. SIGINT ends the process without a message, instead of raising KeyboardInterrupt in a
    module, because nothing has to be closed yet. A SIGINT that is ignored, as in a background job of a script, stays
    so; in other threads than the main one, SIGINT does what it did. This module is loaded before all others, and must
    load none of them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with _interruptible():
            yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()


@contextmanager
def _interruptible() -> Iterator[None]:
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
