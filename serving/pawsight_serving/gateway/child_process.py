"""Starts another process of ours, such as the explainer, and starts it again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from pawsight_serving.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

logger = logging.getLogger(__name__)

EXPLAINER_COMMAND: Final = (sys.executable, "-m", "pawsight_serving.explainer")
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

    The process takes its settings as one line of JSON on its standard input, and says its
    address as one line of JSON on its standard output. The end of its input ends it, so it goes
    with this process however this one ends.

    Args:
        settings: the process's.
        command: what to run.
        name: what the log calls it.
        environment: its environment variables; those of this process where none are given.
        ended: is called with the id of a process that has ended.
    """

    def __init__(
        self,
        settings: BaseModel,
        command: Sequence[str] = EXPLAINER_COMMAND,
        *,
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
        self._process: subprocess.Popen[bytes] | None = None
        self._launched = False
        self._unsettled: subprocess.Popen[bytes] | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._reachable = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None while there is none."""
        return self._process.pid if self._process else None

    def launch(self) -> None:
        """Start the process ahead of `start`, so that both processes load at the same time.

        It loads its libraries, and waits for `settle`.
        """
        with suppress(OSError):  # `start` tries again, and says what is wrong
            self._process = self._spawn()
            self._launched = True

    def settle(self) -> None:
        """Give the launched process its settings, by which it begins its work; `start` does too."""
        process, self._unsettled = self._unsettled, None
        if process is not None and process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(self._settings.model_dump_json().encode() + b"\n")
                process.stdin.flush()

    def start(self, client: Peer) -> None:
        """Start the process, unless it was launched, and its supervision; see `wait_reachable`.

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
        await self._end(0.0 if starting else grace_s)

    def kill(self) -> None:
        """End the process at once, if it was launched and nobody has stopped it."""
        if self._process is not None:
            with self._process as process:
                process.kill()

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
                process = self._launched_or_new()
            except OSError as error:
                logger.warning("the %s cannot be started: %s", self._name, error)
            else:
                try:
                    await self._run(client, process)
                except Exception:
                    logger.exception("the %s failed in an unforeseen way", self._name)
                    await client.disconnect()
                    await self._end(0.0)
                if self._tell_ended is not None:
                    self._tell_ended(process.pid)
            self._ended.set()
            if time.monotonic() - started_s > _HEALTHY_AFTER_S:
                delay_s = _FIRST_DELAY_S
            logger.warning("the %s ended; starting it again in %.1f s", self._name, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _launched_or_new(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is None or not self._launched:
            process = self._process = self._spawn()
        self._launched = False
        return process

    async def _run(self, client: Peer, process: subprocess.Popen[bytes]) -> None:
        """Point the client at a process once it takes calls, and return when it has ended."""
        self.settle()
        said = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), process.stdout
        )
        try:
            if announcement := await self._announcement(said, process):
                self.announced = json.loads(announcement)
                await client.connect(Address.parse(self.announced["address"]))
                self._reachable.set()
                # The process holds its end open as long as it lives.
                await self._until_frozen(client, asyncio.ensure_future(said.read()), process)
        finally:
            self._reachable.clear()
            pipe.close()
        await client.disconnect()
        await self._end(_ENDING_S)

    async def _announcement(
        self, said: asyncio.StreamReader, process: subprocess.Popen[bytes]
    ) -> bytes:
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
        self, client: Peer, ended: asyncio.Future[bytes], process: subprocess.Popen[bytes]
    ) -> None:
        """Return when the process has ended; one that no longer answers is killed."""
        try:
            while not (await asyncio.wait((ended,), timeout=_LOOK_S))[0]:
                if client.since_last_answer_s() > _FROZEN_AFTER_S:
                    logger.warning("the %s no longer answers; ending it", self._name)
                    process.kill()
                    await ended
        finally:
            ended.cancel()

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Not the event loop's own way: uvloop forks, which gRPC's threads do not survive well.
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            # Ctrl-C reaches the gateway alone, which ends the explainer in its turn.
            start_new_session=True,
        )
        self._unsettled = process
        return process

    async def _end(self, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        _close_input(process)
        try:
            await asyncio.to_thread(process.wait, grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        # A process that died before it had read its settings.
        with suppress(BrokenPipeError):
            process.stdin.close()
