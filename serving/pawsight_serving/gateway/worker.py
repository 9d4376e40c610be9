"""One of several gateway processes on one port; it talks to its parent by pipes."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvloop

from pawsight_serving.errors import PawsightError
from pawsight_serving.gateway.main import engine_of, serve
from pawsight_serving.observability.logs import in_form_of_log, start_logging
from pawsight_serving.process.memory import keep_one_heap
from pawsight_serving.process.parent_process import Parent
from pawsight_serving.settings import GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.gateway.serving_summary import ServingSummary


def main(open_engine: Callable[[GatewaySettings], Engine] = engine_of) -> None:
    """Serve until the parent ends it; see `Parent`."""
    keep_one_heap()
    start_logging()
    parent = Parent()

    def announce(running: ServingSummary) -> None:
        parent.announce(address=str(running.grpc), models=running.models, broken=running.broken)

    async def process() -> None:
        settings = GatewaySettings.model_validate_json(await parent.settings())
        start_logging(settings.log_format)
        engine = open_engine(settings)
        # Whether a fleet begins with a broken model is the parent's to say. A worker that is
        # started again has taken over from one that served the others.
        await serve(
            settings, engine, parent.ended, announce, None, shared_port=True, without_broken=True
        )

    try:
        uvloop.run(process())
    except PawsightError as error:
        sys.exit(in_form_of_log(f"Error: {error}", logging.ERROR))
