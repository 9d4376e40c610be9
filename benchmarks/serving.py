"""How much of the machine the gateway leaves to the model: a share of what a bare loop does.

    python -m benchmarks.serving [--model cats_dogs_vgg16] [--picture cat.jpg] [--seconds 10]

The bare loop is two threads that decode the same JPEG and run the same graph, as a program would
that needs no server. It is measured before and after each server's figure, in the same run on the
same cores, and the share is that of the two neighbours' mean. The load generator is a process of
its own on the same cores. `added p50` is the gateway's p50 for one caller less the bare p50 of one
thread, which is measured before and after it too.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from benchmarks.load import quantile_ms
from benchmarks.served import draw, gateway, load
from pawsight_serving.engines.usable_providers import usable_providers
from pawsight_serving.execution_providers import choose_providers
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.process.processors import usable_processors
from pawsight_serving.repository.directory import published_versions, read_graph, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.served import Gateway

THREADS = 2
ROUND_SHARE = 0.3
HEAD = "protocol | callers |  per s | share | p50 ms | p99 ms | refused/s | p99 ms | MiB"


def main() -> None:
    """Print one row a protocol and number of callers."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--picture", type=Path, help="a JPEG; one of 41 KB is drawn otherwise")
    arguments.add_argument("--callers", type=int, nargs="+", default=[1, 8, 32, 256])
    arguments.add_argument("--seconds", type=float, default=10, help="a figure")
    arguments.add_argument("--protocols", nargs="+", default=["grpc", "http"])
    arguments.add_argument("--timeout", type=float, default=10, help="seconds that a caller waits")
    arguments.add_argument("--options", default="", help="more options of `pawsight serve`")
    options = arguments.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        picture = options.picture or draw(Path(folder) / "drawn.jpg")
        data = picture.read_bytes()
        bare = Bare(options.repository, options.model, data)
        bare.run(THREADS, options.seconds * ROUND_SHARE)
        with gateway("--repository", str(options.repository), *options.options.split()) as served:
            print(f"{options.model}, {len(data)} bytes of JPEG")
            print(HEAD)
            for protocol in options.protocols:
                for callers in options.callers:
                    before = neighbour(bare, callers, options.seconds * ROUND_SHARE)
                    seen = load(
                        served,
                        protocol,
                        picture,
                        options.model,
                        callers=callers,
                        seconds=options.seconds,
                        timeout=options.timeout,
                    )
                    after = neighbour(bare, callers, options.seconds * ROUND_SHARE)
                    rate, alone_ms = (sum(both) / 2 for both in zip(before, after, strict=True))
                    row(protocol, callers, seen, rate, alone_ms, served)


def neighbour(bare: Bare, callers: int, seconds: float) -> tuple[float, float]:
    """Return the bare loop's rate, and for a lone caller the p50 of one thread, or else 0."""
    rate, _ = bare.run(THREADS, seconds)
    return rate, bare.run(1, seconds)[1] if callers == 1 else 0.0


def row(
    protocol: str, callers: int, seen: dict[str, Any], rate: float, alone_ms: float, served: Gateway
) -> None:
    """Print one row; see `neighbour`."""
    added = f", added p50 {seen['p50_ms'] - alone_ms:.2f} ms" if callers == 1 else ""
    print(
        f"{protocol:8} | {callers:7} | {seen['per_s']:6.1f} | {seen['per_s'] / rate:5.2f} "
        f"| {seen['p50_ms']:6.1f} | {seen['p99_ms']:6.1f} | {seen['refused_per_s']:9.1f} "
        f"| {seen['refused_p99_ms']:6.1f} | {served.memory_mib():3.0f}{added}",
        flush=True,
    )


class Bare:
    """Decodes and infers, with nothing around it."""

    def __init__(self, repository: Path, model: str, picture: bytes) -> None:
        manifest = read_manifest(repository, model, published_versions(repository, model)[-1])
        providers = choose_providers(usable_providers(), manifest.precision)
        graph = read_graph(repository, manifest, model)
        options = ort.SessionOptions()
        # Without a number ONNX Runtime binds threads to all cores, also to those that are not ours.
        options.intra_op_num_threads = usable_processors()
        self._session = ort.InferenceSession(graph, options, providers=providers)
        self._size = manifest.input_size
        self._picture = picture

    def predict(self, picture: bytes) -> None:
        """Decode a picture and run the graph on it."""
        image = decode_picture(picture, self._size)
        self._session.run(["probabilities"], {"image": image[None]})

    def run(self, threads: int, seconds: float) -> tuple[float, float]:
        """Return pictures a second, and the p50 of one in milliseconds."""
        times: list[float] = []
        ends_s = time.perf_counter() + seconds

        def loop() -> None:
            while (started_s := time.perf_counter()) < ends_s:
                self.predict(self._picture)
                times.append(time.perf_counter() - started_s)

        running: Sequence[threading.Thread] = [
            threading.Thread(target=loop) for _ in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return len(times) / seconds, quantile_ms(times, 0.5)


if __name__ == "__main__":
    main()
