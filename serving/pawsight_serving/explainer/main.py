"""The explainer's process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

from pawsight_serving.addresses import check_free
from pawsight_serving.engines.listing import check_servable
from pawsight_serving.engines.selection import open_engine
from pawsight_serving.explainer.assembly import Assembly
from pawsight_serving.explanations.rendering.colormap import load_colormaps
from pawsight_serving.observability.logs import start_logging
from pawsight_serving.process.memory import giving_back_after_crowds, keep_one_heap
from pawsight_serving.process.signals import stop_signal
from pawsight_serving.process.stopping import hearing, unless_stopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.settings import ExplainerSettings


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
    assembly = Assembly(settings, engine)
    async with hearing(stop) as stopping:
        try:
            starting = assembly.start(shared_port=shared_port)
            if (address := await unless_stopped(starting, stopping)) is None:
                return
            started(address)
            # No start waits for them; a drawing does that comes at once.
            colormaps = asyncio.create_task(asyncio.to_thread(load_colormaps))
            async with giving_back_after_crowds(assembly.idle_s):
                await stopping
            await colormaps
        finally:
            await assembly.stop()
