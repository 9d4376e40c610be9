"""The explainer as a gateway's child: settings in by a pipe, address out by a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Final

import uvloop

from pawsight_serving.errors import PawsightError
from pawsight_serving.explainer.main import engine_of, serve
from pawsight_serving.logs import start_logging
from pawsight_serving.settings import ExplainerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.addresses import Address
    from pawsight_serving.engines.protocol import Engine

_STDOUT: Final = 1
_STDERR: Final = 2


def main(open_engine: Callable[[ExplainerSettings], Engine] = engine_of) -> None:
    """Serve as `Sidecar` has it: standard input's end is the end of this process."""
    start_logging()
    announcement = os.dup(_STDOUT)
    # What a library prints must not be taken for the announcement.
    os.dup2(_STDERR, _STDOUT)

    def announce(address: Address) -> None:
        # Left open: its end tells the parent that this process has ended.
        os.write(announcement, json.dumps({"address": str(address)}).encode() + b"\n")

    async def process() -> None:
        parent = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(parent), sys.stdin
        )
        settings = ExplainerSettings.model_validate_json(await parent.readline())
        start_logging(settings.log_format)
        await serve(settings, open_engine(settings), parent.read, announce)

    try:
        uvloop.run(process())
    except PawsightError as error:
        sys.exit(f"The explainer cannot start: {error}")
