"""What a Triton serves, followed: it may come later, go away, and load and unload versions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import grpc
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from pawsight_serving.engines.single_flight import SingleFlight
from pawsight_serving.engines.triton_served import Served, read_served
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    PawsightError,
    RepositoryInvalid,
    Unavailable,
)
from pawsight_serving.observability.warned_once import WarnedOnce
from pawsight_serving.process.periodic import Periodic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pawsight_serving.engines.protocol import Graphs

logger = logging.getLogger(__name__)

_CHANNEL: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Triton stands beside this process, or in its cluster: not behind a way out.
    ("grpc.enable_http_proxy", 0),
    # By default gRPC waits up to two minutes before it tries a server again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this is how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A channel of its own: one that has just failed elsewhere must not hold this one back.
    ("grpc.use_local_subchannel_pool", 1),
)
_FOLLOW_S: Final = 1.0
# Whoever waits for a version wants it soon; each look is a call for every graph.
_LOOK_PAUSE_S: Final = 0.1
_CLOSE_S: Final = 10.0


class TritonFollower:
    """Connects to a Triton and asks it again and again what it serves; one look at a time.

    Args:
        address, graphs, start_timeout_s, may_come_later, without_broken: see `TritonEngine`.

    Attributes:
        triton: the stub of its gRPC service.
    """

    triton: Any

    def __init__(
        self,
        address: str,
        graphs: Graphs,
        *,
        start_timeout_s: float,
        may_come_later: bool,
        without_broken: bool,
    ) -> None:
        self._address = address
        self._graphs = graphs
        self._start_timeout_s = start_timeout_s
        self._may_come_later = may_come_later
        self._without_broken = without_broken
        # What Triton serves is not known until it has answered once.
        self._awaited = False
        self._served = Served()
        self._channel: grpc.aio.Channel | None = None
        self._warnings = WarnedOnce(logger)
        self._looks = SingleFlight(self._look, _LOOK_PAUSE_S)
        self._following = Periodic(
            self._looks.run, _FOLLOW_S, "what Triton serves could not be followed"
        )

    @property
    def served(self) -> Served:
        """What Triton has loaded, or had when it answered last.

        Raises:
            EngineUnavailable: it has not answered yet.
        """
        if self._awaited:
            raise EngineUnavailable(
                "Triton has not said yet which models it has; try again in a moment."
            )
        return self._served

    @property
    def faults(self) -> Mapping[str, PawsightError]:
        """What is wrong with models of which nothing is known but that Triton has loaded them."""
        known = {manifest.name for manifest in self._served.manifests}
        return {name: why for name, why in self._served.broken.items() if name not in known}

    @property
    def reachable(self) -> bool:
        """Whether a call would be sent, or wait for a connection: in no other state does it fail.

        It is false while the last attempt to connect has failed and the next one has not succeeded.
        """
        channel = self._channel
        return channel is not None and (
            channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE
        )

    async def start(self) -> None:
        """Connect, read what Triton serves, and follow it from then on.

        Raises:
            EngineUnavailable, DeadlineExceeded: no Triton answers, and it may not come later.
            RepositoryInvalid: it has no model of ours, or a broken one.
        """
        await self._connect()
        try:
            await self._read_first()
        except (Unavailable, DeadlineExceeded) as error:
            if not self._may_come_later:
                raise
            self._awaited = True
            logger.warning("%s Until then nothing is served.", error)
        self._following.start()

    async def look(self) -> None:
        """Ask Triton what it serves; a caller that leaves interrupts nothing.

        One that is away or starting has loaded nothing, yet what it will serve again is still the
        truth for whoever lists models; whether it answers is readiness's.
        """
        await self._looks.run()

    def has(self, name: str, version: str) -> bool:
        """Return whether Triton had loaded a version when it answered last."""
        return any((m.name, m.version) == (name, version) for m in self._served.manifests)

    async def close(self) -> None:
        """Stop following, let the calls under way end, and disconnect."""
        await self._following.stop()
        await self._looks.cancel()
        self._served = Served()
        if self._channel is not None:
            await self._channel.close(_CLOSE_S)

    async def _look(self) -> None:
        try:
            if self._awaited:
                # Its name may be known only now, and gRPC asks for it ever more seldom.
                await self._connect()
            served = await read_served(self.triton, self._graphs)
        except PawsightError as error:
            if not self._awaited:
                self._warnings.warn({"": f"what Triton serves is not known now: {error}"})
            return
        except Exception:
            # Whatever went wrong, what was known stays, and the next look may be luckier.
            logger.exception("what Triton serves could not be read")
            return
        served = served.keeping(self._served)
        awaited: dict[str, str] = {}
        if served.manifests:
            if self._awaited:
                logger.info("the Triton at %s has come", self._address)
            self._served, self._awaited = served, False
        elif self._awaited:
            awaited[""] = self._no_models()
        self._warnings.warn({**self._told(served), **awaited})

    async def _connect(self) -> None:
        before = self._channel
        self._channel = grpc.aio.insecure_channel(self._address, options=_CHANNEL)
        self.triton = GRPCInferenceServiceStub(self._channel)
        if before is not None:
            await before.close(_CLOSE_S)

    async def _read_first(self) -> None:
        try:
            await self.triton.ServerLive(
                messages.ServerLiveRequest(),
                timeout=self._start_timeout_s,
                # One that may come later is told of at once.
                wait_for_ready=not self._may_come_later,
            )
        except grpc.aio.AioRpcError as error:
            raise EngineUnavailable(
                f"No Triton answers gRPC at {self._address}; start one with `pawsight triton`, "
                "or check the address."
            ) from error
        self._served = await read_served(self.triton, self._graphs)
        for fault in self._served.broken.values():
            if not (self._served.manifests and self._without_broken):
                raise fault
        self._warnings.warn(self._told(self._served))
        if not self._served.manifests:
            raise RepositoryInvalid(self._no_models())

    def _told(self, served: Served) -> dict[str, str]:
        """Return what the log says of broken models."""
        return {
            name: f"{name} is not served: {fault}"
            if name in self.faults
            else f"what was served of {name} stays: {fault}"
            for name, fault in served.broken.items()
        }

    def _no_models(self) -> str:
        return (
            f"The Triton at {self._address} has loaded no model of `pawsight export`; "
            "look at its log, or start it on another repository."
        )
