"""Puts the parts of one gateway together, and starts and ends them in order."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from pawsight_proto.v1.pawsight_pb2_grpc import add_PawsightServicer_to_server
from pawsight_serving.errors import ConfigurationInvalid, EngineUnavailable
from pawsight_serving.gateway.audit import Audit
from pawsight_serving.gateway.core import Gateway
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.gateway.grpc.open_inference import SERVICE as OIP_SERVICE
from pawsight_serving.gateway.grpc.open_inference import OpenInferenceServicer
from pawsight_serving.gateway.grpc.servicer import SERVICE, PawsightServicer
from pawsight_serving.gateway.http.app import create_app
from pawsight_serving.gateway.http.connections import ConnectionLimits
from pawsight_serving.gateway.http.server import HttpServer
from pawsight_serving.gateway.inline_explanations import InlineExplanations
from pawsight_serving.gateway.key_file import KeyFile
from pawsight_serving.gateway.metrics import Metrics
from pawsight_serving.gateway.open_inference.core import OpenInference
from pawsight_serving.gateway.open_inference.counting_engine import CountingEngine
from pawsight_serving.gateway.open_inference.statistics import Statistics
from pawsight_serving.gateway.resources import Resources
from pawsight_serving.observability.observation import Observer
from pawsight_serving.observability.request_log import RequestLog
from pawsight_serving.observability.tracing import Tracing
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.process.ending import end_in_order
from pawsight_serving.readiness import Readiness
from pawsight_serving.repository.catalogue import newest
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.rpc.call_limits import CallLimits
from pawsight_serving.rpc.server import RpcServer, ServerOptions
from pawsight_serving.security.tls import Tls
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.gateway.child_process import ChildProcess
    from pawsight_serving.security.api_keys import ApiKeys

logger = logging.getLogger(__name__)


class Assembly:
    """Everything that one gateway is made of.

    Args:
        settings: the gateway's.
        engine: is started and closed here.
        sidecar: the process of the explainer, where the settings name none.

    Raises:
        ConfigurationInvalid: the file of API keys or the certificate cannot be used.
    """

    def __init__(
        self, settings: GatewaySettings, engine: Engine, sidecar: ChildProcess | None
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._key_file = None if settings.api_keys is None else KeyFile(settings.api_keys)
        keys = None if self._key_file is None else self._key_file.keys
        tls = _tls_of(settings)
        self._decoders = ThreadPool(settings.decode_threads, "decode")
        self._explainer = ExplainerClient()
        self._sidecar = sidecar
        self._metrics = Metrics()
        self._listeners = _listeners_of(settings, self._metrics)
        statistics = Statistics.of_this_gateway()
        bytes_held = ByteBudget(settings.max_in_flight_bytes)
        self._resources = Resources(
            CountingEngine(engine, statistics),
            Decoder(self._decoders, settings),
            Admission(settings.max_in_flight, bytes_held),
            Admission(settings.max_explanations_in_flight, bytes_held),
            Readiness(engine, settings),
            Observer(self._metrics, *self._listeners, RequestLog("pawsight")),
        )
        gateway = Gateway(
            self._resources,
            self._explainer,
            default_model=settings.default_model,
            inline_explanations=InlineExplanations(self._resources, self._decoders),
            repository=settings.repository_or_default,
        )
        inference = OpenInference(self._resources, self._explainer, statistics, settings)
        self._rpc = self._rpc_server(gateway, inference, keys, tls)
        observer = self._resources.observer
        app = create_app(
            gateway, inference, self._resources.readiness, self._metrics, observer, settings, keys
        )
        self._http = HttpServer(
            app, settings.shutdown_grace_s, ConnectionLimits.of(settings), tls, observer
        )

    async def start(self, *, shared_port: bool, without_broken: bool) -> tuple[Address, Address]:
        """Start everything, and return where HTTP and where gRPC is served.

        Args:
            shared_port: whether other processes serve on the same ports.
            without_broken: whether the other models do where one is broken.

        Raises:
            AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start.
            ConfigurationInvalid: the default model is not in the repository.
        """
        settings = self._settings
        if self._key_file is not None:
            self._key_file.start()
        if self._sidecar is not None:
            self._sidecar.start(self._explainer)
        await self._engine.start()
        for fault in self._engine.faults().values():
            if not without_broken:
                raise fault
        self._check_default_model()
        http = await self._http.start(settings.http, shared=shared_port)
        rpc = await self._rpc.start(settings.grpc, shared=shared_port)
        if settings.explainer is not None:
            await self._explainer.connect(settings.explainer)
        elif self._sidecar is not None and not await self._sidecar.wait_reachable(
            settings.explainer_start_s
        ):
            logger.warning("serving without explanations until the explainer has started")
        await self._resources.readiness.start(self._rpc.set_ready, self._metrics.saw_readiness)
        return http, rpc

    def models(self) -> tuple[str, ...]:
        """Return the models that are served; none where the engine has not been reached yet."""
        try:
            return tuple(newest(self._engine.manifests()))
        except EngineUnavailable:
            return ()

    def broken(self) -> tuple[str, ...]:
        """Return what is wrong with models of the repository that are not served."""
        return tuple(str(fault) for fault in self._engine.faults().values())

    def idle_s(self) -> float:
        """Return the seconds since the last request was served; 0 while one is."""
        resources = self._resources
        return min(resources.admission.idle_s(), resources.explain_admission.idle_s())

    async def stop(self) -> None:
        """Turn readiness red, stop accepting, finish what is under way, then end every part.

        Each wait has a bound, and a part that fails to end keeps no other from ending.
        """
        await end_in_order(
            self._resources.readiness.stop,
            self._stop_servers,
            self._stop_sidecar,
            self._explainer.disconnect,
            self._engine.close,
            *([] if self._key_file is None else [self._key_file.stop]),
            partial(asyncio.to_thread, self._decoders.close),
            *(partial(asyncio.to_thread, each.close) for each in self._listeners),
        )

    def _check_default_model(self) -> None:
        """Find a mistyped name now, and not when the first request leaves out the model."""
        name, models = self._settings.default_model, self.models()
        # A repository of other models needs none of the name that nobody set.
        unset = GatewaySettings.model_fields["default_model"].default
        if not models or name in {*models, *self._engine.faults(), unset}:
            return
        sentence = (
            f"The default model {name!r} is not served here; set --default-model to one of: "
            f"{', '.join(models)}."
        )
        if self._settings.triton is None:
            raise ConfigurationInvalid(sentence)
        # Triton may load it later.
        logger.warning("%s", sentence)

    async def _stop_servers(self) -> None:
        # Side by side, as both have the same grace; each to its end, whatever the other does.
        await asyncio.gather(
            end_in_order(self._http.stop),
            end_in_order(partial(self._rpc.stop, self._settings.shutdown_grace_s)),
        )

    async def _stop_sidecar(self) -> None:
        if self._sidecar is not None:
            await self._sidecar.stop(self._settings.shutdown_grace_s)

    def _rpc_server(
        self, gateway: Gateway, inference: OpenInference, keys: ApiKeys | None, tls: Tls | None
    ) -> RpcServer:
        settings, observer = self._settings, self._resources.observer
        own = PawsightServicer(
            gateway,
            self._resources.readiness,
            observer,
            settings.timeout_s,
            stream_pictures_at_once=settings.stream_pictures_at_once,
        )
        oip = OpenInferenceServicer(
            inference,
            observer,
            settings.timeout_s,
            stream_requests_at_once=settings.stream_pictures_at_once,
        )
        return RpcServer(
            {
                SERVICE: partial(add_PawsightServicer_to_server, own),
                OIP_SERVICE: partial(add_GRPCInferenceServiceServicer_to_server, oip),
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


def _tls_of(settings: GatewaySettings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def _listeners_of(settings: GatewaySettings, metrics: Metrics) -> list[Audit | Tracing]:
    """Return the listeners that hold a file or a connection, and must be closed."""
    listeners: list[Audit | Tracing] = []
    if settings.audit is not None:
        listeners.append(Audit(settings.audit, settings.audit_max_bytes, metrics.missed_in_audit))
    if settings.trace_endpoint is not None:
        listeners.append(Tracing.to("pawsight", settings.trace_endpoint))
    return listeners
