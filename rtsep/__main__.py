"""``python -m rtsep`` is the command ``rtsep``."""

from rtsep.early import begin


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    begin()
    from rtsep.cli import main

    main()


if __name__ == "__main__":
    main()
