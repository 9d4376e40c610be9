"""Starts another process of ours, such as the explainer, and starts it again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from pawsight_serving.addresses import Address
from pawsight_serving.gateway.launched_process import EXPLAINER_COMMAND, LaunchedProcess
from pawsight_serving.gateway.signs_of_life import SignsOfLife

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

logger = logging.getLogger(__name__)

_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
# A process that lived for so long did not fail because of its start.
_HEALTHY_AFTER_S: Final = 10.0
# Models take their time to load, on a GPU above all; a process that takes longer hangs.
_STARTS_WITHIN_S: Final = 600.0
# What a process that has closed its output may still take to end.
_ENDING_S: Final = 10.0
# A process that answers nothing for so long is frozen, and ended.
_FROZEN_AFTER_S: Final = 15.0
_LOOK_S: Final = 1.0
# A spare loads its libraries when a start is over, and one that died is not replaced at once:
# whatever ended it may end the next one too.
_SPARE_AFTER_S: Final = 5.0
_NEXT_SPARE_AFTER_S: Final = 60.0


class Peer(Protocol):
    """The client of a child process."""

    async def connect(self, address: Address) -> None:
        """Send calls to this address from now on."""

    async def disconnect(self) -> None:
        """Fail calls until the next `connect`."""

    def since_last_answer_s(self) -> float:
        """Return the seconds for which the process has answered nothing."""


class ChildProcess:
    """Keeps one process running, such as the explainer, and its client pointed at it.

    See `LaunchedProcess` for how they talk.

    Args:
        settings: the process's.
        command: what to run.
        launched: one of this command that loads its libraries already: the first spare.
        keeps_spare: whether another one waits with its libraries loaded, so that it takes over
            from one that ends in half of the time.
        name: what the log calls it.
        environment: its environment variables; those of this process where none are given.
        ended: is called with the id of a process that has ended.
    """

    def __init__(
        self,
        settings: BaseModel,
        command: Sequence[str] = EXPLAINER_COMMAND,
        *,
        launched: LaunchedProcess | None = None,
        keeps_spare: bool = False,
        name: str = "explainer",
        environment: Mapping[str, str] | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> None:
        self._name = name
        self._environment = environment
        self._tell_ended = ended
        self._ended = asyncio.Event()
        self.announced: dict[str, Any] = {}
        self._settings = settings
        self._command = command
        self._process = launched
        self._spare = launched
        self._spare_due_s = math.inf
        self._keeps_spare = keeps_spare
        self._supervision: asyncio.Task[None] | None = None
        self._reachable = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None while there is none."""
        return self._process.pid if self._process else None

    def start(self, client: Peer) -> None:
        """Start the process and its supervision; see `wait_reachable`.

        Args:
            client: is given the address of the process.
        """
        self._supervision = asyncio.create_task(self._supervise(client))

    async def wait_reachable(self, timeout_s: float) -> bool:
        """Wait until the explainer takes calls; False where it does not within `timeout_s`."""
        try:
            await asyncio.wait_for(self._reachable.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def wait_started(self, timeout_s: float) -> bool:
        """As `wait_reachable`; False at once where the first process ends before."""
        waits = [asyncio.ensure_future(each.wait()) for each in (self._reachable, self._ended)]
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self._reachable.is_set()

    async def stop(self, grace_s: float) -> None:
        """End the process: its input is closed, and it is killed after `grace_s`.

        One that is still starting has nothing to finish, and is killed at once.
        """
        starting = not self._reachable.is_set()
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.gather(self._supervision, return_exceptions=True)
        await self._drop_spare()
        if self._process is not None:
            await self._process.end(0.0 if starting else grace_s)

    async def _supervise(self, client: Peer) -> None:
        try:
            await self._keep_running(client)
        finally:
            await client.disconnect()

    async def _keep_running(self, client: Peer) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            started_s = time.monotonic()
            try:
                process = self._process = self._spare_or_new()
            except OSError as error:
                logger.warning("the %s cannot be started: %s", self._name, error)
            else:
                try:
                    await self._run(client, process)
                except Exception:
                    logger.exception("the %s failed in an unforeseen way", self._name)
                    await client.disconnect()
                    await process.end(0.0)
                if self._tell_ended is not None:
                    self._tell_ended(process.pid)
            self._ended.set()
            if time.monotonic() - started_s > _HEALTHY_AFTER_S:
                delay_s = _FIRST_DELAY_S
            logger.warning("the %s ended; starting it again in %.1f s", self._name, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _spare_or_new(self) -> LaunchedProcess:
        self._drop_lost_spare()
        process, self._spare = self._spare, None
        return process or self._launch()

    def _launch(self) -> LaunchedProcess:
        return LaunchedProcess(self._command, self._environment)

    async def _run(self, client: Peer, process: LaunchedProcess) -> None:
        """Point the client at a process once it takes calls, and return when it has ended."""
        process.settle(self._settings)
        said = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), process.output
        )
        try:
            if announcement := await self._announcement(said, process):
                self.announced = json.loads(announcement)
                await client.connect(Address.parse(self.announced["address"]))
                self._reachable.set()
                self._spare_due_s = time.monotonic() + _SPARE_AFTER_S
                await self._until_frozen(client, said, process)
        finally:
            self._reachable.clear()
            pipe.close()
        await client.disconnect()
        await process.end(_ENDING_S)

    async def _announcement(self, said: asyncio.StreamReader, process: LaunchedProcess) -> bytes:
        """Return a process's first line; nothing where it ends before, or is killed as it hangs."""
        try:
            async with asyncio.timeout(_STARTS_WITHIN_S):
                return await said.readline()
        except TimeoutError:
            logger.warning(
                "the %s has not started within %g s; ending it", self._name, _STARTS_WITHIN_S
            )
            process.kill()
            return b""

    async def _until_frozen(
        self, client: Peer, said: asyncio.StreamReader, process: LaunchedProcess
    ) -> None:
        """Return when the process has ended; one that no longer lives or answers is killed."""
        signs = SignsOfLife(said)
        ended = asyncio.create_task(signs.hear())
        try:
            while not (await asyncio.wait((ended,), timeout=_LOOK_S))[0]:
                if signs.look(client.since_last_answer_s()) > _FROZEN_AFTER_S:
                    logger.warning("the %s no longer answers; ending it", self._name)
                    process.kill()
                    # What froze this one may have frozen that one too.
                    await self._drop_spare()
                    await ended
                elif self._keeps_spare:
                    self._renew_spare(time.monotonic())
        finally:
            ended.cancel()

    def _renew_spare(self, now_s: float) -> None:
        """Launch a spare when it is time to, unless there is one."""
        self._drop_lost_spare()
        if self._spare is None and now_s >= self._spare_due_s:
            self._spare_due_s = now_s + _NEXT_SPARE_AFTER_S
            with suppress(OSError):  # a machine without room for it; it is tried again
                self._spare = self._launch()

    def _drop_lost_spare(self) -> None:
        if self._spare is not None and not self._spare.running:
            self._spare.discard()
            self._spare = None

    async def _drop_spare(self) -> None:
        process, self._spare = self._spare, None
        if process is not None:
            await asyncio.to_thread(process.discard)
