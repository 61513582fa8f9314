"""The entry point of `runfold` and of `python -m service`."""

import signal


def main() -> None:
    """Run the program. Until its modules are loaded, Ctrl-C ends it at once: nothing has to be closed yet."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in a script's background job
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from service.cli import main as program  # noqa: PLC0415  loading it takes most of a second

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    program.main()


if __name__ == "__main__":
    main()
