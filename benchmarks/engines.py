"""How fast each engine answers, in one run: the net in PyTorch, its graphs, and what serves them.

    python -m benchmarks.engines [--model NAME]... [--run RUN] [--seconds 1] [--rounds 5]

Three tables for each model of the repository:
1. one caller, batches of 1, 8 and 32: PyTorch eager and compiled, ONNX Runtime on the float graph
   and on the published one with each execution provider that is here, with and without Grad-CAM;
   on a GPU too, where there is one. The ratio is to PyTorch eager fp32 with Grad-CAM on the CPU, at
   the same batch.
2. bare sessions over threads, batches and streams; then the best of them, which chance favoured,
   once more, in turns with the embedded engine under 1 and 8 callers.
3. the real Triton under 1, 4 and 16 callers, in turns with the same bare session.

Contenders take turns, so that a noisy machine is noisy for all of them; each figure is a median.
Where the processor lacks AMX and VNNI, the first line says so: int8 is slower there.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime as ort

from benchmarks.contenders import (
    OUTPUTS,
    SHORT,
    fp32_graph,
    net_of,
    onnxruntime_of,
    published_graph,
    pytorch,
)
from benchmarks.rates import in_threads, measure
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.errors import PawsightError
from pawsight_serving.execution_providers import Threads, choose_providers
from pawsight_serving.process.processors import usable_processors
from pawsight_serving.repository.directory import model_names, read_graph
from pawsight_serving.repository.served import read_graph_config, read_model
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.triton_server.environment import environments_cache, prepare
from pawsight_serving.tuning.clients import choose_client
from pawsight_serving.tuning.settings import setting_of
from pawsight_serving.tuning.trial_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

BASE: Final = "torch eager fp32 cpu"
EMBEDDED_CALLERS: Final = (1, 8)
TRITON_CALLERS: Final = (1, 4, 16)
ENGINE_TURNS: Final = 2
"""Times the rounds of the others: a ratio near 1 takes more of them to be told from 1."""
TRITON_ROUNDS: Final = 3
"""Each of them takes three windows of ten calls, which is minutes where calls are slow."""
CALLS: Final = 16
"""Of each caller in a turn: its beginning and end, where batches are small, weigh little."""


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", action="append", help="of the repository; all by default")
    arguments.add_argument("--run", type=Path, help="the weights for PyTorch; random by default")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--batch", type=int, action="append", help="1, 8 and 32 by default")
    arguments.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    arguments.add_argument("--rounds", type=int, default=5, help="of turns; Triton has three")
    arguments.add_argument("--without-compiled", action="store_true")
    arguments.add_argument("--without-triton", action="store_true")
    options = arguments.parse_args()
    print(processor())
    for name in options.model or model_names(options.repository):
        manifest = read_model(options.repository, name)
        print(f"\n{name} version {manifest.version}, {manifest.precision}", flush=True)
        one_caller(manifest, options)
        bare = best_bare_session(manifest, options)
        engine_under_callers(manifest, bare, options)
        if not options.without_triton:
            asyncio.run(triton_under_callers(manifest, bare, options))


def one_caller(manifest: Manifest, options: argparse.Namespace) -> None:
    """Print the first table."""
    net = net_of(manifest, options.run)
    graphs = [("fp32", fp32_graph(net, manifest.input_size))]
    if manifest.precision != "fp32":
        graphs.append((manifest.precision, published_graph(options.repository, manifest)))
    contenders = [
        each
        for each in pytorch(net, manifest.input_size)
        if not (options.without_compiled and "compiled" in each[0])
    ]
    for precision, graph in graphs:
        contenders += onnxruntime_of(graph, precision)
    print("contender                  | Grad-CAM | batch | ms/picture | pictures/s | ratio")
    for batch in options.batch or (1, 8, 32):
        images = pictures(batch, manifest.input_size)
        turns: dict[str, Callable[[], int]] = {}
        for name, with_maps, run in contenders:
            key = f"{name:26} | {'yes' if with_maps else 'no':8}"
            try:
                run(images)
            except Exception as error:  # noqa: BLE001 - such as no C++ compiler for torch.compile
                print(f"{key} | {batch:5} | not here: {str(error).splitlines()[0][:60]}")
                continue
            turns[key] = answering(run, images)
        rates = measure(turns, options.seconds, options.rounds)
        base = rates[f"{BASE:26} | {'yes':8}"]
        for key, rate in rates.items():
            print(
                f"{key} | {batch:5} | {rate.ms_a_picture:10.2f} | {rate.median:10.1f} | "
                f"{rate.median / base.median:5.2f}",
                flush=True,
            )


def best_bare_session(manifest: Manifest, options: argparse.Namespace) -> Callable[[], int]:
    """Print how fast bare sessions are; return a turn of the fastest."""
    turns = dict(bare_sessions(manifest, options.repository))
    for turn in turns.values():
        turn()
    rates = measure(turns, options.seconds, options.rounds)
    fastest = max(rates, key=lambda name: rates[name].median)
    print("bare session                                          | pictures/s")
    for name, rate in rates.items():
        print(f"{name:53} | {rate.median:10.1f}{', the best' if name == fastest else ''}")
    return turns[fastest]


def engine_under_callers(
    manifest: Manifest, bare: Callable[[], int], options: argparse.Namespace
) -> None:
    """Print the second table."""
    images = pictures(1, manifest.input_size)
    with asyncio.Runner() as runner:
        engine = EmbeddedEngine(options.repository, graphs="hot", sharing=Sharing())
        runner.run(engine.start())

        def callers(count: int) -> Callable[[], int]:
            async def ask() -> None:
                await engine.infer(
                    manifest.name, manifest.version, images, OUTPUTS, Deadline.after(60)
                )

            async def each() -> None:
                for _ in range(CALLS):
                    await ask()

            async def every() -> int:
                await asyncio.gather(*(each() for _ in range(count)))
                return CALLS * count

            return lambda: runner.run(every())

        turns = {f"embedded engine, {n} callers": callers(n) for n in EMBEDDED_CALLERS}
        for turn in turns.values():
            turn()
        rates = measure({"bare": bare, **turns}, options.seconds, ENGINE_TURNS * options.rounds)
        runner.run(engine.close())
    best = rates["bare"].median
    print(f"who answers, one picture a call | pictures/s | of {best:.1f}")
    for name in turns:
        print(f"{name:31} | {rates[name].median:10.1f} | {rates[name].median / best:.2f}")


def bare_sessions(manifest: Manifest, repository: Path) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield sessions as one would open them oneself, by how they are threaded and asked."""
    model = read_graph(repository, manifest, manifest.name)
    cores = usable_processors()
    ways = {
        "as it comes": None,
        "1 stream": Threads(1, cores),
        "a stream a core": Threads(cores, 1),
    }
    for way, threads in ways.items():
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads.each
        chosen = choose_providers(usable_providers(), manifest.precision, threads)
        session = ort.InferenceSession(model, options, providers=chosen)
        provider = SHORT[session.get_providers()[0]]

        def run(images: NDArray[np.uint8], session: Any = session) -> object:
            return session.run(OUTPUTS, {"image": images})

        for count, batch in ((1, 1), (1, 8), (cores, 1), (cores, 8)):
            turn = answering(run, pictures(batch, manifest.input_size))
            name = f"bare {provider}, {way}, {count} threads, batch {batch}"
            yield name, turn if count == 1 else in_threads(turn, count, CALLS // batch + 1)


async def triton_under_callers(
    manifest: Manifest, bare: Callable[[], int], options: argparse.Namespace
) -> None:
    """Print the third table; between Triton's turns the bare session has its own."""
    setting = setting_of(read_graph_config(options.repository, manifest.name))
    try:
        environment = prepare(print, environments_cache())
        client = choose_client(environment, environments_cache(), print)
        rounds: dict[int, list[tuple[float, float]]] = {callers: [] for callers in TRITON_CALLERS}
        bare_rates: list[float] = []
        model = manifest.name, manifest.version
        async with serving(environment, options.repository, *model, setting) as address:
            for _ in range(TRITON_ROUNDS):
                for callers, loads in rounds.items():
                    bare_rates.append(measure({"bare": bare}, options.seconds, 1)["bare"].median)
                    load = await client.measure(address, model[0], callers, options.seconds)
                    loads.append((load.pictures_per_s, load.p99_ms))
    except PawsightError as error:
        print(f"not here: {error}")
        return
    best = float(np.median(bare_rates))
    print(f"Triton, {setting}; load: {client.name} | pictures/s | of {best:.1f} | p99 ms")
    for callers, loads in rounds.items():
        rate, p99_ms = np.median(loads, axis=0)
        print(f"{callers:2} callers | {rate:10.1f} | {rate / best:.2f} | {p99_ms:.1f}", flush=True)


def answering(run: Callable[[NDArray[np.uint8]], object], images: NDArray[np.uint8]) -> Any:
    """Return a contender that answers for these pictures."""

    def call() -> int:
        run(images)
        return len(images)

    return call


def pictures(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return noise, uint8 [N, H, W, 3]."""
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)


def processor() -> str:
    """Return what the processor is and which int8 instructions it has."""
    text = Path("/proc/cpuinfo").read_text()
    facts = dict(line.split("\t: ", 1) for line in text.splitlines() if "\t: " in line)
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    has = [name for name in ("amx_int8", "avx512_vnni", "avx_vnni") if name in flags]
    model = next((v for k, v in facts.items() if k.strip() == "model name"), "unknown processor")
    instructions = ", ".join(has) or "neither AMX nor VNNI: int8 gains little here"
    return f"{model}, {usable_processors()} usable processors; {instructions}"


if __name__ == "__main__":
    main()
