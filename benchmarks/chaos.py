"""Kill what the gateway stands on, again and again, and see what its callers notice.

    python -m benchmarks.chaos [--engine embedded|triton] [--minutes 5] [--rate 100] [--every 20]

`embedded`: two gateway processes on one port; a process and the sidecar are killed in turn.
`triton`: a real Triton and the sidecar are killed in turn; this script starts the Triton again, as
a cluster would. One request in ten asks for an explanation. Callers use the SDK as it is, with its
retries.

What must work: everything while nothing is down, predictions while the sidecar is down, everything
while one gateway process of two is down. While Triton is down, and for explanations while the
sidecar is, an UNAVAILABLE is right. The bars: 99 % of what must work does, no answer is wrong, no
outage is longer than 10 s. A miss makes the exit status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.served import children, drawn, gateway
from pawsight_client import AsyncClient, PawsightError, Unavailable

if TYPE_CHECKING:
    from benchmarks.served import Gateway

MUST_WORK: Final = 0.99
OUTAGE_S: Final = 10.0
EXPLAIN_ONE_IN: Final = 10
TOLERANCE: Final = 1e-4
STARTS: Final = 5
# Until a connection is seen to be broken, an explanation may come from the prediction's own pass.
NOTICED_S: Final = 0.5


@dataclass
class Witness:
    """What callers saw."""

    reference: dict[str, float]
    # Since when something is down, by what callers ask for.
    down_since_s: dict[str, float] = field(default_factory=dict)
    # Since when a death is known to all: what was asked before may still be answered.
    dead_since_s: dict[str, float] = field(default_factory=dict)
    last_end_s: dict[str, float] = field(default_factory=dict)
    last_kill: tuple[str, float] = ("nothing", 0.0)
    outages_s: dict[str, list[float]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    worked: int = 0
    must: int = 0
    wrong: int = 0

    def killing(self, victim: str, *kinds: str) -> None:
        """Hear that something is about to be killed that these kinds of request need."""
        self.last_kill = victim, time.monotonic()
        for kind in kinds:
            self.down_since_s[kind] = self.last_kill[1]
            self.dead_since_s.pop(kind, None)

    def killed(self, *kinds: str) -> None:
        """Hear that it is dead."""
        for kind in kinds:
            self.dead_since_s[kind] = time.monotonic() + NOTICED_S

    def answered(self, kind: str, probabilities: dict[str, float], asked_s: float) -> None:
        """Hear of an answer to what was asked then."""
        self.must += 1
        self.worked += 1
        self.outcomes[f"{kind} OK"] += 1
        near = all(abs(probabilities[k] - v) < TOLERANCE for k, v in self.reference.items())
        self.wrong += not near
        if kind in self.down_since_s and asked_s > self.dead_since_s.get(kind, math.inf):
            self.last_end_s[kind] = time.monotonic()
            outage_s = self.last_end_s[kind] - self.down_since_s.pop(kind)
            self.outages_s.setdefault(kind, []).append(outage_s)

    def failed(self, kind: str, error: PawsightError, asked_s: float) -> None:
        """Hear of a failure of what was asked then."""
        # What was asked while it was down may fail just after it came back.
        down = kind in self.down_since_s or asked_s < self.last_end_s.get(kind, 0.0)
        excused = down and isinstance(error, Unavailable)
        self.must += not excused
        self.outcomes[f"{kind} {error.code}{' (excused)' if excused else ''}"] += 1
        if not excused:
            victim, killed_s = self.last_kill
            print(
                f"{kind} {error.code}, asked {asked_s - killed_s:.2f} s after killing {victim}, "
                f"failed {time.monotonic() - asked_s:.2f} s later",
                flush=True,
            )


def main() -> None:
    """Run, and say what callers noticed."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--engine", choices=("embedded", "triton"), default="embedded")
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--minutes", type=float, default=5)
    arguments.add_argument("--rate", type=float, default=100, help="requests a second")
    arguments.add_argument("--every", type=float, default=20, help="seconds between two kills")
    options = arguments.parse_args()
    with ExitStack() as stack:
        picture = drawn()
        triton = Triton(options.repository) if options.engine == "triton" else None
        if triton is not None:
            stack.callback(triton.stop)
            triton.start_again()
        of_engine = (
            ["--repository", options.repository, "--workers", "2"]
            if triton is None
            else ["--triton", triton.address]
        )
        served = stack.enter_context(gateway(*of_engine, "--default-model", options.model))
        sys.exit(asyncio.run(run(served, triton, picture, options)))


async def run(
    served: Gateway, triton: Triton | None, picture: bytes, options: argparse.Namespace
) -> int:
    """Ask and kill for a while; return the exit status."""
    async with (
        AsyncClient(f"grpc://{served.grpc}", timeout_s=5) as over_grpc,
        AsyncClient(f"http://{served.http}", timeout_s=5) as over_http,
    ):
        reference = (await over_grpc.predict(picture, model=options.model)).probabilities
        witness = Witness(dict(reference))
        kills = max(1, int(options.minutes * 60 / options.every) - 1)
        killing = asyncio.create_task(kill(served, triton, witness, options.every, kills))
        tasks: set[asyncio.Task[None]] = set()
        started_s = time.monotonic()
        ends_s = started_s + options.minutes * 60
        for number in count():
            now_s = time.monotonic()
            # What was killed last is seen to come back, or not.
            if now_s > ends_s and (not witness.down_since_s or now_s > ends_s + OUTAGE_S):
                break
            await asyncio.sleep(max(0.0, started_s + number / options.rate - time.monotonic()))
            kind = "explain" if number % EXPLAIN_ONE_IN == 0 else "predict"
            client = over_http if number % 2 else over_grpc
            task = asyncio.create_task(ask(client, kind, picture, options.model, witness))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(killing, *tasks)
    return report(witness)


async def ask(client: AsyncClient, kind: str, picture: bytes, model: str, witness: Witness) -> None:
    """Ask once."""
    asked_s = time.monotonic()
    try:
        if kind == "predict":
            probabilities = (await client.predict(picture, model=model)).probabilities
        else:
            explained = await client.explain(picture, model=model, overlay=False)
            probabilities = explained.prediction.probabilities
    except PawsightError as error:
        witness.failed(kind, error, asked_s)
    else:
        witness.answered(kind, dict(probabilities), asked_s)


async def kill(
    served: Gateway, triton: Triton | None, witness: Witness, every_s: float, kills: int
) -> None:
    """Kill the engine and the sidecar in turn."""
    started_s = time.monotonic()
    for number in range(kills):
        await asyncio.sleep(max(0.0, started_s + (number + 1) * every_s - time.monotonic()))
        if number % 2:
            witness.killing("the sidecar", "explain")
            end(named(served.process.pid, b"pawsight_serving.explainer"))
            witness.killed("explain")
        elif triton is None:
            witness.killing("a gateway process")
            end(named(served.process.pid, b"pawsight_serving.gateway"))
        else:
            now_s = time.monotonic()
            witness.killing("Triton", "predict", "explain")
            await asyncio.to_thread(triton.kill)
            witness.killed("predict", "explain")
            ended_s = time.monotonic()
            await asyncio.to_thread(triton.start_again)
            print(
                f"Triton ended after {ended_s - now_s:.1f} s and said that it was ready "
                f"{time.monotonic() - ended_s:.1f} s later",
                flush=True,
            )


def report(witness: Witness) -> int:
    """Print what was seen, and return 1 where a bar was missed."""
    for outcome, times in sorted(witness.outcomes.items()):
        print(f"{times:8} {outcome}")
    share = witness.worked / max(1, witness.must)
    for kind, outages_s in witness.outages_s.items():
        print(f"{kind} was away for", *(f"{each:.1f}" for each in outages_s), "s")
    longest_s = max(chain(*witness.outages_s.values()), default=0.0)
    still = ", ".join(witness.down_since_s)
    print(
        f"{share:.2%} of what must work did; {witness.wrong} wrong answers; "
        f"the longest outage {longest_s:.1f} s; still down: {still or 'nothing'}"
    )
    return int(share < MUST_WORK or witness.wrong > 0 or longest_s > OUTAGE_S or bool(still))


def named(pid: int, word: bytes) -> list[int]:
    """Return the processes under one whose command line holds a word."""
    found = []
    # Any of them may end while it is looked at.
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in children(pid):
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            found += [child] if word in line else []
            found += named(child, word)
    return found


def end(pids: list[int]) -> None:
    """Kill the first of these processes, if there is one."""
    for pid in pids[:1]:
        os.kill(pid, signal.SIGKILL)


class Triton:
    """`pawsight triton` on ports that stay the same."""

    def __init__(self, repository: str) -> None:
        self._repository = repository
        self._ports = ("0", "0")
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def start_again(self) -> None:
        """Start it until it is ready, as what runs containers would."""
        for _ in range(STARTS):
            if self._start():
                return
            print("Triton ended while it was starting", flush=True)
        raise SystemExit("Triton did not start; try `pawsight triton` by hand.")

    def _start(self) -> bool:
        http, grpc = self._ports
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pawsight_client", "triton"),
                *("--repository", self._repository, "--metrics-port", "0"),
                *("--http-port", http, "--grpc-port", grpc),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if " serves " in line:
                http, grpc = (
                    line.partition(scheme)[2].split()[0].rstrip(",")
                    for scheme in ("http://", "grpc://")
                )
                self.address = grpc
                self._ports = (http.rpartition(":")[2], grpc.rpartition(":")[2])
                return True
        self._process.wait(30)
        return False

    def kill(self) -> None:
        """End the server as a crash would; the command ends with it."""
        if self._process is not None:
            end(children(self._process.pid))
            self._process.wait(30)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)


if __name__ == "__main__":
    main()
