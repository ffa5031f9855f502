"""A session in a process of its own, told what to do by lines.

``stats`` prints the account, ``change {...}`` has it play by other settings first, ``stop`` ends it.

PortAudio lists the devices once a process, and finds the JACK server by an environment variable.
"""

from __future__ import annotations

import json
import sys

from rtsep.errors import RtsepError
from rtsep.host import Host
from rtsep.settings import LiveSettings


def main() -> None:
    with Host(LiveSettings.model_validate(json.loads(sys.argv[1]))) as host:
        for line in sys.stdin:
            word, _, tree = line.strip().partition(" ")
            if word == "stop":
                break
            tell(host, change(host, json.loads(tree)) if word == "change" else "")
    tell(host, "")


def change(host: Host, tree: dict) -> str:
    """What is said against it."""
    try:
        host.change(LiveSettings.model_validate(tree))
    except RtsepError as error:
        return str(error)
    return ""


def tell(host: Host, refused: str) -> None:
    latency = {
        "latency_samples": host.latency.total_samples,
        "refused": refused,
        "news": host.news(),
        "n_restarts": host._rig.separation.engine.n_restarts,
    }
    print(json.dumps({**host.stats(), **latency}), flush=True)


if __name__ == "__main__":
    main()
