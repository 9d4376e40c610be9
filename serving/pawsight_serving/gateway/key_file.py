"""The file of API keys while the gateway runs: who edits it need not start the gateway again."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.observability.warned_once import WarnedOnce
from pawsight_serving.process.periodic import Periodic
from pawsight_serving.security.api_keys import ApiKeys

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


class KeyFile:
    """Keys that follow their file; one that cannot be used changes none of them.

    Args:
        file: as `ApiKeys.read` takes it.
        interval_s: how often it is looked at.

    Raises:
        ConfigurationInvalid: the file cannot be used.
    """

    def __init__(self, file: Path, interval_s: float = 2.0) -> None:
        self._file = file
        # Before it is read: what is written meanwhile is seen at the next look.
        self._seen = self._stamp()
        self.keys = ApiKeys.read(file)
        self._warned = WarnedOnce(logger)
        self._looking = Periodic(self._look, interval_s, "the file of API keys was not looked at")

    def start(self) -> None:
        """Begin to follow the file."""
        self._looking.start()

    async def stop(self) -> None:
        """Follow it no more."""
        await self._looking.stop()

    async def _look(self) -> None:
        stamp = await asyncio.to_thread(self._stamp)
        if stamp == self._seen:
            return
        try:
            newer = await asyncio.to_thread(ApiKeys.read, self._file)
        except ConfigurationInvalid as error:
            self._warned.warn({"file": f"{error} Until then the keys of before are valid."})
            return
        self.keys.renew(newer)
        self._seen = stamp
        self._warned.warn({})
        logger.info("read the API keys again")

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what changes with the file; None where there is none."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
