"""Many mixed explanations, a third of them cancelled or broken: does anything grow?

    python -m benchmarks.explanation_soak [--count 10000] [--repository model_repository]

A gateway with its sidecar is started. Before and after, and at every tenth of the way, it prints
resident memory, open files, threads and unfinished tasks of both processes; it fails where the end
is above the first tenths by more than the allowance.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from benchmarks.served import Gateway, drawn, gateway, resident_mib
from pawsight_client import AsyncClient, PawsightError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ALLOWED_MEMORY: Final = 1.10
ALLOWED_FILES: Final = 4
AT_ONCE: Final = 4


@dataclass(frozen=True)
class State:
    """What one process holds."""

    memory_mib: float
    files: int
    threads: int
    tasks: int

    @classmethod
    def of(cls, pid: int, tasks: int) -> State:
        """Return the state of a process that has so many tasks; Linux alone tells it so."""
        files, threads = (len(list(Path(f"/proc/{pid}/{of}").iterdir())) for of in ("fd", "task"))
        return cls(resident_mib(pid), files, threads, tasks)


def main() -> None:
    """Print a line a tenth; exit with 1 where something has grown."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--repository", default="model_repository")
    arguments.add_argument("--model", default="cats_dogs_scratch")
    options = arguments.parse_args()
    with gateway("--repository", str(options.repository)) as served:
        states = asyncio.run(soak(served, options.model, options.count, print))
    grown = growth(states)
    print("\n".join(grown) or "nothing has grown")
    sys.exit(bool(grown))


async def soak(
    served: Gateway, model: str, count: int, say: Callable[[str], None]
) -> list[dict[str, State]]:
    """Ask for `count` explanations; return the processes' states after each tenth."""
    chance = random.Random(0)
    clients = [
        AsyncClient(url, timeout_s=30, retries=0)
        for url in (f"http://{served.http}", f"grpc://{served.grpc}")
    ]
    picture = drawn()
    states = []
    for tenth in range(10):
        left = count // 10
        while left > 0:
            batch = min(AT_ONCE, left)
            left -= batch
            await asyncio.gather(
                *(one(chance.choice(clients), picture, model, chance) for _ in range(batch))
            )
        await asyncio.sleep(0.2)
        gateway_tasks, sidecar_tasks = unfinished(served)
        states.append(
            {
                "gateway": State.of(served.process.pid, gateway_tasks),
                "sidecar": State.of(served.sidecar(), sidecar_tasks),
            }
        )
        said = ", ".join(
            f"{name} {state.memory_mib:.0f} MiB, {state.files} files, {state.threads} threads, "
            f"{state.tasks} tasks"
            for name, state in states[-1].items()
        )
        say(f"{(tenth + 1) * 10} %: {said}")
    for client in clients:
        await client.close()
    return states


def unfinished(served: Gateway) -> tuple[int, int]:
    """Return how many tasks gateway and sidecar have, by what they tell Prometheus."""
    text = httpx.get(f"http://{served.http}/metrics", timeout=30).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return int(float(figures["pawsight_tasks"])), int(float(figures["pawsight_explainer_tasks"]))


async def one(client: AsyncClient, picture: bytes, model: str, chance: random.Random) -> None:
    """Ask once: of three requests one is cancelled or broken."""
    kind = chance.randrange(6)
    if kind == 0:
        await cancelled(client.explain(picture, model=model, method="occlusion"), chance)
    elif kind == 1:
        broken = chance.choice([picture[:99], b"no picture", b""])
        await refused(client.explain(broken, model=model, layer=chance.choice(["", "none"])))
    elif kind == 2:
        await client.explain_all(picture, model=model, targets=["all"], sheet=True)
    elif kind == 3:
        await client.activations(picture, layer="conv2", model=model, top=8)
    elif kind == 4:
        await client.explain(picture, model=model, method="layercam", layer="conv3")
    else:
        await client.explain(picture, model=model)


async def cancelled(answer: Awaitable[object], chance: random.Random) -> None:
    """Leave before the answer."""
    try:
        await asyncio.wait_for(answer, chance.uniform(0.001, 0.05))
    except (TimeoutError, PawsightError):
        return


async def refused(answer: Awaitable[object]) -> None:
    """Send what cannot be answered."""
    try:
        await answer
    except PawsightError:
        return
    raise AssertionError("what is broken was answered")


def growth(states: list[dict[str, State]]) -> list[str]:
    """Return a sentence for everything that the last tenth holds more of than the first ones."""
    grown = []
    for name, last in states[-1].items():
        # Allocators fill up over the first pictures of every kind.
        early = [state[name] for state in states[:3]]
        if last.memory_mib > ALLOWED_MEMORY * max(each.memory_mib for each in early):
            grown.append(f"{name}: memory has grown to {last.memory_mib:.0f} MiB")
        if last.files > ALLOWED_FILES + max(each.files for each in early):
            grown.append(f"{name}: {last.files} files are open")
        if last.threads > ALLOWED_FILES + max(each.threads for each in early):
            grown.append(f"{name}: {last.threads} threads run")
        if last.tasks > ALLOWED_FILES + max(each.tasks for each in early):
            grown.append(f"{name}: {last.tasks} tasks are not done")
    return grown


if __name__ == "__main__":
    main()
