"""The gateway's process.

Its libraries take as long to load as the explainer's do, so they are loaded where they are needed:
by then the explainer's process loads its graphs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

from pawsight_serving.addresses import check_free
from pawsight_serving.gateway.child_process import ChildProcess
from pawsight_serving.gateway.serving_summary import ServingSummary
from pawsight_serving.observability.announcing import announce
from pawsight_serving.observability.logs import start_logging
from pawsight_serving.process.memory import giving_back_after_crowds, keep_one_heap
from pawsight_serving.process.signals import stop_signal
from pawsight_serving.process.stopping import hearing, unless_stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.gateway.launched_process import LaunchedProcess
    from pawsight_serving.settings import GatewaySettings


def run(settings: GatewaySettings, launched: LaunchedProcess | None = None) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Args:
        settings: the gateway's.
        launched: the explainer's process, where it loads its libraries already; discarded here
            where the settings name an explainer.

    Raises:
        AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start.
    """
    keep_one_heap()
    start_logging(settings.log_format)
    if settings.explainer is not None and launched is not None:
        launched.discard()
    check_free(settings.http, settings.grpc)
    _check_repository(settings)
    if settings.workers > 1:
        from pawsight_serving.gateway.fleet import serve_fleet

        uvloop.run(serve_fleet(settings, stop_signal, announce, launched=launched))
        return
    sidecar = None
    if settings.explainer is None:
        for_sidecar = settings.for_sidecar()
        if launched is not None:
            # It has its graphs to load, while this process still loads its libraries.
            launched.settle(for_sidecar)
        sidecar = ChildProcess(for_sidecar, launched=launched, keeps_spare=True)
    uvloop.run(serve(settings, engine_of(settings), stop_signal, announce, sidecar))


def _check_repository(settings: GatewaySettings) -> None:
    """Tell once what every process that reads the repository would tell."""
    repository = settings.repository_or_default
    if repository is not None:
        from pawsight_serving.engines.listing import check_servable

        check_servable(repository)


def engine_of(settings: GatewaySettings) -> Engine:
    """Return the engine that the settings name; it is not started yet."""
    from pawsight_serving.engines.selection import open_engine

    triton = settings.triton and str(settings.triton)
    return open_engine(settings.repository_or_default, triton, graphs="hot", settings=settings)


async def serve(
    settings: GatewaySettings,
    engine: Engine,
    stop: Callable[[], Awaitable[object]],
    started: Callable[[ServingSummary], None],
    sidecar: ChildProcess | None,
    *,
    shared_port: bool = False,
    without_broken: bool = False,
) -> None:
    """Serve until `stop` returns, then finish what is under way; a start is broken off by it.

    Args:
        settings: the gateway's.
        engine: is started and closed here.
        stop: returns when it is time to end.
        started: is called once requests are taken.
        sidecar: the process of the explainer, where the settings name none; it is started, unless
            it was launched, and stopped here.
        shared_port: whether other processes serve on the same ports.
        without_broken: whether the other models do where one is broken.
    """
    from pawsight_serving.gateway.assembly import Assembly

    assembly = Assembly(settings, engine, sidecar)
    async with hearing(stop) as stopping:
        try:
            starting = assembly.start(shared_port=shared_port, without_broken=without_broken)
            if (addresses := await unless_stopped(starting, stopping)) is None:
                return
            models, broken = assembly.models(), assembly.broken()
            started(ServingSummary(*addresses, models, sidecar, settings.encrypts, broken))
            async with giving_back_after_crowds(assembly.idle_s):
                await stopping
        finally:
            await assembly.stop()
