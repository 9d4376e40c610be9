"""A process of ours that loads its libraries, and then waits for its settings.

Nothing that takes time is imported here: a program launches one before it loads its own libraries.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

EXPLAINER_COMMAND: Final = (sys.executable, "-m", "pawsight_serving.explainer")


class LaunchedProcess:
    """A child process, which has no work before `settle`.

    It takes its settings as one line of JSON on its standard input, and says its address as one
    line of JSON on its standard output. The end of its input ends it, so it goes with this process
    however this one ends.

    Args:
        command: what to run.
        environment: its environment variables; those of this process where none are given.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str] = EXPLAINER_COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # Not the event loop's own way: uvloop forks, which gRPC's threads do not survive well.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # Ctrl-C reaches the gateway alone, which ends the explainer in its turn.
            start_new_session=True,
        )
        self._settled = False

    @property
    def pid(self) -> int:
        """Its id, also once it has ended."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has neither ended nor been stopped by a signal."""
        if self._process.poll() is not None:
            return False
        only_look = os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self.pid, os.WSTOPPED | only_look) is None
        except ChildProcessError:
            # It has ended between the two questions.
            return False

    @property
    def output(self) -> IO[bytes] | None:
        """What it says; ends when the process does."""
        return self._process.stdout

    def settle(self, settings: BaseModel) -> None:
        """Give the process its settings, by which it begins its work; once is enough."""
        if self._settled or self._process.stdin is None:
            return
        self._settled = True
        with suppress(BrokenPipeError):
            self._process.stdin.write(settings.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once, without waiting until it has."""
        self._process.kill()

    def discard(self) -> None:
        """Kill it, unless it has ended, and leave nothing of it."""
        # A process that died before it had read its settings.
        with suppress(BrokenPipeError), self._process as process:
            process.kill()

    async def end(self, grace_s: float) -> None:
        """End it: its input is closed, and it is killed after `grace_s`."""
        if self._process.stdin is not None:
            # A process that died before it had read its settings.
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            await asyncio.to_thread(self._process.wait, grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
