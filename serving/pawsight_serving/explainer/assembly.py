"""Puts the parts of one explainer together, and starts and ends them in order."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from pawsight_proto.v1.pawsight_pb2_grpc import add_ExplainerServicer_to_server
from pawsight_serving.explainer.core import Explainer
from pawsight_serving.explainer.metrics import ExplainerMetrics
from pawsight_serving.explainer.queueing import Queue
from pawsight_serving.explainer.servicer import SERVICE, ExplainerServicer
from pawsight_serving.observability.observation import Observer
from pawsight_serving.observability.request_log import RequestLog
from pawsight_serving.observability.tracing import Tracing
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.process.ending import end_in_order
from pawsight_serving.readiness import Readiness
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.rpc.server import RpcServer
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.settings import ExplainerSettings

_NAME: Final = "pawsight-explainer"
"""What logs and traces call this process."""


class Assembly:
    """Everything that one explainer is made of.

    Args:
        settings: the explainer's.
        engine: is started and closed here.
    """

    def __init__(self, settings: ExplainerSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._decoders = ThreadPool(settings.decode_threads, "decode")
        self._render_threads = ThreadPool(settings.render_threads, "render")
        self._readiness = Readiness(engine, settings)
        self._metrics = ExplainerMetrics()
        self._admission = Admission(
            settings.max_explanations_in_flight, ByteBudget(settings.max_in_flight_bytes)
        )
        self._metrics.watch(self._admission)
        explainer = Explainer(
            engine,
            Decoder(self._decoders, settings),
            self._render_threads,
            Queue(self._admission, settings.explanations_at_once, settings.max_explanation_bytes),
            self._readiness,
            self._metrics,
            default_model=settings.default_model,
            max_overlay_side=settings.max_overlay_side,
        )
        self._tracing: list[Tracing] = []
        if settings.trace_endpoint is not None:
            self._tracing.append(Tracing.to(_NAME, settings.trace_endpoint))
        observer = Observer(*self._tracing, self._metrics, RequestLog(_NAME))
        servicer = ExplainerServicer(explainer, settings.timeout_s, observer)
        self._rpc = RpcServer(
            {SERVICE: partial(add_ExplainerServicer_to_server, servicer)},
            settings.max_request_bytes,
        )

    async def start(self, *, shared_port: bool) -> Address:
        """Start everything, and return where calls are taken.

        Args:
            shared_port: whether another process holds the port for this one.

        Raises:
            AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start.
        """
        await self._engine.start()
        address = await self._rpc.start(self._settings.grpc, shared=shared_port)
        await self._readiness.start(self._rpc.set_ready, self._saw_readiness)
        return address

    def idle_s(self) -> float:
        """Return the seconds since the last explanation was made; 0 while one is."""
        return self._admission.idle_s()

    async def stop(self) -> None:
        """Turn readiness red, stop accepting, finish what is under way, then end every part.

        Each wait has a bound, and a part that fails to end keeps no other from ending.
        """
        await end_in_order(
            self._readiness.stop,
            partial(self._rpc.stop, self._settings.shutdown_grace_s),
            self._engine.close,
            partial(asyncio.to_thread, self._render_threads.close),
            partial(asyncio.to_thread, self._decoders.close),
            *(partial(asyncio.to_thread, each.close) for each in self._tracing),
        )

    def _saw_readiness(self, models: Mapping[str, bool], *, ready: bool) -> None:  # noqa: ARG002
        self._rpc.set_models_ready(models)
        self._metrics.saw_readiness(models)
