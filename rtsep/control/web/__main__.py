"""``python -m rtsep.control.web``: the server, for `rtsep.control.web.link` to start."""

from rtsep.control.web.server import main

if __name__ == "__main__":
    main()
