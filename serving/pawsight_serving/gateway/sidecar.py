"""Starts the explainer as a process of its own, and starts it again when it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Final

from pawsight_serving.settings import Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.gateway.explaining import ExplainerClient
    from pawsight_serving.settings import ExplainerSettings

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "pawsight_serving.explainer")
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
# A process that lived for so long did not fail because of its start.
_HEALTHY_AFTER_S: Final = 10.0


class Sidecar:
    """Keeps one explainer process running, and the client pointed at it.

    The process takes its settings as one line of JSON on its standard input, and says its
    address as one line of JSON on its standard output. The end of its input ends it, so it goes
    with this process however this one ends.

    Args:
        settings: the explainer's.
        client: is told where the explainer is.
        command: what to run.
    """

    def __init__(
        self,
        settings: ExplainerSettings,
        client: ExplainerClient,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._settings = settings
        self._client = client
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._reachable = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The running process; None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process and its supervision; see `wait_reachable`."""
        self._supervision = asyncio.create_task(self._supervise())

    async def wait_reachable(self, timeout_s: float) -> bool:
        """Wait until the explainer takes calls; False where it does not within `timeout_s`."""
        try:
            await asyncio.wait_for(self._reachable.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def stop(self, grace_s: float) -> None:
        """End the process: its input is closed, and it is killed after `grace_s`."""
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.gather(self._supervision, return_exceptions=True)
        await self._client.disconnect()
        await self._end(grace_s)

    async def _supervise(self) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            started_s = time.monotonic()
            await self._run()
            if time.monotonic() - started_s > _HEALTHY_AFTER_S:
                delay_s = _FIRST_DELAY_S
            logger.warning("the explainer ended; starting it again in %.1f s", delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    async def _run(self) -> None:
        """Start one process and return when it has ended."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C reaches the gateway alone, which ends the explainer in its turn.
            start_new_session=True,
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the explainer was started without its pipes")
        stdin.write(self._settings.model_dump_json().encode() + b"\n")
        if announcement := await stdout.readline():
            await self._client.connect(Address.parse(json.loads(announcement)["address"]))
            self._reachable.set()
        await self._process.wait()
        self._reachable.clear()
        await self._client.disconnect()

    async def _end(self, grace_s: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            process.kill()
            await process.wait()
