"""The process of `pawsight triton`, put together."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from pawsight_serving.errors import EngineUnavailable, FolderUnreadable, RepositoryInvalid
from pawsight_serving.observability.logs import start_logging
from pawsight_serving.observability.warned_once import WarnedOnce
from pawsight_serving.process.periodic import Periodic
from pawsight_serving.process.signals import stop_signal
from pawsight_serving.repository.directory import read_manifests
from pawsight_serving.triton_server.environment import environments_cache, prepare
from pawsight_serving.triton_server.ports import claim
from pawsight_serving.triton_server.server import TritonServer
from pawsight_serving.triton_server.view import RepositoryView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pawsight_serving.triton_server.environment import Environment
    from pawsight_serving.triton_server.ports import Ports

    Found = Mapping[str, RepositoryInvalid | OSError | None]

logger = logging.getLogger(__name__)

_START_TIMEOUT_S: Final = 120.0
_FOLLOW_S: Final = 1.0


def run(repository: Path, ports: Ports, trace_endpoint: str | None = None) -> None:
    """Run Triton on a model repository until SIGINT, SIGTERM or SIGHUP.

    Args:
        repository: the model repository.
        ports: where to listen.
        trace_endpoint: where its traces go; see `TritonServer`.

    Raises:
        AddressUnavailable, RepositoryInvalid, EngineUnavailable: it cannot start, or it ended.
    """
    start_logging()
    # Before a minute of installing, not after it.
    read_manifests(repository)
    environment = prepare(click.echo, environments_cache())
    asyncio.run(serve(repository, ports, environment, stop_signal, click.echo, trace_endpoint))


async def serve(
    repository: Path,
    ports: Ports,
    environment: Environment,
    stop: Callable[[], Awaitable[object]],
    say: Callable[[str], None],
    trace_endpoint: str | None = None,
) -> None:
    """Run Triton until `stop` returns; what is published meanwhile is served too.

    Args:
        repository: the model repository.
        ports: where to listen.
        environment: where Triton is installed.
        stop: returns when it is time to end.
        say: is told where Triton takes requests, once it does.
        trace_endpoint: where its traces go; see `TritonServer`.
    """
    # First, so that a signal ends the server too, however early it comes.
    stopped = asyncio.ensure_future(stop())
    with tempfile.TemporaryDirectory(prefix="pawsight-triton-") as name:
        folder = Path(name)
        view = RepositoryView(repository, folder)
        found = view.refresh()
        for fault in filter(None, found.values()):
            # Already told of, and most likely none of a model.
            if not isinstance(fault, FolderUnreadable):
                raise fault
        models = [name for name, fault in found.items() if fault is None]
        async with TritonServer(
            environment, view.models, folder, claim(ports), trace_endpoint
        ) as server:
            serving = asyncio.create_task(_serve(server, follow(view, found), models, say))
            try:
                await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    await serving
            finally:
                serving.cancel()
                stopped.cancel()


async def _serve(
    server: TritonServer, following: Periodic, models: Iterable[str], say: Callable[[str], None]
) -> NoReturn:
    await server.wait_ready(_START_TIMEOUT_S)
    say(f"Triton serves {', '.join(models)} on {server}")
    following.start()
    try:
        await server.wait_ended()
    finally:
        await following.stop()
    raise EngineUnavailable("Triton ended by itself; its log above may say why.")


def follow(view: RepositoryView, found: Found) -> Periodic:
    """Return what keeps a view in step with its repository, once it is started.

    What cannot be taken over stays as it was.

    Args:
        view: of the repository.
        found: by the look at the start; of its faults the log has told.
    """
    warnings = WarnedOnce(logger, _faults(found))

    async def refresh() -> None:
        faults: dict[str, str] = {}
        try:
            faults = _faults(view.refresh())
        except (RepositoryInvalid, OSError) as error:
            faults[""] = f"the repository is served as it was: {error}"
        finally:
            warnings.warn(faults)

    return Periodic(refresh, _FOLLOW_S, "the repository could not be followed")


def _faults(found: Found) -> dict[str, str]:
    return {
        name: f"{name} is served as it was: {error}"
        for name, error in found.items()
        if error is not None
    }
