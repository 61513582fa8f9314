"""The entry point of `runfold` and of `python -m service`."""

from service.cli.loading import loading


def main() -> None:
    """Run the program."""
    with loading():
        from service.cli import main as program  # noqa: PLC0415  Ctrl-C may come while it is loaded
    program.main()


if __name__ == "__main__":
    main()
