"""What a request costs the gateway beside the model: processor time by part, in microseconds.

    python -m benchmarks.request_cost [--picture cat.jpg] [--calls 2000]

Each part is called alone, again and again, and its processor time is divided by the calls; that is
steadier than wall time on a machine that does other things. The servers' own parts, gRPC and HTTP,
are those of servers with nothing behind them, asked by a load generator of its own process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import uvloop
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from benchmarks.served import draw
from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import (
    PawsightServicer,
    add_PawsightServicer_to_server,
)
from pawsight_serving.addresses import Address
from pawsight_serving.errors import PawsightError
from pawsight_serving.gateway.core import Gateway
from pawsight_serving.gateway.grpc.servicer import SERVICE
from pawsight_serving.gateway.grpc.servicer import PawsightServicer as GatewayServicer
from pawsight_serving.gateway.http.answers import Json, predict_answer
from pawsight_serving.gateway.http.errors import on_error
from pawsight_serving.gateway.http.inference import InferenceEndpoints
from pawsight_serving.gateway.http.request_middleware import RequestMiddleware
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.gateway.metrics import Metrics
from pawsight_serving.gateway.resources import Resources
from pawsight_serving.messages.predictions import predict_response
from pawsight_serving.observability.observation import Observer, stage
from pawsight_serving.observability.request_log import RequestLog
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.predictions import Prediction, Predictions
from pawsight_serving.repository.directory import read_manifests
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.rpc.server import RpcServer
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray
    from starlette.requests import Request

    from pawsight_serving.repository.manifest import Manifest


SIZE = (150, 150)
CALLERS = 8
SECONDS = 5.0
ANSWER = Predictions(
    "cats_dogs", "1", f"sha256:{'a' * 64}", [Prediction("cat", 0.9, {"cat": 0.9, "dog": 0.1})]
)


class Bare(PawsightServicer):
    """Answers at once with the same."""

    async def Predict(self, request: Any, context: Any) -> pb.PredictResponse:  # noqa: ARG002, N802
        """Return an answer."""
        return predict_response(ANSWER, "id")


class Instant:
    """An engine and a readiness that cost nothing."""

    prepares = True

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._answer = {"probabilities": np.array([[0.9, 0.1]], np.float32)}

    def manifests(self) -> list[Manifest]:
        """Return the one."""
        return [self._manifest]

    def faults(self) -> dict[str, PawsightError]:
        """Return none."""
        return {}

    def check_reachable(self) -> None:
        """Return, as an engine in this process does."""

    async def infer(self, *_: object) -> dict[str, NDArray[np.float32]]:
        """Return the same as always."""
        return self._answer

    def record_success(self, name: str) -> None:
        """Hear of an answer."""


class Context:
    """A call without a connection."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every client sends."""
        return (("user-agent", "benchmark"),)

    def time_remaining(self) -> float:
        """Return seconds."""
        return 10.0

    def set_trailing_metadata(self, metadata: object) -> None:
        """Send nothing."""


def gateway_alone(repository: Path, observer: Observer, places: int = 64) -> Gateway:
    """Return the gateway's core over an engine that answers at once; without places it refuses."""
    manifest = read_manifests(repository)[-1]
    settings = GatewaySettings()
    instant: Any = Instant(manifest)
    resources = Resources(
        instant,
        Decoder(ThreadPool(1, "unused"), settings),
        Admission(places),
        Admission(places),
        instant,
        observer,
    )
    return Gateway(resources, instant, default_model=manifest.name)


def servicer_of(core: Gateway, observer: Observer) -> GatewayServicer:
    """Return the gateway's own servicer."""
    readiness: Any = None
    return GatewayServicer(core, readiness, observer, 10.0)


def main() -> None:
    """Print one line a part."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--picture", type=Path, help="a JPEG; one is drawn otherwise")
    arguments.add_argument("--calls", type=int, default=2000)
    options = arguments.parse_args()
    # The log's lines are made and written, to where nobody reads them.
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        logging.basicConfig(level=logging.INFO, stream=log)
        picture = options.picture or draw(Path(folder) / "drawn.jpg")
        uvloop.run(measure(picture, picture.read_bytes(), options.calls))


async def measure(picture: Path, data: bytes, calls: int) -> None:
    """Measure every part."""
    workers = ThreadPool(2, "benchmark")
    deadline = Deadline.after(3600)

    async def hand_over() -> None:
        await workers.run(int, deadline)

    observer = Observer(Metrics(), RequestLog("pawsight"))

    async def observe() -> None:
        with observer.request("grpc", "predict", "id"):
            with stage("decode"), stage("inference"):
                pass
            observer.predicted(ANSWER)

    async def enforce() -> None:
        async with deadline.enforced():
            pass

    async def respond() -> None:
        predict_response(ANSWER, "id").SerializeToString()

    async def respond_json() -> None:
        Json(predict_answer(ANSWER, "id"))

    async def decode() -> None:
        decode_picture(data, SIZE)

    repository = Path("model_repository")
    servicer: Any = servicer_of(gateway_alone(repository, observer), observer)
    full = gateway_alone(repository, observer, places=0)
    request, context = pb.PredictRequest(images=[data]), Context()

    async def handle() -> None:
        await servicer.Predict(request, context)

    async def stack() -> None:
        np.stack([np.zeros((*SIZE, 3), np.uint8)])

    bare: Any = Bare()  # type: ignore[abstract]
    print(f"JPEG to {SIZE[0]}x{SIZE[1]} pixels: {await cost(decode, calls // 4):6.0f} µs")
    print(f"a hand-over to a thread: {await cost(hand_over, calls):6.0f} µs")
    print(f"metrics and log:         {await cost(observe, calls):6.0f} µs")
    print(f"a deadline:              {await cost(enforce, calls):6.0f} µs")
    print(f"an answer's message:     {await cost(respond, calls):6.0f} µs")
    print(f"an answer's JSON:        {await cost(respond_json, calls):6.0f} µs")
    print(f"a batch of one, copied:  {await cost(stack, calls):6.0f} µs")
    print(f"all of ours, over gRPC:  {await cost(handle, calls):6.0f} µs")
    print(f"gRPC by grpc.aio:        {await grpc_cost(picture, bare):6.0f} µs")
    print(f"HTTP by uvicorn:         {await http_cost(picture, bare_app()):6.0f} µs")
    refusing: Any = servicer_of(full, observer)
    print(f"a refusal over gRPC:     {await grpc_cost(picture, refusing):6.0f} µs")
    print(f"a refusal over HTTP:     {await http_cost(picture, app_of(full, observer)):6.0f} µs")
    workers.close()


async def cost(call: Callable[[], Awaitable[None]], calls: int) -> float:
    """Return the processor time of one call in microseconds."""
    for _ in range(calls // 10):
        await call()
    started_s = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - started_s) / calls * 1e6


async def grpc_cost(picture: Path, servicer: Any) -> float:
    """Return what a call costs a gRPC server with this behind it."""
    server = RpcServer({SERVICE: partial(add_PawsightServicer_to_server, servicer)}, 1 << 26)
    address = await server.start(Address("127.0.0.1", 0))
    try:
        return await asked(f"grpc://{address}", picture)
    finally:
        await server.stop(0)


def bare_app() -> Starlette:
    """Return an application with nothing in it but a body's reading."""

    async def answer(request: Request) -> Json:
        await request.body()
        return Json(predict_answer(ANSWER, "id"))

    return Starlette(routes=[Route("/v1/models/{name}:predict", answer, methods=["POST"])])


def app_of(core: Gateway, observer: Observer) -> Starlette:
    """Return the gateway's own route to its predictions."""
    predict = InferenceEndpoints(core, GatewaySettings()).predict
    return Starlette(
        routes=[Route("/v1/models/{name}:predict", predict, methods=["POST"])],
        middleware=[Middleware(RequestMiddleware, observer=observer)],
        exception_handlers={PawsightError: on_error},
    )


async def http_cost(picture: Path, app: Starlette) -> float:
    """Return what a request costs an HTTP server with this behind it."""
    server = HttpServer(app, grace_s=1)
    address = await server.start(Address("127.0.0.1", 0))
    try:
        return await asked(f"http://{address}", picture)
    finally:
        await server.stop()


async def asked(url: str, picture: Path) -> float:
    """Return this process's time a request, in microseconds, while it is asked."""
    before_s = used_s()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load", url, "--model", "x", "--picture", str(picture)),
        *("--callers", str(CALLERS), "--seconds", str(SECONDS), "--warm-up", "0", "--pause", "0"),
        stdout=subprocess.PIPE,
    )
    said, _ = await process.communicate()
    requests: int = sum(json.loads(said)["codes"].values())
    return (used_s() - before_s) / requests * 1e6


def used_s() -> float:
    """Return the processor time that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
