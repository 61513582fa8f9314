"""What Ctrl-C does while modules are loaded: it ends the program at once, since nothing has to be closed yet."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT end the process without a message, instead of raising KeyboardInterrupt in a module that is loaded.

    A SIGINT that is ignored, as in a background job of a script, stays so. In other threads than the main one, nothing
    changes. This module is loaded before all others, and must load none of them.
    """
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
