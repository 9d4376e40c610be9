"""Puts the parts of the explainer's process together, and runs it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import uvloop

from pawsight_proto.v1.pawsight_pb2_grpc import add_ExplainerServicer_to_server
from pawsight_serving.addresses import check_free
from pawsight_serving.engines.listing import check_servable
from pawsight_serving.engines.selection import open_engine
from pawsight_serving.explainer.core import Explainer
from pawsight_serving.explainer.metrics import ExplainerMetrics
from pawsight_serving.explainer.queueing import Queue
from pawsight_serving.explainer.servicer import SERVICE, ExplainerServicer
from pawsight_serving.explanations.rendering.colormap import load_colormaps
from pawsight_serving.observability.logs import start_logging
from pawsight_serving.observability.observation import Observer
from pawsight_serving.observability.request_log import RequestLog
from pawsight_serving.observability.tracing import Tracing
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.process.ending import end_in_order
from pawsight_serving.process.memory import giving_back_after_crowds, keep_one_heap
from pawsight_serving.process.signals import stop_signal
from pawsight_serving.process.stopping import hearing, unless_stopped
from pawsight_serving.readiness import Readiness
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.rpc.server import RpcServer
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.settings import ExplainerSettings

_NAME: Final = "pawsight-explainer"
"""What logs and traces call this process."""


def run(settings: ExplainerSettings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Args:
        settings: the explainer's.
        say: is given a sentence with the address, once calls are taken.

    Raises:
        AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start.
    """
    keep_one_heap()
    start_logging(settings.log_format)
    check_free(settings.grpc)
    if (repository := settings.repository_or_default) is not None:
        check_servable(repository, without_broken=True)

    def started(address: Address) -> None:
        say(f"The explainer takes calls on grpc://{address}")

    uvloop.run(serve(settings, engine_of(settings), stop_signal, started))


def engine_of(settings: ExplainerSettings) -> Engine:
    """Return the engine that the settings name; it is not started yet."""
    triton = settings.triton and str(settings.triton)
    return open_engine(settings.repository_or_default, triton, settings=settings)


async def serve(
    settings: ExplainerSettings,
    engine: Engine,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[Address], None],
    *,
    shared_port: bool = False,
) -> None:
    """Serve until `stop` returns, then finish what is under way; a start is broken off by it.

    Args:
        settings: the explainer's.
        engine: is started and closed here.
        stop: returns when it is time to end.
        started: is called with the address, once calls are taken.
        shared_port: whether another process holds the port for this one.
    """
    decoders = ThreadPool(settings.decode_threads, "decode")
    render_threads = ThreadPool(settings.render_threads, "render")
    readiness = Readiness(engine, settings)
    metrics = ExplainerMetrics()
    admission = Admission(
        settings.max_explanations_in_flight, ByteBudget(settings.max_in_flight_bytes)
    )
    metrics.watch(admission)
    explainer = Explainer(
        engine,
        Decoder(decoders, settings),
        render_threads,
        Queue(admission, settings.explanations_at_once, settings.max_explanation_bytes),
        readiness,
        metrics,
        default_model=settings.default_model,
        max_overlay_side=settings.max_overlay_side,
    )
    tracing: list[Tracing] = []
    if settings.trace_endpoint is not None:
        tracing.append(Tracing.to(_NAME, settings.trace_endpoint))
    observer = Observer(*tracing, metrics, RequestLog(_NAME))
    servicer = ExplainerServicer(explainer, settings.timeout_s, observer)
    server = RpcServer(
        {SERVICE: partial(add_ExplainerServicer_to_server, servicer)}, settings.max_request_bytes
    )

    def saw_readiness(models: Mapping[str, bool], *, ready: bool) -> None:  # noqa: ARG001
        server.set_models_ready(models)
        metrics.saw_readiness(models)

    async def start() -> Address:
        await engine.start()
        address = await server.start(settings.grpc, shared=shared_port)
        await readiness.start(server.set_ready, saw_readiness)
        return address

    async with hearing(stop) as stopping:
        try:
            if (address := await unless_stopped(start(), stopping)) is None:
                return
            started(address)
            # No start waits for them; a drawing does that comes at once.
            colormaps = asyncio.create_task(asyncio.to_thread(load_colormaps))
            async with giving_back_after_crowds(admission.idle_s):
                await stopping
            await colormaps
        finally:
            await end_in_order(
                readiness.stop,
                partial(server.stop, settings.shutdown_grace_s),
                engine.close,
                partial(asyncio.to_thread, render_threads.close),
                partial(asyncio.to_thread, decoders.close),
                *(partial(asyncio.to_thread, each.close) for each in tracing),
            )
