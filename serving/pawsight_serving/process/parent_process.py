"""A process that another one started: settings in by a pipe, its address and life out by one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Final

from pawsight_serving.process.periodic import Periodic
from pawsight_serving.process.signals import stop_signal

_SIGN_OF_LIFE_S: Final = 1.0
_STDOUT: Final = 1
_STDERR: Final = 2


class Parent:
    """A child's connection to its parent process; `ChildProcess` is the other end.

    Standard output is the parent's alone from now on: what a library prints must not be taken
    for an announcement.
    """

    def __init__(self) -> None:
        # Left open: its end tells the parent that this process has ended.
        self._announcement = os.dup(_STDOUT)
        # A parent that does not read for hours stops nobody.
        os.set_blocking(self._announcement, False)
        os.dup2(_STDERR, _STDOUT)
        self._reader: asyncio.StreamReader | None = None
        self._signs = Periodic(self._live, _SIGN_OF_LIFE_S, "the parent could not be told")

    async def settings(self) -> bytes:
        """Return the settings, as JSON; this process ends where the parent has."""
        reader = self._reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        line = await reader.readline()
        if not line:
            # The parent has ended while this process was loading its libraries.
            sys.exit()
        return line

    async def ended(self) -> None:
        """Wait for the end of standard input, or for a signal to stop: then this process ends.

        A service manager sends its signal to all processes of a service at once, and what is under
        way here is to be finished all the same.
        """
        if self._reader is not None:
            ends = (self._reader.read(), stop_signal())
            waits = [asyncio.ensure_future(each) for each in ends]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    def announce(self, **news: object) -> None:
        """Report to the parent, in one line of JSON, that calls are taken and where.

        From then on it hears every second that the event loop runs, until the process ends.
        """
        os.write(self._announcement, json.dumps(news).encode() + b"\n")
        self._signs.start()

    async def _live(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._announcement, b"\n")
