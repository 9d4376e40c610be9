"""The gateway's process, put together."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click
import uvloop
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from pawsight_proto.v1.pawsight_pb2_grpc import add_PawsightServicer_to_server
from pawsight_serving.admission import Admission
from pawsight_serving.api_keys import ApiKeys
from pawsight_serving.catalogue import newest
from pawsight_serving.decoding import Decoder
from pawsight_serving.engines.selection import open_engine
from pawsight_serving.gateway.audit import Audit
from pawsight_serving.gateway.child_process import EXPLAINER_COMMAND, ChildProcess
from pawsight_serving.gateway.core import Gateway
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.gateway.fleet import serve_fleet
from pawsight_serving.gateway.grpc.open_inference import SERVICE as OIP_SERVICE
from pawsight_serving.gateway.grpc.open_inference import OpenInferenceServicer
from pawsight_serving.gateway.grpc.servicer import SERVICE, PawsightServicer
from pawsight_serving.gateway.http.app import create_app
from pawsight_serving.gateway.http.connections import ConnectionLimits
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.gateway.metrics import Metrics
from pawsight_serving.gateway.open_inference.core import OpenInference
from pawsight_serving.gateway.open_inference.statistics import CountingEngine, Statistics
from pawsight_serving.gateway.own_explanations import OwnExplanations
from pawsight_serving.logs import start_logging
from pawsight_serving.memory import giving_back_after_crowds, keep_one_heap
from pawsight_serving.observation import Observer
from pawsight_serving.process import stop_signal
from pawsight_serving.readiness import Readiness
from pawsight_serving.request_log import RequestLog
from pawsight_serving.rpc.call_limits import CallLimits
from pawsight_serving.rpc.server import RpcServer, ServerOptions
from pawsight_serving.tls import Tls
from pawsight_serving.tracing import Tracing
from pawsight_serving.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.settings import GatewaySettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that takes requests: where, and what it serves."""

    http: Address
    grpc: Address
    models: tuple[str, ...]
    sidecar: ChildProcess | None

    def __str__(self) -> str:
        return (
            f"Pawsight serves {', '.join(self.models)} on http://{self.http} and grpc://{self.grpc}"
        )


def run(settings: GatewaySettings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start.
    """
    keep_one_heap()
    start_logging(settings.log_format)
    if settings.workers > 1:
        uvloop.run(serve_fleet(settings, stop_signal, click.echo))
    else:
        uvloop.run(serve(settings, engine_of(settings), stop_signal, click.echo))


def engine_of(settings: GatewaySettings) -> Engine:
    """Return the engine that the settings name; it is not started yet."""
    triton = settings.triton and str(settings.triton)
    return open_engine(settings.repository_or_default, triton, graphs="hot", settings=settings)


def tls_of(settings: GatewaySettings) -> Tls | None:
    """Return the certificate that the settings name; None where they name none."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


async def serve(
    settings: GatewaySettings,
    engine: Engine,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[Running], None],
    explainer_command: Sequence[str] = EXPLAINER_COMMAND,
    *,
    shared_port: bool = False,
) -> None:
    """Serve until `stop` returns, then finish what is under way.

    Args:
        settings: the gateway's.
        engine: is started and closed here.
        stop: returns when it is time to end.
        started: is called once requests are taken.
        explainer_command: what runs as the sidecar, where the settings name no explainer.
        shared_port: whether other processes serve on the same ports.
    """
    keys = None if settings.api_keys is None else ApiKeys.read(settings.api_keys)
    tls = tls_of(settings)
    decoders = Workers(settings.decode_threads, "decode")
    explainer = ExplainerClient()
    sidecar = None
    if settings.explainer is None:
        sidecar = ChildProcess(settings.for_sidecar(), explainer, explainer_command)
    readiness = Readiness(engine, settings)
    metrics = Metrics()
    closing: list[Audit | Tracing] = []
    if settings.audit is not None:
        closing.append(Audit(settings.audit, settings.audit_max_bytes))
    if settings.trace_endpoint is not None:
        closing.append(Tracing.to("pawsight", settings.trace_endpoint))
    observer = Observer(metrics, *closing, RequestLog())
    statistics = Statistics()
    counting = CountingEngine(engine, statistics)
    decoder = Decoder(decoders, settings)
    admission = Admission(settings.max_in_flight, settings.max_in_flight_bytes)
    explain_admission = Admission(settings.max_explanations_in_flight, settings.max_in_flight_bytes)
    gateway = Gateway(
        counting,
        explainer,
        decoder,
        admission,
        explain_admission,
        readiness,
        observer,
        default_model=settings.default_model,
        own_explanations=OwnExplanations(counting, decoder, decoders, admission, explain_admission),
        repository=settings.repository_or_default,
    )
    inference = OpenInference(
        counting,
        explainer,
        decoder,
        admission,
        explain_admission,
        readiness,
        observer,
        statistics,
        settings,
    )
    servicer = PawsightServicer(
        gateway,
        readiness,
        observer,
        settings.timeout_s,
        stream_pictures_at_once=settings.stream_pictures_at_once,
    )
    oip_servicer = OpenInferenceServicer(
        inference,
        observer,
        settings.timeout_s,
        stream_requests_at_once=settings.stream_pictures_at_once,
    )
    rpc = RpcServer(
        {
            SERVICE: partial(add_PawsightServicer_to_server, servicer),
            OIP_SERVICE: partial(add_GRPCInferenceServiceServicer_to_server, oip_servicer),
        },
        settings.max_request_bytes,
        ServerOptions(
            tls,
            keys,
            CallLimits.of(settings),
            settings.max_header_bytes,
            settings.header_timeout_s,
            observer,
        ),
    )
    app = create_app(gateway, inference, readiness, metrics, observer, settings, keys)
    http = HttpServer(app, settings.shutdown_grace_s, ConnectionLimits.of(settings), tls, observer)
    try:
        if sidecar is not None:
            sidecar.start()
        await engine.start()
        http_address = await http.start(settings.http, shared=shared_port)
        rpc_address = await rpc.start(settings.grpc, shared=shared_port)
        if settings.explainer is not None:
            await explainer.connect(settings.explainer)
        elif sidecar is not None and not await sidecar.wait_reachable(settings.explainer_start_s):
            logger.warning("serving without explanations until the explainer has started")
        await readiness.start(rpc.set_ready, metrics.saw_readiness)
        models = tuple(newest(engine.manifests()))
        started(Running(http_address, rpc_address, models, sidecar))
        async with giving_back_after_crowds(
            lambda: min(admission.idle_s(), explain_admission.idle_s())
        ):
            await stop()
    finally:
        await readiness.stop()
        await asyncio.gather(http.stop(), rpc.stop(settings.shutdown_grace_s))
        if sidecar is not None:
            await sidecar.stop(settings.shutdown_grace_s)
        await explainer.disconnect()
        await engine.close()
        decoders.close()
        for listener in closing:
            await asyncio.to_thread(listener.close)
