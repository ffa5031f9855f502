"""``python -m rtsep`` is the command ``rtsep``."""

from rtsep.cli import main

if __name__ == "__main__":
    main()
