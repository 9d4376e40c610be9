"""How long `pawsight serve` takes until it is ready, on a machine that has started it before.

    python -m benchmarks.warm_start [--times 5]

Ready means that every model has answered, and that the sidecar takes calls.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.served import gateway


def main() -> None:
    """Start and end it a few times, and print the seconds."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--times", type=int, default=5)
    options = arguments.parse_args()
    for _ in range(options.times):
        started_s = time.perf_counter()
        with gateway("--repository", options.repository):
            print(f"ready after {time.perf_counter() - started_s:.1f} s", flush=True)


if __name__ == "__main__":
    main()
