"""A session in a process of its own, told what to do by lines: ``stats`` prints the account, ``stop`` ends it.

PortAudio lists the devices once a process, and finds the JACK server by an environment variable.
"""

from __future__ import annotations

import json
import sys

from rtsep.host import Host
from rtsep.settings import LiveSettings


def main() -> None:
    with Host(LiveSettings.model_validate(json.loads(sys.argv[1]))) as host:
        for line in sys.stdin:
            if line.strip() == "stop":
                break
            tell(host)
    tell(host)


def tell(host: Host) -> None:
    latency = {
        "latency_samples": host.latency.total_samples,
        "n_restarts": host._rig.separation.engine.n_restarts,
    }
    print(json.dumps({**host.stats(), **latency}), flush=True)


if __name__ == "__main__":
    main()
