"""Several gateway processes on one pair of ports, and one sidecar for all of them.

The kernel spreads connections over the processes (SO_REUSEPORT). This process holds the ports and
keeps the others running; it takes no request itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from prometheus_client.multiprocess import mark_process_dead

from pawsight_serving.addresses import Address, bind
from pawsight_serving.errors import ConfigurationInvalid, RepositoryInvalid
from pawsight_serving.gateway.child_process import ChildProcess
from pawsight_serving.gateway.explainer_client import ExplainerClient
from pawsight_serving.gateway.launched_process import EXPLAINER_COMMAND
from pawsight_serving.gateway.metrics import SHARED_FOLDER
from pawsight_serving.gateway.serving_summary import ServingSummary
from pawsight_serving.process.stopping import hearing, unless_stopped
from pawsight_serving.process.temporary_folder import temporary_folder

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from pawsight_serving.gateway.launched_process import LaunchedProcess
    from pawsight_serving.settings import GatewaySettings

logger = logging.getLogger(__name__)

WORKER_COMMAND: Final = (sys.executable, "-m", "pawsight_serving.gateway")
_START_S: Final = 120.0


class _Unasked:
    """The client of a child that this process never calls; see `ChildProcess`."""

    async def connect(self, address: Address) -> None:
        pass

    async def disconnect(self) -> None:
        pass

    def since_last_answer_s(self) -> float:
        return 0.0


async def serve_fleet(
    settings: GatewaySettings,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[str], None],
    worker_command: Sequence[str] = WORKER_COMMAND,
    explainer_command: Sequence[str] = EXPLAINER_COMMAND,
    *,
    launched: LaunchedProcess | None = None,
) -> None:
    """Serve with `settings.workers` processes until `stop` returns; a start is broken off by it.

    Args:
        settings: the gateway's.
        stop: returns when it is time to end.
        started: is called with a sentence of models and addresses, once all processes are ready;
            an explainer is waited for as long as one gateway alone waits for it.
        worker_command: what runs as a worker.
        explainer_command: what runs as the sidecar, where the settings name no explainer.
        launched: one of this command, where it loads its libraries already.

    Raises:
        AddressUnavailable: an address is taken.
        ConfigurationInvalid: a worker ended before it was ready; it has said why.
        RepositoryInvalid: a model is broken.
    """
    sidecar: ChildProcess | None = None
    with ExitStack() as held:
        ports = [held.enter_context(_held(each)) for each in (settings.http, settings.grpc)]
        http, grpc = (_address(port) for port in ports)
        counts = held.enter_context(temporary_folder("pawsight-metrics-"))
        explainer = settings.explainer
        if explainer is None:
            # Held as the others are: nobody else gets it while the sidecar is started again.
            explainer = _address(held.enter_context(_held(Address("127.0.0.1", 0))))
            sidecar = ChildProcess(
                settings.for_sidecar().model_copy(update={"grpc": explainer}),
                explainer_command,
                launched=launched,
                keeps_spare=True,
            )
        one_worker = settings.model_copy(
            update={"http": http, "grpc": grpc, "explainer": explainer, "workers": 1}
        )
        workers = [_worker(one_worker, worker_command, counts) for _ in range(settings.workers)]
        async with hearing(stop) as stopping:
            try:
                starting = _start(workers, sidecar, settings.explainer_start_s)
                if (models := await unless_stopped(starting, stopping)) is None:
                    return
                started(str(ServingSummary(http, grpc, models, sidecar, settings.encrypts)))
                await stopping
            finally:
                await _stop(workers, sidecar, settings.shutdown_grace_s + 5.0)


def _worker(settings: GatewaySettings, command: Sequence[str], counts: Path) -> ChildProcess:
    """Return a worker, which counts its requests in a folder that all of them share."""
    return ChildProcess(
        settings,
        command,
        name="worker",
        environment={**os.environ, SHARED_FOLDER: str(counts)},
        ended=lambda pid: _forget(pid, counts),
    )


async def _start(
    workers: Sequence[ChildProcess], sidecar: ChildProcess | None, explainer_start_s: float
) -> tuple[str, ...]:
    """Start the processes, wait until they take requests, and return what they serve."""
    if sidecar is not None:
        # Asked for nothing but whether it answers.
        sidecar.start(ExplainerClient())
    for worker in workers:
        worker.start(_Unasked())
    if not all(await asyncio.gather(*(worker.wait_started(_START_S) for worker in workers))):
        raise ConfigurationInvalid(
            "A worker process ended before it took requests; its words above say why."
        )
    for worker in workers:
        for fault in worker.announced.get("broken", ()):
            raise RepositoryInvalid(fault)
    if sidecar is not None and not await sidecar.wait_reachable(explainer_start_s):
        logger.warning("serving without explanations until the explainer has started")
    return tuple(workers[0].announced.get("models", ()))


async def _stop(
    workers: Sequence[ChildProcess], sidecar: ChildProcess | None, grace_s: float
) -> None:
    """End the processes, the workers first: they may be waiting for the sidecar's answers."""
    await asyncio.gather(*(worker.stop(grace_s) for worker in workers))
    if sidecar is not None:
        await sidecar.stop(grace_s)


def _held(address: Address) -> socket.socket:
    """Return a socket that keeps the port for sockets that share it, and takes no connection."""
    # Alone first: a port that another program shares would get a part of the callers.
    with bind(address) as alone:
        found = Address(address.host, alone.getsockname()[1])
    return bind(found, shared=True)


def _address(port: socket.socket) -> Address:
    return Address(*port.getsockname()[:2])


def _forget(pid: int, counts: Path) -> None:
    """Take the requests in flight of a process that has ended out of the metrics."""
    mark_process_dead(pid, str(counts))  # type: ignore[no-untyped-call]
